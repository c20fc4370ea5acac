"""manage.py schedules_report SITE_DOMAIN [--from YYYY-MM-DD] [--to YYYY-MM-DD]."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.core.management.base import CommandError, no_translations
from django.utils import timezone

from schedules import api
from schedules.conf import conf
from schedules.management import arguments
from schedules.management.base import SchedulesCommand
from schedules.management.columns import in_columns
from schedules.reporting import ReportScope, comparison, tables
from schedules.reporting.choices import known_messages, usual_first_day
from schedules.reporting.comparison import Comparison
from schedules.reporting.counts import COUNT_NAMES, MAX_DAYS, MessageReport, count
from schedules.reporting.words import LABELS, interval_heading, of_sent
from schedules.values.days import day_of
from schedules.values.outcomes import Totals


class Command(SchedulesCommand):
    help = "Say what became of a site's messages: the page Reports of the admin, on a terminal."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("site_domain", help=arguments.SITE_HELP)
        parser.add_argument(
            "--from",
            type=arguments.day,
            metavar="DATE",
            help="the first day, as YYYY-MM-DD; default: 29 days before the last",
        )
        parser.add_argument(
            "--to", type=arguments.day, metavar="DATE", help="the last day, as YYYY-MM-DD; default: today"
        )
        parser.add_argument("--message", metavar="NAME", help="messages of this name alone")
        parser.add_argument(
            "--course", type=arguments.course_id, metavar="ID", default="", help="messages about this course alone"
        )
        parser.add_argument(
            "--compare", action="store_true", help="also compare scheduled and held-back learners, which may take long"
        )
        form = parser.add_mutually_exclusive_group()
        form.add_argument("--json", action="store_true", help="print JSON, for programs")
        form.add_argument("--csv", metavar="TABLE", choices=tables.TABLE_NAMES, help="print one table as CSV")

    @no_translations
    def handle(self, **options: Any) -> None:
        conf.validate()
        scope = scope_of(options)
        is_comparing = options["csv"] == "comparison" if options["csv"] else options["compare"]
        compared = comparison.compare(scope, timezone.now()) if is_comparing else None
        if options["csv"] and compared:
            self.stdout.write(tables.to_csv(tables.comparison_table(compared)), ending="")
            return
        report = count(scope)
        if options["csv"]:
            self.stdout.write(tables.to_csv(tables.tables(report)[options["csv"]]), ending="")
        elif options["json"]:
            also = {"comparison": tables.comparison_document(compared)} if compared else {}
            self.stdout.write(tables.to_json({**tables.document(report), **also}))
        else:
            self.stdout.write("\n".join(lines(report, compared)))


def scope_of(options: Mapping[str, Any]) -> ReportScope:
    """What the options ask for. Raises what a command refuses."""
    site = api.find_site(options["site_domain"])
    last = arguments.day(options["to"]) if options["to"] else day_of(timezone.now(), conf.time_zone)
    first = arguments.day(options["from"]) if options["from"] else usual_first_day(last)
    if first > last:
        raise CommandError(f"--from is {first}, which is later than the last day, {last}; give a day that is not.")
    if (last - first).days >= MAX_DAYS:
        raise CommandError(f"{first} to {last} are more than {MAX_DAYS} days; give fewer.")
    if options["message"] not in (None, *known_messages()):
        known = ", ".join(sorted(known_messages()))
        raise CommandError(f"There is no message {options['message']!r}. Messages: {known}.")
    return ReportScope(
        site=site,
        first_day=first,
        last_day=last,
        message_name=options["message"] or "",
        course_id=options["course"],
    )


def lines(report: MessageReport, compared: Comparison | None) -> list[str]:
    """The report as text. Days without messages are left out."""
    scope = report.scope
    about = ", ".join(filter(None, [scope.message_name, scope.course_id and f"about {scope.course_id}"]))
    days = [(str(row.day), row.counts) for row in report.days if row.counts.messages]
    return [
        f"{scope.site.domain}, {scope.first_day} to {scope.last_day}{', ' if about else ''}{about}",
        f"Learners reached: {report.learners_reached}",
        *_shares(report.total),
        "",
        *_table("message", [(row.message, row.counts) for row in report.messages], report.total),
        "",
        *_table("day", days, report.total),
        "",
        *in_columns(
            [("not sent", "reason", "messages"), *((row.outcome, row.reason, str(row.count)) for row in report.reasons)]
        ),
        *([] if compared is None else ["", *_compared(compared)]),
    ]


def _shares(total: Totals) -> Iterable[str]:
    for name in ("opened", "clicked", "opted_out"):
        if text := of_sent(total, name):
            yield f"{LABELS[name]}: {text}"


def _table(first_column: str, rows: Iterable[tuple[str, Totals]], total: Totals) -> list[str]:
    """The counts in columns, their sum below."""

    def row(name: str, counts: Totals) -> Sequence[str]:
        return (name, *(str(counts.number(column)) for column in COUNT_NAMES))

    heading = (first_column, *(str(LABELS[name]).lower() for name in COUNT_NAMES))
    return in_columns([heading, *(row(*counts) for counts in rows), row("in all", total)])


def _compared(compared: Comparison) -> list[str]:
    heading = ("what learners did", "scheduled", "held back", "difference (percentage points)", interval_heading())
    rows = [(str(effect.label), *effect.in_words().values()) for effect in compared.effects]
    return [
        f"Learners with a schedule: {compared.scheduled_count}. Held back at random: {compared.held_back_count}.",
        *(in_columns([heading, *rows]) if rows else []),
        *(f"{effect.label}: {effect.interpretation}" for effect in compared.effects),
        *map(str, compared.notes),
    ]
