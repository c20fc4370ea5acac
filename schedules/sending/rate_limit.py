"""Messages per second of a channel, counted together by all workers on all hosts: the database has the clock.

A channel's `ChannelRate.free_at` is the next free slot. Who takes it moves it on in one `UPDATE`, whose lock
makes the others stand in line.
"""

from __future__ import annotations

import time
from datetime import datetime, timedelta

from django.db import Error, router, transaction
from django.db.models import DateTimeField, F, Value
from django.db.models.functions import Greatest

from schedules.conf import conf
from schedules.database.clock import Instant
from schedules.database.transient import is_transient
from schedules.exceptions import RateLimited
from schedules.models import ChannelRate
from schedules.values.outcomes import FailReason

#: A worker waits for less than this itself; longer waits are the queue's.
MAX_WAITING = timedelta(seconds=5)


def wait(channel: str, now: Instant) -> None:
    """Returns when it is this message's turn, at once where `MESSAGES_PER_SECOND` says nothing of the channel.

    Raises `RateLimited`, a `DeliveryError`, if that is not soon. The slot is not kept then (nobody could tell, when
    the message comes back, that it is its own); `retry_at` is behind all who were sent away before, so
    that they do not come back together. Side effect: sleeps.
    """
    rate = conf.messages_per_second.get(channel)
    if rate is None:
        return
    gap = timedelta(seconds=1 / rate)
    try:
        slot, asked_at = _take(channel, "free_at", gap, now, most_waiting=MAX_WAITING)
        if slot >= asked_at + MAX_WAITING:
            retry_at, _ = _take(channel, "return_at", gap, slot)
            raise RateLimited(
                FailReason.CHANNEL_REFUSED, "the rate limit is used up", is_temporary=True, retry_at=retry_at
            )
    except Error as error:
        if not is_transient(error):
            raise
        raise RateLimited(FailReason.INTERNAL_ERROR, type(error).__name__, is_temporary=True) from error
    time.sleep(max(0.0, (slot - asked_at).total_seconds()))


def _take(
    channel: str, line: str, gap: timedelta, now: Instant, most_waiting: timedelta | None = None
) -> tuple[datetime, datetime]:
    """The next slot of a line, not before `now`, and when that was. It is taken, unless it is too far for waiting.

    The `UPDATE` comes first: it takes the row's lock (SQLite: the database's), where reading first would invite
    two to the same slot, or to a deadlock.
    """
    database = router.db_for_write(ChannelRate)
    rows = ChannelRate.objects.using(database).filter(channel=channel)
    clock = [] if isinstance(now, datetime) else [now]  # to be read where it counts
    step = Greatest(F(line), Value(now, DateTimeField()) if isinstance(now, datetime) else now) + Value(gap)
    while True:
        with transaction.atomic(using=database):
            if rows.update(**{line: step}):
                end, asked_at = (*rows.values_list(line, *clock).get(), now)[:2]
                slot: datetime = end - gap
                if most_waiting is not None and slot >= asked_at + most_waiting:
                    rows.update(**{line: slot})
                return slot, asked_at
        # Outside of the transaction: on MariaDB an UPDATE that found nothing would be in the way of others' INSERT.
        new = ChannelRate(channel=channel, free_at=now - gap, return_at=now - gap)
        ChannelRate.objects.using(database).bulk_create([new], ignore_conflicts=True)
