"""What became of the messages of a scope, counted by the database from the ledger itself.

There is no table of daily totals to keep in step: a message that is opened weeks later counts at once
(decision record 0019).
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta

from django.db import connections, models
from django.db.models import Count, Value
from django.db.models.functions import Cast, StrIndex

from schedules.ledger import totals_by
from schedules.models import ScheduledMessage
from schedules.reporting import ReportScope
from schedules.values.outcomes import Totals

Status = ScheduledMessage.Status
Messages = models.QuerySet[ScheduledMessage]

#: Longer periods are refused: each day has a line, and two years of them are as many as anybody reads.
MAX_DAYS = 731


#: The counts that a report shows, in this order.
COUNT_NAMES = ("sent", "opened", "clicked", "opted_out", "skipped", "failed", "pending")


@dataclass(frozen=True, kw_only=True, slots=True)
class MessageCounts:
    """The counts of one message name."""

    message: str
    counts: Totals


@dataclass(frozen=True, kw_only=True, slots=True)
class DayCounts:
    """The counts of one day, or of the days from this one on that are shown together."""

    day: date
    counts: Totals


@dataclass(frozen=True, kw_only=True, slots=True)
class ReasonCount:
    """How many messages were `skipped` or `failed` (`outcome`) for a reason; an empty one: none was kept."""

    outcome: str
    reason: str
    count: int


@dataclass(frozen=True, kw_only=True, slots=True)
class MessageReport:
    """What became of a scope's messages.

    `learners_reached`: different learners among those whom a message was sent. `messages`: by name, those with any
    message in the scope. `days`: every day of the scope, in order, also those without messages.
    """

    scope: ReportScope
    total: Totals
    learners_reached: int
    messages: tuple[MessageCounts, ...]
    days: tuple[DayCounts, ...]

    @property
    def reasons(self) -> tuple[ReasonCount, ...]:
        """Skipped ones before failed ones, the most frequent first."""
        return (*self.reasons_for("skipped"), *self.reasons_for("failed"))

    def reasons_for(self, outcome: str) -> tuple[ReasonCount, ...]:
        reasons = sorted(getattr(self.total, outcome).items(), key=lambda item: (-item[1], item[0]))
        return tuple(ReasonCount(outcome=outcome, reason=reason, count=number) for reason, number in reasons)


def count(scope: ReportScope) -> MessageReport:
    """Count the messages of a scope, in two queries however many messages, days and names there are."""
    rows = messages_in(scope)
    by_day: defaultdict[date, Totals] = defaultdict(Totals)
    by_name: defaultdict[str, Totals] = defaultdict(Totals)
    for (day, name), counts in totals_by(rows, "run__date", "name").items():
        by_day[day] += counts
        by_name[name] += counts
    every_day = (
        scope.first_day + timedelta(days=number) for number in range((scope.last_day - scope.first_day).days + 1)
    )
    reached = rows.filter(status=Status.SENT).aggregate(learners=Count("user", distinct=True))
    return MessageReport(
        scope=scope,
        total=sum(by_name.values(), Totals()),
        learners_reached=reached["learners"],
        messages=tuple(MessageCounts(message=name, counts=by_name[name]) for name in sorted(by_name)),
        days=tuple(DayCounts(day=day, counts=by_day[day]) for day in every_day),
    )


def in_weeks(days: Iterable[DayCounts]) -> tuple[DayCounts, ...]:
    """The counts of seven days each, from the first day on; the last ones may be fewer."""
    days = tuple(days)
    return tuple(
        DayCounts(day=days[first].day, counts=sum((day.counts for day in days[first : first + 7]), Totals()))
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
