"""manage.py schedules_status SITE_DOMAIN."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError, no_translations
from django.core.serializers.json import DjangoJSONEncoder
from django.utils import timezone

from schedules import api
from schedules.conf import conf
from schedules.ledger.status import LastRun, SiteStatus, TypeStatus, site_status
from schedules.management import arguments
from schedules.management.base import SchedulesCommand
from schedules.management.columns import by_reason, in_columns
from schedules.message_types import usable_resolvers

COLUMNS = ("type", "find", "send", "last run for", "finished", "found", "already sent", "sent", "skipped", "failed")


class Command(SchedulesCommand):
    help = "Say how a site's messages fare; exit status 1 when somebody must look."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("site_domain", help=arguments.SITE_HELP)
        parser.add_argument("--json", action="store_true", help="print JSON, for programs")

    @no_translations
    def handle(self, **options: Any) -> None:
        conf.validate()
        status = site_status(api.find_site(options["site_domain"]), timezone.now(), usable_resolvers())
        if options["json"]:
            self.stdout.write(json.dumps(status.as_dict(), cls=DjangoJSONEncoder, indent=2))
        else:
            self.stdout.write("\n".join(lines(status)))
        if status.problems:
            more = f" (and {len(status.problems) - 1} more)" if len(status.problems) > 1 else ""
            raise CommandError(f"{status.site} needs somebody to look: {status.problems[0]}{more}")


def lines(status: SiteStatus) -> list[str]:
    """The status as text."""
    return [
        status.site,
        *in_columns([COLUMNS, *map(_row, status.types)]),
        f"pending {status.pending}, retrying {status.retrying}, stuck {status.stuck}",
        f"failed in the last 7 days: {by_reason(status.failed)}",
        *(f"PROBLEM: {problem}" for problem in status.problems or ()),
        *(() if status.problems else ("All is well.",)),
    ]


def _row(status: TypeStatus) -> tuple[str, ...]:
    switches = ("on" if is_on else "off" for is_on in (status.is_enqueuing, status.is_delivering))
    return (status.message_type, *switches, *_run_cells(status.last_run))


def _run_cells(run: LastRun | None) -> tuple[str, ...]:
    if run is None:
        return ("never", *[""] * 6)
    when = (str(run.date), f"{run.finished_at:%Y-%m-%d %H:%M} UTC")
    if run.stopped:
        return (*when, f"stopped: {run.stopped}", *[""] * 4)
    return (*when, *(str(run.counts[word]) for word in ("found", "already", "sent", "skipped", "failed")))
