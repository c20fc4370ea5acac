"""What messages and runs have in common: their database, how long somebody answers for them, how they are counted."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime, timedelta
from typing import Any

from django.db import connections, router
from django.db.models import Count, QuerySet

from schedules.conf import conf
from schedules.database.clock import Instant
from schedules.database.transient import outlasting
from schedules.models import ScheduledMessage, SendRun
from schedules.values.outcomes import Totals

#: How long a message is worth sending, unless the settings say otherwise.
MESSAGE_TTL_DAYS = 3


def write_database() -> str:
    """Of messages and runs, also for what is read here: a replica may not know yet what was just written."""
    return router.db_for_write(ScheduledMessage)


@outlasting
def await_database() -> None:
    """Returns when the database of messages and runs lets us in; at once where there is a connection."""
    connections[write_database()].ensure_connection()


def message_rows() -> QuerySet[ScheduledMessage]:
    return ScheduledMessage.objects.using(write_database())


def run_rows() -> QuerySet[SendRun]:
    return SendRun.objects.using(write_database())


def expires_at(row: ScheduledMessage) -> datetime:
    """A message's time to live begins with the run that first claimed it, whatever day that was for.

    So it begins with its run, or before, where an earlier run had claimed it.
    """
    days = conf.message_ttl_days.get(row.run.message_type, MESSAGE_TTL_DAYS)
    return min(row.run.started_at, row.created) + timedelta(days=days)


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
