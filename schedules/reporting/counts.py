"""What became of the messages of a scope, counted by the database from the ledger itself.

There is no table of daily totals to keep in step: a message that is opened weeks later counts at once
(decision record 0019).
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, fields
from datetime import date, timedelta
from typing import Any

from django.db import connections, models
from django.db.models import Count, Value
from django.db.models.functions import Cast, StrIndex

from schedules.models import ScheduledMessage
from schedules.reporting import ReportScope

Status = ScheduledMessage.Status
Messages = models.QuerySet[ScheduledMessage]

#: Longer periods are refused: each day has a line, and two years of them are as many as anybody reads.
MAX_DAYS = 731

_SETTLED_UNSENT = (Status.SKIPPED, Status.FAILED)


@dataclass(frozen=True, kw_only=True, slots=True)
class Counts:
    """Messages by what became of them; each stands in one of `sent`, `skipped`, `failed` and `pending`.

    `opened`, `clicked` and `opted_out` count messages among the sent ones, each once. Machines open and click as well,
    and a message can be clicked without ever being opened. `pending`: claimed, being delivered, or to be tried again.
    """

    sent: int = 0
    opened: int = 0
    clicked: int = 0
    opted_out: int = 0
    skipped: int = 0
    failed: int = 0
    pending: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(**{name: getattr(self, name) + getattr(other, name) for name in COUNT_NAMES})

    def share_of_sent(self, name: str) -> float | None:
        """The count of that name out of those sent, from 0 to 1; `None` where nothing was sent."""
        share: float | None = getattr(self, name) / self.sent if self.sent else None
        return share

    @property
    def found(self) -> int:
        """All messages, whatever became of them."""
        return self.sent + self.skipped + self.failed + self.pending


COUNT_NAMES = tuple(field.name for field in fields(Counts))


@dataclass(frozen=True, kw_only=True, slots=True)
class MessageCounts:
    """The counts of one message name."""

    message: str
    counts: Counts


@dataclass(frozen=True, kw_only=True, slots=True)
class DayCounts:
    """The counts of one day, or of the days from this one on that are shown together."""

    day: date
    counts: Counts


@dataclass(frozen=True, kw_only=True, slots=True)
class ReasonCount:
    """How many messages were `skipped` or `failed` (`outcome`) for a reason, a word of `data`; empty: none was kept."""

    outcome: str
    reason: str
    count: int


@dataclass(frozen=True, kw_only=True, slots=True)
class MessageReport:
    """What became of a scope's messages.

    `learners_reached`: different learners among those whom a message was sent. `messages`: by name, those with any
    message in the scope. `days`: every day of the scope, in order, also those without messages. `reasons`: skipped ones
    before failed ones, the most frequent first.
    """

    scope: ReportScope
    total: Counts
    learners_reached: int
    messages: tuple[MessageCounts, ...]
    days: tuple[DayCounts, ...]
    reasons: tuple[ReasonCount, ...]

    def reasons_for(self, outcome: str) -> tuple[ReasonCount, ...]:
        return tuple(one for one in self.reasons if one.outcome == outcome)


def count(scope: ReportScope) -> MessageReport:
    """Count the messages of a scope, in three queries however many messages, days and names there are."""
    rows = messages_in(scope)
    by_day: defaultdict[date, Counts] = defaultdict(Counts)
    by_name: defaultdict[str, Counts] = defaultdict(Counts)
    for day, name, counts in _grouped(rows):
        by_day[day] += counts
        by_name[name] += counts
    every_day = (
        scope.first_day + timedelta(days=number) for number in range((scope.last_day - scope.first_day).days + 1)
    )
    reached = rows.filter(status=Status.SENT).aggregate(learners=Count("user", distinct=True))
    return MessageReport(
        scope=scope,
        total=sum(by_name.values(), Counts()),
        learners_reached=reached["learners"],
        messages=tuple(MessageCounts(message=name, counts=by_name[name]) for name in sorted(by_name)),
        days=tuple(DayCounts(day=day, counts=by_day[day]) for day in every_day),
        reasons=_reasons(rows),
    )


def in_weeks(days: Iterable[DayCounts]) -> tuple[DayCounts, ...]:
    """The counts of seven days each, from the first day on; the last ones may be fewer."""
    days = tuple(days)
    return tuple(
        DayCounts(day=days[first].day, counts=sum((one.counts for one in days[first : first + 7]), Counts()))
        for first in range(0, len(days), 7)
    )


# The database -------------------------------------------------------------------------------------


def messages_in(scope: ReportScope) -> Messages:
    """The ledger's rows that a scope is about."""
    rows = ScheduledMessage.objects.filter(
        site=scope.site, run__date__gte=scope.first_day, run__date__lte=scope.last_day
    )
    if scope.message_name:
        rows = rows.filter(name=scope.message_name)
    return _about(rows, scope.course_id) if scope.course_id else rows


def _about(rows: Messages, course_id: str) -> Messages:
    """The messages that are about a course, be it with others."""
    if connections[rows.db].features.supports_json_field_contains:
        return rows.filter(course_ids__contains=[course_id])
    # SQLite keeps JSON as text, in which an id stands between quotes of its own.
    text = Cast("course_ids", models.TextField())
    return rows.alias(place=StrIndex(text, Value(json.dumps(course_id)))).filter(place__gt=0)


def _grouped(rows: Messages) -> Iterable[tuple[date, str, Counts]]:
    """(day, name, counts of one status)."""
    groups = rows.order_by().values_list("run__date", "name", "status")
    counted = groups.annotate(
        number=Count("*"), opened=Count("opened_at"), clicked=Count("clicked_at"), opted_out=Count("opted_out_at")
    )
    for day, name, status, *numbers in counted:
        yield day, name, _counts(status, *numbers)


def _reasons(rows: Messages) -> tuple[ReasonCount, ...]:
    unsent = rows.filter(status__in=_SETTLED_UNSENT).order_by().values_list("status", "reason")
    found = [
        ReasonCount(outcome=status, reason=reason, count=number)
        for status, reason, number in unsent.annotate(number=Count("*"))
    ]
    return tuple(sorted(found, key=lambda one: (one.outcome != Status.SKIPPED, -one.count, one.reason)))


def _counts(status: Any, number: int, opened: int, clicked: int, opted_out: int) -> Counts:
    match status:
        case Status.SENT:
            return Counts(sent=number, opened=opened, clicked=clicked, opted_out=opted_out)
        case Status.SKIPPED:
            return Counts(skipped=number)
        case Status.FAILED:
            return Counts(failed=number)
    return Counts(pending=number)
