"""How long the ledger is kept. The one place, but for erasing a learner, where its rows are deleted."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.db import models, router

from schedules.models import ScheduledMessage, SendRun

#: A row is the proof that a message was sent: a day that is run again without it sends twice. Neither
#: catch-up nor `--since` reaches back further.
MIN_DAYS = 30

_BATCH = 1000

_FINALIZED = (ScheduledMessage.Status.SENT, ScheduledMessage.Status.SKIPPED, ScheduledMessage.Status.FAILED)


def prune_messages(before: datetime) -> Iterator[int]:
    """Delete finalized messages claimed before that instant; yields how many, batch by batch."""
    return _prune(ScheduledMessage.objects.filter(status__in=_FINALIZED, created__lt=before).order_by("created"))


def prune_runs(before: datetime) -> Iterator[int]:
    """Delete runs that began before that instant and have no messages; yields how many, batch by batch."""
    is_empty = ~models.Exists(ScheduledMessage.objects.filter(run=models.OuterRef("pk")))
    return _prune(SendRun.objects.filter(is_empty, started_at__lt=before).order_by("started_at"))


def _prune(rows: models.QuerySet[Any]) -> Iterator[int]:
    """Short transactions, so that a run at the same time waits for none of them for long.

    The rows' conditions are asked again while deleting: one that a run took up meanwhile stays.
    """
    rows = rows.using(router.db_for_write(rows.model))  # a replica that lags would name the same rows again
    while keys := list(rows.values_list("pk", flat=True)[:_BATCH]):
        _, deleted = rows.order_by().filter(pk__in=keys).delete()
        yield deleted.get(rows.model._meta.label, 0)
