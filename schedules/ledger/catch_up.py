"""Which days a daily run does: those that were missed, oldest first, then today.

`SendRun` knows them. Only runs for the day on which they began count (behavior 6.7): a run for another day, asked for
with `--date`, says nothing about whether the days between were run.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.db.models import QuerySet
from pytz.tzinfo import BaseTzInfo

from schedules.conf import conf
from schedules.database.transient import outlasting
from schedules.models import SendRun
from schedules.values.days import day_of


@dataclass(frozen=True, kw_only=True, slots=True)
class PastRun:
    """What is remembered of a run. A run that a switch stopped is finished: staff wanted it so."""

    date: date
    day_offset: int
    started_at: datetime
    is_finished: bool

    def is_for_its_day(self, zone: BaseTzInfo) -> bool:
        """Whether its “today” was the calendar day on which it began."""
        return day_of(self.started_at, zone) == self.date


@outlasting
def days_to_run(site_id: int, message_type: str, today: date) -> list[date]:
    """Today, and before it the days that were missed, at most `CATCH_UP_DAYS` back. Never empty; oldest first."""
    first = today - timedelta(days=conf.catch_up_days)
    runs = SendRun.objects.filter(site_id=site_id, message_type=message_type, date__lte=today).order_by("-date")
    recent = list(_past_runs(runs.filter(date__gte=first)))
    zone = conf.time_zone
    last_run_day = last_day(recent, zone)
    if last_run_day is None:
        # Rows are read one by one, and the first will do but for those that were asked for with --date.
        last_run_day = last_day(_past_runs(runs.filter(date__lt=first, finished_at__isnull=False)), zone)
    return [*missed_days(recent, last_run_day, first, today), today]


def last_day(runs: Iterable[PastRun], zone: BaseTzInfo) -> date | None:
    """The last day that was run on that day, or `None`. `runs` are the newest first."""
    return next((run.date for run in runs if run.is_finished and run.is_for_its_day(zone)), None)


def missed_days(runs: Iterable[PastRun], last_run_day: date | None, first: date, today: date) -> list[date]:
    """The days from `first` until before `today` that are to be done, oldest first.

    These are the days after `last_run_day`, and those with a day offset that was begun and never finished. Where that
    is `None`, nothing was missed: the first run ever floods nobody.
    """
    done = {(run.date, run.day_offset) for run in runs if run.is_finished}
    begun = {run.date for run in runs if (run.date, run.day_offset) not in done}
    span = [first + timedelta(days=number) for number in range((today - first).days)]
    return [day for day in span if day in begun or (last_run_day is not None and day > last_run_day)]


def _past_runs(runs: QuerySet[SendRun]) -> Iterator[PastRun]:
    rows = runs.values_list("date", "day_offset", "started_at", "finished_at").iterator()
    return (
        PastRun(date=day, day_offset=offset, started_at=started_at, is_finished=finished_at is not None)
        for day, offset, started_at, finished_at in rows
    )
