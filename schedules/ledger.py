"""The ledger: which message is whose to send, and what became of it. The only writer of `ScheduledMessage`.

`claimed -> delivering -> sent | skipped | failed`. `sent` is final. A later run for the same day takes up
again what was skipped or failed, and a lease that ran out; nothing else moves a message backwards.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID, uuid5

from django.db import connections, router, transaction
from django.db.models import Count, F, Q

from schedules.data import BINS, Outcome, OutcomeStatus, Run, Totals
from schedules.models import ScheduledMessage, SendRun

Status = ScheduledMessage.Status

#: The uuid5 namespace of our messages; changing it would make yesterday's messages new ones.
_NAMESPACE = UUID("5f0d7a0c-9c41-4a8e-9d6a-6d1f2c1e7b55")

_REASON_LENGTH = ScheduledMessage._meta.get_field("reason").max_length or 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """A message to be claimed. `schedule_id` is set where the message is about one course alone."""

    uuid: UUID
    user_id: int
    schedule_id: int | None
    name: str
    course_ids: tuple[str, ...]


def message_uuid(run: Run, name: str, user_id: int, schedule_id: int | None) -> UUID:
    """The same message has the same uuid, whichever run, worker or retry asks (DESIGN, "The way of a message")."""
    parts = (run.site_id, name, run.target_date.isoformat(), user_id, "" if schedule_id is None else schedule_id)
    return uuid5(_NAMESPACE, ":".join(str(part) for part in parts))


def open_run(run: Run, now: datetime, stopped: str = "") -> None:
    """Note that a run begins, or that it was `stopped` before it could."""
    SendRun.objects.create(
        uuid=run.uuid,
        site_id=run.site_id,
        message_type=run.message_type,
        date=run.today,
        day_offset=run.day_offset,
        started_at=now,
        finished_at=now if stopped else None,
        counts={"stopped": stopped} if stopped else {"bins": {}},
    )


def claim(run: Run, entries: Collection[Entry], now: datetime) -> set[UUID]:
    """Take the messages that nobody has sent or is sending; returns the uuids to deliver, perhaps none.

    Two runs may both be given a message that is `claimed`: `lease` decides between them.
    """
    ScheduledMessage.objects.bulk_create(
        [
            ScheduledMessage(
                uuid=entry.uuid,
                run_id=run.uuid,
                site_id=run.site_id,
                user_id=entry.user_id,
                schedule_id=entry.schedule_id,
                name=entry.name,
                target_date=run.target_date,
                day_offset=run.day_offset,
                course_ids=list(entry.course_ids),
                created=now,
            )
            for entry in entries
        ],
        ignore_conflicts=True,
    )
    rows = ScheduledMessage.objects.filter(pk__in=[entry.uuid for entry in entries])
    unsent = Q(status__in=(Status.SKIPPED, Status.FAILED)) | Q(status=Status.DELIVERING, leased_until__lt=now)
    rows.filter(unsent).update(status=Status.CLAIMED, run_id=run.uuid, reason="", due_at=None, leased_until=None)
    return set(rows.filter(_is_ready(now)).values_list("pk", flat=True))


def lease(ids: Collection[UUID], now: datetime, seconds: int) -> list[ScheduledMessage]:
    """Take those of `ids` that are ready for delivery; for `seconds` nobody else gets them."""
    database = router.db_for_write(ScheduledMessage)
    skip_locked = connections[database].features.has_select_for_update_skip_locked
    with transaction.atomic(using=database):
        rows = list(
            ScheduledMessage.objects.using(database)
            .select_for_update(skip_locked=skip_locked)
            .filter(_is_ready(now), pk__in=ids)
            .order_by("pk")
        )
        ScheduledMessage.objects.using(database).filter(pk__in=[row.pk for row in rows]).update(
            status=Status.DELIVERING, leased_until=now + timedelta(seconds=seconds), attempts=F("attempts") + 1
        )
    return rows


def record(uuids: Iterable[UUID], outcome: Outcome, now: datetime) -> None:
    """Settle messages that we hold, each with the same outcome."""
    ScheduledMessage.objects.filter(pk__in=list(uuids), status__in=(Status.CLAIMED, Status.DELIVERING)).update(
        status=outcome.status.value,
        reason=outcome.full_reason[:_REASON_LENGTH],
        channel=outcome.channel,
        language=outcome.language,
        sent_at=now if outcome.status == OutcomeStatus.SENT else None,
        leased_until=None,
    )


def record_bin(run: Run, bin_number: int, found: int) -> None:
    """Note how many messages a bin found; saying it twice changes nothing."""
    with transaction.atomic():
        row = SendRun.objects.select_for_update().get(pk=run.uuid)
        row.counts.setdefault("bins", {})[str(bin_number)] = found
        row.save(update_fields=["counts"])


def settle(run: Run, now: datetime) -> None:
    """If all bins have been searched and nothing is pending, the run is finished: keep its totals."""
    if ScheduledMessage.objects.filter(run_id=run.uuid, status__in=(Status.CLAIMED, Status.DELIVERING)).exists():
        return
    with transaction.atomic():
        row = SendRun.objects.select_for_update().get(pk=run.uuid)
        totals = totals_of(row)
        if row.finished_at is None and len(row.counts.get("bins", {})) == BINS and not totals.pending:
            row.counts = {**row.counts, **totals.as_dict()}
            row.finished_at = now
            row.save(update_fields=["counts", "finished_at"])


def totals_of(run: SendRun) -> Totals:
    """What became of a run's messages, as of now. What it found and another run holds counts as `already`."""
    totals = Totals(found=sum(run.counts.get("bins", {}).values()))
    rows = ScheduledMessage.objects.filter(run=run).order_by()
    for status, reason, count in rows.values_list("status", "reason").annotate(Count("pk")):
        word = reason.partition(":")[0]
        match status:
            case Status.SENT:
                totals.sent += count
            case Status.SKIPPED:
                totals.skipped[word] += count
            case Status.FAILED:
                totals.failed[word] += count
            case _:
                totals.pending += count
    own = totals.sent + totals.pending + totals.skipped.total() + totals.failed.total()
    totals.already = max(0, totals.found - own)
    return totals


def _is_ready(now: datetime) -> Q:
    return Q(status=Status.CLAIMED) & (Q(due_at=None) | Q(due_at__lte=now))
