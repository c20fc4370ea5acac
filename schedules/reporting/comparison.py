"""Scheduled learners beside those who were held back: is it the e-mails that did it?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True, slots=True)
class Share:
    """`count` learners out of `of`."""

    count: int
    of: int

    @property
    def rate(self) -> float | None:
        """From 0 to 1; null of nobody."""
        return self.count / self.of if self.of else None


@dataclass(frozen=True, kw_only=True, slots=True)
class Effect:
    """One thing that learners can do, in both groups.

    `key`: `came_back`, `upgraded` or `completed`; `label`: the same for people (lazily translated). `difference`: of
    the rates, scheduled less held back, from -1 to 1; `low` and `high`: its 95 % interval. The three are null where a
    group has nobody. `verdict`: one plain sentence on what the numbers say, or that they are too few.
    """

    key: str
    label: Any
    scheduled: Share
    held_back: Share
    difference: float | None
    low: float | None
    high: float | None
    verdict: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """Both groups, learner by learner.

    `effects` is empty where there is nothing to compare, and `notes` says why; it also says who was left out.
    """

    scheduled_count: int
    held_back_count: int
    effects: tuple[Effect, ...]
    notes: tuple[str, ...]
