"""What messages and runs have in common: which database they are in, and how long somebody answers for them."""

from __future__ import annotations

import functools
from collections.abc import Callable
from datetime import timedelta
from typing import ParamSpec, TypeVar

from django.db import router
from django.db.models import QuerySet

from schedules.conf import conf
from schedules.database.clock import Instant
from schedules.database.transient import outlast
from schedules.models import ScheduledMessage, SendRun

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
