"""Work of ours that follows what somebody else does, and cannot harm it."""

from __future__ import annotations

import itertools
import logging
import random
import time
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from django.db import Error, connections, transaction

from schedules.exceptions import redacted_traceback

log = logging.getLogger(__name__)

T = TypeVar("T")

#: How often a transaction is tried, and for how long, for somebody waits; and the pause in between, which grows, so
#: that a crowd disperses. At most.
MAX_TRIES = 24
MAX_SECONDS = 5
FIRST_PAUSE_SECONDS = 0.02
MAX_PAUSE_SECONDS = 0.3


def after_commit(work: Callable[[], object], failure: str, *ids: object) -> None:
    """Do `work` once every transaction that the caller has open has committed; at once where there is none.

    Where one of them is rolled back, be it only to a savepoint, nothing is done. What `work` raises is logged as
    `failure`, a text with places for `ids`, and never raised: not even what else the caller does then suffers.
    """
    waiting = {connection.alias for connection in connections.all(initialized_only=True) if connection.in_atomic_block}

    def committed(alias: str | None = None) -> None:
        waiting.discard(alias or "")
        if waiting:
            return
        try:
            work()
        except Exception as error:  # noqa: BLE001 - a host may raise anything
            log.error(f"{failure}: %s", *ids, redacted_traceback(error))  # noqa: G004 - `failure` is a text of ours

    if not waiting:
        committed()
    for alias in sorted(waiting):
        transaction.on_commit(partial(committed, alias), using=alias)


def in_own_transaction(work: Callable[[], T], using: str) -> T:
    """Do `work` in a transaction on the database `using`, and anew where others came in its way.

    So a deadlock and a row that somebody else made first are no failures: the next try finds what there is by then.
    Raises what the last try raised.
    """
    until = time.monotonic() + MAX_SECONDS
    for number in itertools.count(1):
        try:
            with transaction.atomic(using=using):
                return work()
        except Error:
            if number == MAX_TRIES or time.monotonic() > until:
                raise
            connections[using].close_if_unusable_or_obsolete()
            pause = min(FIRST_PAUSE_SECONDS * 2 ** (number - 1), MAX_PAUSE_SECONDS)
            time.sleep(random.uniform(0, pause))  # noqa: S311 - jitter is no secret
    raise AssertionError  # for mypy: the count has no end
