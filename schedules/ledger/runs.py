"""The runs: opened, their bins reported, finalized with their totals. The only writer of `SendRun`."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from django.db import transaction

from schedules.database.clock import SHARED_CLOCK, Instant
from schedules.database.transient import outlasting
from schedules.ledger.rows import lease_end, message_rows, run_rows, totals_by, write_database
from schedules.models import ScheduledMessage, SendRun
from schedules.values.outcomes import Totals, whole_number
from schedules.values.runs import BINS, Run

Status = ScheduledMessage.Status


@outlasting
def open_runs(runs: Collection[Run], now: datetime, stopped: str = "") -> None:
    """All before the first is queued: should this process die in between, the ones not begun are seen as unfinished."""
    with transaction.atomic(using=write_database()):
        for run in runs:
            open_run(run, now, stopped)


def open_run(run: Run, now: datetime, stopped: str = "") -> None:
    """Note that a run begins, or that it was `stopped` before it could."""
    run_rows().create(
        uuid=run.uuid,
        site_id=run.site_id,
        message_type=run.message_type,
        date=run.today,
        day_offset=run.day_offset,
        origin=run.origin.value,
        started_at=now,
        finished_at=now if stopped else None,
        leased_until=None if stopped else lease_end(SHARED_CLOCK),
        counts={"stopped": stopped} if stopped else {"bins": {}},
    )


@outlasting
def reclaim_bins(now: Instant, oldest: datetime) -> list[tuple[SendRun, list[int]]]:
    """Runs begun since `oldest`, with the bins that have not reported though their time is over."""
    with transaction.atomic(using=write_database()):
        stranded = run_rows().select_for_update().filter(finished_at=None, leased_until__lt=now, started_at__gte=oldest)
        runs = [(run, sorted(set(range(BINS)) - set(map(int, bins_of(run))))) for run in stranded]
        run_rows().filter(pk__in=[run.pk for run, _ in runs]).update(leased_until=lease_end(now))
    return runs


@outlasting
def record_bin(run: Run, bin_number: int, found: int) -> bool:
    """Note how many messages a bin found; saying it twice changes nothing. Returns whether all bins have reported."""
    with transaction.atomic(using=write_database()):
        row = run_rows().select_for_update().get(pk=run.uuid)
        row.counts.setdefault("bins", {})[str(bin_number)] = found
        row.save(update_fields=["counts"])
    return bins_reported(row) == BINS


@outlasting
def finalize(run: Run, now: datetime) -> None:
    """If all bins have been searched and nothing is pending, the run is finished: keep its totals.

    What is heard later, for a lease ran out before its holder could say that the message was sent, corrects them.
    Everything is counted at the end alone: the bins are looked at first, for each of them asks.
    """
    if not any(bins_reported(row) == BINS for row in run_rows().filter(pk=run.uuid)):
        return
    if message_rows().filter(run_id=run.uuid, status__in=(Status.CLAIMED, Status.DELIVERING)).exists():
        return
    with transaction.atomic(using=write_database()):
        row = run_rows().select_for_update().get(pk=run.uuid)
        totals = totals_of(row)
        if not totals.pending:
            row.counts = {**row.counts, **totals.as_dict()}
            row.finished_at = row.finished_at or now
            row.save(update_fields=["counts", "finished_at"])


def bins_of(run: SendRun) -> Mapping[str, int]:
    """Bin -> how many messages it found, of those that have reported, as of when the run was read."""
    bins = _counts(run).get("bins")
    return bins if isinstance(bins, Mapping) else {}


def bins_reported(run: SendRun) -> int:
    return len(bins_of(run))


def totals_of(run: SendRun) -> Totals:
    """What became of a run's messages, as of now. What it found and another run holds counts as `already`."""
    totals = totals_by(message_rows().filter(run=run))[()]
    totals.found = sum(map(whole_number, bins_of(run).values()))
    totals.already = max(0, totals.found - totals.messages)
    return totals


def kept_totals(run: SendRun) -> Totals:
    """A finished run's totals, as they were kept; `totals_of` would count its messages again."""
    totals = Totals()
    totals.add(run.counts)
    return totals


def why_stopped(run: SendRun) -> str:
    """Why nothing was queued; empty when the run went ahead."""
    return str(_counts(run).get("stopped") or "")


def _counts(run: SendRun) -> Mapping[str, Any]:
    """What is kept of a run, whatever somebody may have written there."""
    return run.counts if isinstance(run.counts, Mapping) else {}
