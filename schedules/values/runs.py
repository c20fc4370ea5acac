"""A run: one message type for one site, day and day offset; and the bins that it is searched in."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from uuid import UUID

#: A day's learners are searched in this many parts, learner's id modulo 24: one Celery task each.
BINS = 24


class RunOrigin(StrEnum):
    """What a run's day comes from; these words are stored."""

    DAILY = "daily"
    DATE = "date"
    SINCE = "since"


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """One message type for one site, day and day offset.

    `today` is the day for which everything is decided; `uuid` the `SendRun`'s. `origin`: whether that day is today's
    or a missed one, or was asked for by `--date` or `--since`.
    """

    message_type: str
    site_id: int
    today: date
    day_offset: int
    uuid: UUID
    origin: RunOrigin = RunOrigin.DAILY

    @property
    def target_date(self) -> date:
        return self.today + timedelta(days=self.day_offset)
