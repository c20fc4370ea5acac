"""A run's counts, made readable."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext_lazy as _


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """One line of the table. `query` picks its messages from the run's; `None` where they are not the run's own."""

    label: Any
    count: int
    query: Mapping[str, str] | None = None


class Counts:
    """`SendRun.counts`, whatever is missing from it or not a number. A total not known yet is `None`."""

    def __init__(self, counts: Any) -> None:
        self._counts: Mapping[str, Any] = counts if isinstance(counts, Mapping) else {}

    @property
    def stopped(self) -> str:
        """Why nothing was queued; empty when the run went ahead."""
        return str(self._counts.get("stopped") or "")

    @property
    def bins(self) -> list[Any]:
        """How many messages each bin has found, of those that have reported."""
        bins = self._counts.get("bins")
        return list(bins.values()) if isinstance(bins, Mapping) else []

    @property
    def found(self) -> int | None:
        return self._number("found") if "found" in self._counts else self._over_bins()

    @property
    def already(self) -> int | None:
        return self._number("already")

    @property
    def sent(self) -> int | None:
        return self._number("sent")

    @property
    def pending(self) -> int | None:
        return self._number("pending")

    def by_reason(self, outcome: str) -> dict[str, int]:
        """Reason -> how many, for the outcome `skipped` or `failed`; empty also while not known."""
        reasons = self._counts.get(outcome)
        return {str(word): _number(n) or 0 for word, n in reasons.items()} if isinstance(reasons, Mapping) else {}

    def total(self, outcome: str) -> int | None:
        return sum(self.by_reason(outcome).values()) if isinstance(self._counts.get(outcome), Mapping) else None

    def lines(self) -> Iterator[Line]:
        """The table, top to bottom; what is not known has no line."""
        if self.bins:
            yield Line(label=_("Bins that have reported"), count=len(self.bins))
        for label, count, query in [
            (_("Learners found"), self.found, None),
            (_("Settled by an earlier run"), self.already, None),
            (_("Sent"), self.sent, {"status__exact": "sent"}),
            (_("Still to be settled"), self.pending, None),
        ]:
            if count is not None:
                yield Line(label=label, count=count, query=query)
        for outcome, label in [("skipped", _("Skipped: %(reason)s")), ("failed", _("Failed: %(reason)s"))]:
            for reason, count in sorted(self.by_reason(outcome).items()):
                query = {"status__exact": outcome, "reason": reason}
                yield Line(label=label % {"reason": reason}, count=count, query=query)

    def _number(self, key: str) -> int | None:
        return _number(self._counts.get(key))

    def _over_bins(self) -> int | None:
        numbers = [number for found in self.bins if (number := _number(found)) is not None]
        return sum(numbers) if numbers else None


def _number(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
