"""What messages and runs have in common: their database, how long somebody answers for them, how they are counted."""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Callable
from datetime import timedelta
from typing import Any, ParamSpec, TypeVar

from django.db import router
from django.db.models import Count, QuerySet

from schedules.conf import conf
from schedules.database.clock import Instant
from schedules.database.transient import outlast
from schedules.models import ScheduledMessage, SendRun
from schedules.values.outcomes import Totals

P = ParamSpec("P")

T = TypeVar("T")

#: The part of a lease for which a database that is away is waited for.
PATIENCE = 1 / 4


def outlasting(act: Callable[P, T]) -> Callable[P, T]:
    @functools.wraps(act)
    def patient(*args: P.args, **kwargs: P.kwargs) -> T:
        return outlast(lambda: act(*args, **kwargs), ScheduledMessage, conf.lease_seconds * PATIENCE)

    return patient


def write_database() -> str:
    """Of messages and runs, also for what is read here: a replica may not know yet what was just written."""
    return router.db_for_write(ScheduledMessage)


def message_rows() -> QuerySet[ScheduledMessage]:
    return ScheduledMessage.objects.using(write_database())


def run_rows() -> QuerySet[SendRun]:
    return SendRun.objects.using(write_database())


def lease_end(now: Instant) -> Instant:
    return now + timedelta(seconds=conf.lease_seconds)


def totals_by(rows: QuerySet[ScheduledMessage], *columns: str) -> defaultdict[tuple[Any, ...], Totals]:
    """The values of `columns` -> what became of the messages, counted by the database in one query."""
    found: defaultdict[tuple[Any, ...], Totals] = defaultdict(Totals)
    counted = (
        rows.order_by()
        .values_list(*columns, "status", "reason")
        .annotate(
            number=Count("pk"), opened=Count("opened_at"), clicked=Count("clicked_at"), opted_out=Count("opted_out_at")
        )
    )
    for *key, status, reason, number, opened, clicked, opted_out in counted:
        totals = found[tuple(key)]
        totals.count_rows(status, reason, number)
        if status == ScheduledMessage.Status.SENT:
            totals.opened += opened
            totals.clicked += clicked
            totals.opted_out += opted_out
    return found
