"""manage.py run_demo: fill the school, run the three commands for one day, and show what became of it."""

from __future__ import annotations

from collections import defaultdict
from datetime import date
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand
from django.utils import timezone

from demo import school
from schedules.channels import file_index
from schedules.conf import conf
from schedules.ledger import totals_of
from schedules.management.send_command import by_reason, in_columns
from schedules.message_types import resolvers
from schedules.models import SendRun
from schedules.values.days import day_of
from schedules.values.outcomes import Totals


class Command(BaseCommand):
    help = "Fill the school, run the three commands for one day, and show what became of it."

    def handle(self, **options: Any) -> None:
        now = timezone.now()
        if not school.is_filled():
            self.stdout.write("Filling the school …")
            school.fill(day_of(now, conf.time_zone))
        today = self._day(day_of(now, conf.time_zone))
        for key in resolvers():
            self.stdout.write("")
            call_command(f"send_{key}", school.SITE_DOMAIN, date=today.isoformat(), stdout=self.stdout)
        index = file_index.refresh(conf.file_email_directory)
        totals = self._totals(now)
        self.stdout.write(f"\nAll messages of {today} for {school.SITE_DOMAIN}\n")
        for line in in_columns([("message", "found", "already sent", "sent", "skipped", "failed"), *_rows(totals)]):
            self.stdout.write(line)
        self._say_what_next(sum(one.already for one in totals.values()), str(index), today)

    def _day(self, current: date) -> date:
        """The day that was run before, so that a second call shows that nothing is sent twice."""
        earlier = SendRun.objects.filter(site__domain=school.SITE_DOMAIN).order_by("-date").first()
        return earlier.date if earlier else current

    def _totals(self, since: Any) -> dict[str, Totals]:
        totals: defaultdict[str, Totals] = defaultdict(Totals)
        for run in SendRun.objects.filter(started_at__gte=since).order_by("message_type", "-day_offset"):
            totals[resolvers()[run.message_type].message_name(run.day_offset)].add(totals_of(run).as_dict())
        return totals

    def _say_what_next(self, already: int, index: str, today: date) -> None:
        if already:
            self.stdout.write(f"\nNothing was sent twice: {already} messages had been sent before.")
        self.stdout.write(
            f"\nThe e-mails: open {index}\n"
            "\nWhat to try next:\n"
            f"  make serve, then http://127.0.0.1:8000/admin/ as {school.STAFF_NAME} / {school.STAFF_PASSWORD}\n"
            f"  .venv/bin/python manage.py send_recurring_nudge {school.OTHER_SITE_DOMAIN} --date {today}\n"
            f"  .venv/bin/python manage.py send_course_update {school.SITE_DOMAIN} --date {today} "
            "--override-recipient-email me@example.com\n"
            f"  .venv/bin/python manage.py schedules_report {school.SITE_DOMAIN} --compare\n"
            "  make demo again: nothing is sent twice"
        )


def _rows(totals: dict[str, Totals]) -> list[tuple[str, ...]]:
    return [
        (name, str(one.found), str(one.already), str(one.sent), by_reason(one.skipped), by_reason(one.failed))
        for name, one in totals.items()
    ]
