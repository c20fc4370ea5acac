"""The messages: claimed, leased, confirmed, recorded. The only writer of `ScheduledMessage`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID, uuid4, uuid5

from django.db import connections, transaction
from django.db.models import F, Max, Q, QuerySet

from schedules.conf import conf
from schedules.database.clock import SHARED_CLOCK, Instant
from schedules.database.transient import outlasting
from schedules.ledger.rows import expires_at, lease_end, message_rows, run_rows, write_database
from schedules.models import ScheduledMessage
from schedules.values.data import Engagement
from schedules.values.outcomes import FailReason, Outcome, OutcomeStatus, SkipReason
from schedules.values.runs import Run, RunOrigin

Status = ScheduledMessage.Status

#: The uuid5 namespace of our messages; changing it would make yesterday's messages new ones.
_NAMESPACE = UUID("5f0d7a0c-9c41-4a8e-9d6a-6d1f2c1e7b55")

#: Refusals that are read to be compared.
MAX_REFUSED = 100

_REASON_LENGTH = ScheduledMessage._meta.get_field("reason").max_length or 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """A message to be claimed. `schedule_id` is set where the message is about one course alone."""

    uuid: UUID
    user_id: int
    schedule_id: int | None
    name: str
    course_ids: tuple[str, ...]


def message_uuid(run: Run, key: str, user_id: int, schedule_id: int | None) -> UUID:
    """The same message has the same uuid, whichever run, worker or retry asks (decision record 0003).

    `key`: the message's name, and what else tells it from others for the same target day.
    """
    parts = (run.site_id, key, run.target_date.isoformat(), user_id, "" if schedule_id is None else schedule_id)
    return uuid5(_NAMESPACE, ":".join(str(part) for part in parts))


@outlasting
def claim(run: Run, entries: Collection[Entry], now: Instant) -> set[UUID]:
    """Take the messages that nobody has sent or is sending; returns the uuids to deliver, perhaps none.

    Two runs may both be given a message that is `claimed`: `lease` decides between them. A message that is taken up
    again keeps the life that it has left, however often its day is repeated. It lives anew if `--since` asks for it,
    and if it was staff's switch that held it back.
    """
    message_rows().bulk_create(
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
                leased_until=lease_end(now),
            )
            for entry in entries
        ],
        ignore_conflicts=True,
    )
    rows = message_rows().filter(pk__in=[entry.uuid for entry in entries])
    unsent = Q(status__in=(Status.SKIPPED, Status.FAILED)) | Q(status=Status.DELIVERING, leased_until__lt=now)
    if run.origin == RunOrigin.SINCE:
        rows.filter(unsent | Q(status=Status.CLAIMED)).update(created=now, run_id=run.uuid)
    else:
        rows.filter(unsent, reason=SkipReason.DELIVERY_DISABLED).update(created=now)
    rows.filter(unsent).update(
        status=Status.CLAIMED,
        run_id=run.uuid,
        reason="",
        detail={},
        attempts=0,
        unknown_faults=0,
        due_at=None,
        lease=None,
        leased_until=lease_end(now),
    )
    return set(rows.filter(_is_ready(now)).values_list("pk", flat=True))


@outlasting
def lease(ids: Collection[UUID], now: Instant) -> list[ScheduledMessage]:
    """Take those of `ids` that are ready for delivery, with their runs; until the lease ends nobody else gets them.

    The rows' `lease` is the holder's alone, and tells this lease from any other of the same message.
    """
    database, token = write_database(), uuid4()
    with transaction.atomic(using=database):
        rows = list(_locked(database).filter(_is_ready(now), pk__in=ids).order_by("pk"))
        message_rows().filter(pk__in=[row.pk for row in rows]).update(
            status=Status.DELIVERING, lease=token, leased_until=lease_end(now), attempts=F("attempts") + 1
        )
    for row in rows:
        row.lease = token
    return rows


@outlasting
def confirm(row: ScheduledMessage, now: Instant) -> bool:
    """Whether we still hold the message, right before it is handed over; the lease begins anew with that.

    One statement: it fails where the answer of the channel could not be recorded, and whoever was overtaken, for their
    machine was suspended, say, hears of it here.
    """
    return _held([row]).update(leased_until=lease_end(now)) == 1


@outlasting
def record(uuids: Collection[UUID], outcome: Outcome, now: datetime, lease: UUID | None = None) -> None:
    """Finalize messages, each with the same outcome; or give them back, to be tried again.

    `lease`: ours; `None` if we only claimed them. What others have leased or finalized meanwhile is left to them. But
    `sent` holds, whoever says it, and however late: what was sent must never look as if it was not.
    """
    is_retry, is_sent = outcome.status == OutcomeStatus.RETRY, outcome.status == OutcomeStatus.SENT
    if is_sent:
        is_open = ~Q(status=Status.SENT)
    elif lease is None:
        is_open = Q(status=Status.CLAIMED)
    else:
        is_open = Q(status=Status.DELIVERING, lease=lease)
    message_rows().filter(is_open, pk__in=uuids).update(
        status=Status.CLAIMED if is_retry else outcome.status.value,
        reason=outcome.reason[:_REASON_LENGTH],
        **({} if outcome.detail is None else {"detail": dict(outcome.detail)}),
        channel=outcome.channel,
        language=outcome.language,
        sent_at=now if is_sent else None,
        segment_due_at=SHARED_CLOCK if is_sent and conf.segment_key else None,
        due_at=outcome.retry_at if is_retry else None,
        lease=None,
        leased_until=outcome.retry_at if is_retry else None,
        attempts=F("attempts") if outcome.was_tried else F("attempts") - 1,
        unknown_faults=F("unknown_faults") if outcome.is_known else F("unknown_faults") + 1,
    )


def refused_since_last_sent(site_id: int, since: datetime) -> list[tuple[UUID, int, str]]:
    """What channels refused of a site's messages that were claimed later than any that was sent, and than `since`.

    Their uuids, learners and answers, of so many as are enough to compare.
    """
    rows = message_rows().filter(site_id=site_id, created__gt=since)
    last_sent = rows.filter(status=Status.SENT).aggregate(at=Max("sent_at"))["at"]
    refused = rows.filter(status=Status.FAILED, reason=FailReason.CHANNEL_REFUSED, created__gt=last_sent or since)
    found = refused.order_by("-created").values_list("pk", "user_id", "detail")[:MAX_REFUSED]
    return [(uuid, user_id, str(detail.get("answer", ""))) for uuid, user_id, detail in found]


@outlasting
def reopen(uuids: Collection[UUID], retry_at: datetime, run_id: UUID) -> int:
    """Messages that failed wait after all, for it was not their fault; returns how many of them are the run's.

    Those that would expire until then stay as they are. The others' runs are not finished any more.
    """
    failed = message_rows().filter(pk__in=uuids, status=Status.FAILED)
    rows = [row for row in failed.select_related("run") if expires_at(row) > retry_at]
    failed.filter(pk__in=[row.pk for row in rows]).update(status=Status.CLAIMED, due_at=retry_at, leased_until=retry_at)
    finished = run_rows().filter(pk__in={row.run_id for row in rows}, finished_at__isnull=False)
    finished.update(finished_at=None, leased_until=retry_at)
    return sum(row.run_id == run_id for row in rows)


@outlasting
def record_all(outcomes: Mapping[UUID, Outcome], now: datetime) -> None:
    """`record()` for messages that we only claimed, each with its own outcome.

    A statement for all details, which differ most, and then one for each outcome.
    """
    rows = [ScheduledMessage(pk=uuid, detail=dict(outcome.detail or ())) for uuid, outcome in outcomes.items()]
    message_rows().filter(status=Status.CLAIMED).bulk_update(rows, ["detail"])
    groups: defaultdict[Outcome, list[UUID]] = defaultdict(list)
    for uuid, outcome in outcomes.items():
        groups[replace(outcome, detail=None)].append(uuid)
    for outcome, uuids in groups.items():
        record(uuids, outcome, now)


@outlasting
def set_courses(row: ScheduledMessage | None, course_ids: Collection[str]) -> None:
    """Keep what a message that is leased says now; there may be fewer courses than when it was claimed."""
    if row is not None and list(course_ids) != row.course_ids:
        _held([row]).update(course_ids=list(course_ids))


def message(uuid: UUID) -> ScheduledMessage | None:
    """A message with its site."""
    return message_rows().filter(pk=uuid).select_related("site").first()


def record_engagement(uuid: UUID, engagement: Engagement, now: datetime, *, is_for_google: bool = False) -> None:
    """Keep when it first happened, and whether Google is to hear of it. A message that is not there stays so."""
    column = f"{engagement}_at"
    outbox = {"google_due_at": SHARED_CLOCK} if is_for_google else {}
    message_rows().filter(pk=uuid, **{column: None}).update(**{column: now}, **outbox)


@outlasting
def release(leased: Collection[ScheduledMessage], now: Instant) -> None:
    """Return those of a lease that were not tried; they are reclaimed at once. What others hold by now is theirs."""
    _held(leased).update(status=Status.CLAIMED, lease=None, leased_until=now, attempts=F("attempts") - 1)


@outlasting
def reclaim(now: Instant, most: int) -> list[ScheduledMessage]:
    """Messages that nobody answers for any more, with their runs, `most` at a time.

    They are those whose retry is due, whose worker died, or that the broker lost. They are claimed anew, so
    that two who ask at once get different ones.
    """
    database = write_database()
    stranded = Q(status__in=(Status.CLAIMED, Status.DELIVERING), leased_until__lt=now)
    with transaction.atomic(using=database):
        rows = list(_locked(database).filter(stranded).order_by("leased_until")[:most])
        message_rows().filter(pk__in=[row.pk for row in rows]).update(
            status=Status.CLAIMED, lease=None, due_at=None, leased_until=lease_end(now)
        )
    return rows


def _held(leased: Collection[ScheduledMessage]) -> QuerySet[ScheduledMessage]:
    """Those that are still ours by the same lease."""
    leases = {row.lease for row in leased}
    return message_rows().filter(pk__in=[row.pk for row in leased], status=Status.DELIVERING, lease__in=leases)


def _locked(database: str) -> QuerySet[ScheduledMessage]:
    """Rows that others have locked are passed over, where the database can do that."""
    skip_locked = connections[database].features.has_select_for_update_skip_locked
    # Prefetched, for a join would lock the runs too.
    return message_rows().select_for_update(skip_locked=skip_locked).prefetch_related("run")


def _is_ready(now: Instant) -> Q:
    return Q(status=Status.CLAIMED) & (Q(due_at=None) | Q(due_at__lte=now))
