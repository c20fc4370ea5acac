"""manage.py run_demo: fill the school, run one day, and show what became of it."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand
from django.utils import timezone

from demo import school


class Command(BaseCommand):
    help = "Fill the school, run one day, and show what became of it."

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument(
            "--learners", type=int, default=school.LEARNERS, metavar="COUNT", help="How many the school has."
        )

    def handle(self, *, learners: int, **options: Any) -> None:
        current = timezone.now().date()
        if not school.is_filled():
            self.stdout.write("Filling the school …")
            school.fill(current, learners)
        today = self._day(current)
        self.stdout.write("")
        call_command("send_daily", school.SITE_DOMAIN, date=today.isoformat(), stdout=self.stdout)
        index = Path(settings.SCHEDULES["FILE_EMAIL_DIRECTORY"]).resolve() / "index.html"
        self.stdout.write(
            f"\nThe e-mails: open {index}\n"
            "\nWhat to try next:\n"
            f"  make serve, then http://127.0.0.1:8000/admin/ as {school.STAFF_NAME} / {school.STAFF_PASSWORD}\n"
            f"  .venv/bin/python manage.py send_daily {school.OTHER_SITE_DOMAIN} --date {today}\n"
            f"  .venv/bin/python manage.py send_course_update {school.SITE_DOMAIN} --date {today} "
            "--override-recipient-email me@example.com\n"
            f"  .venv/bin/python manage.py schedules_report {school.SITE_DOMAIN} --compare\n"
            "  make demo again: nothing is sent twice"
        )

    def _day(self, current: date) -> date:
        """The day that was run before, so that a second call shows that nothing is sent twice."""
        runs = apps.get_model("schedules", "SendRun")._default_manager
        earlier = runs.filter(site__domain=school.SITE_DOMAIN).order_by("-date").first()
        return earlier.date if earlier else current
