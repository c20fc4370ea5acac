"""What others are yet to hear of a row: one column per hearer says since when, and is empty where they know.

The statement that records what happened sets it, so the table is the outbox: nothing waits in a process. Who tells of
a row moves its time on by a lease, so that nobody else tells of it meanwhile, and whoever was killed leaves it to the
next.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from django.db import connections, models, router, transaction

from schedules.database.clock import SHARED_CLOCK
from schedules.database.transient import outlasting
from schedules.ledger.rows import lease_end


@dataclass(frozen=True, slots=True)
class Outbox:
    """The rows of `model` whose `column` has come."""

    model: type[models.Model]
    column: str

    @outlasting
    def is_empty(self) -> bool:
        return not self._due().exists()

    @outlasting
    def take(self, count: int, among: Collection[Any] | None = None) -> list[Any]:
        """Up to `count` rows with their sites, the longest due first; nobody else gets them until a lease has ended.

        `among`: the primary keys of those that are asked about; `None`: all.
        """
        features = connections[self._database()].features
        with transaction.atomic(using=self._database()):
            due = self._due() if among is None else self._due().filter(pk__in=among)
            locked = due.select_for_update(skip_locked=features.has_select_for_update_skip_locked)
            pks = list(locked.order_by(self.column).values_list("pk", flat=True)[:count])
            self._rows(pks).update(**{self.column: lease_end(SHARED_CLOCK)})
        return list(self._rows(pks).select_related("site"))

    @outlasting
    def clear(self, pks: Collection[Any]) -> None:
        """They know, or are never to hear of it."""
        self._rows(pks).update(**{self.column: None})

    @outlasting
    def release(self, pks: Collection[Any]) -> None:
        """They could not be told; whoever comes next tries again."""
        self._rows(pks).update(**{self.column: SHARED_CLOCK})

    def _due(self) -> models.QuerySet[Any]:
        return self._all().filter(**{f"{self.column}__lte": SHARED_CLOCK})

    def _rows(self, pks: Collection[Any]) -> models.QuerySet[Any]:
        return self._all().filter(pk__in=pks)

    def _all(self) -> models.QuerySet[Any]:
        return self.model._default_manager.using(self._database())

    def _database(self) -> str:
        return router.db_for_write(self.model)
