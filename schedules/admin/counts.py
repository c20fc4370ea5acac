"""A run's counts, made readable."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from django.utils.translation import gettext_lazy as _

from schedules import ledger
from schedules.models import SendRun
from schedules.values.outcomes import Totals, whole_number


class Line(NamedTuple):
    """One line of the table. `query` picks its messages from the run's; `None` where they are not the run's own."""

    label: Any
    number: int
    query: Mapping[str, str] | None = None


def totals(run: SendRun) -> Totals | None:
    """What became of the messages; `None` while that is not known, and where nothing was queued."""
    return ledger.kept_totals(run) if run.finished_at and not ledger.why_stopped(run) else None


def found(run: SendRun) -> int | None:
    """How many messages were found, or have been so far."""
    kept, bins = totals(run), ledger.bins_of(run)
    return kept.found if kept else sum(map(whole_number, bins.values())) if bins else None


def lines(run: SendRun) -> Iterator[Line]:
    """The table, top to bottom; what is not known has no line."""
    kept, learners = totals(run), found(run)
    if bins := ledger.bins_of(run):
        yield Line(_("Bins that have reported"), len(bins))
    if learners is not None:
        yield Line(_("Learners found"), learners)
    if kept is None:
        return
    yield Line(_("Already handled by an earlier run"), kept.already)
    yield Line(_("Sent"), kept.sent, {"status__exact": "sent"})
    yield Line(_("Still pending"), kept.pending)
    for outcome, label, reasons in [
        ("skipped", _("Skipped: %(reason)s"), kept.skipped),
        ("failed", _("Failed: %(reason)s"), kept.failed),
    ]:
        for reason, count in sorted(reasons.items()):
            yield Line(label % {"reason": reason}, count, {"status__exact": outcome, "reason": reason})
