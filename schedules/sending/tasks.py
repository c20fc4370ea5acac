"""Celery: a day fans out to 24 bins, a bin to delivery batches. Arguments are JSON primitives, ids at most.

A task is acknowledged when it is done, and goes back to the queue if its worker dies: the ledger decides whether
there is anything left to do.

A task's arguments are those of its `Run`, written by `_arguments` and read by `_run`.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from celery import current_app, shared_task
from celery.result import EagerResult
from django.utils import timezone

from schedules import ledger
from schedules.conf import conf
from schedules.database.clock import SHARED_CLOCK
from schedules.database.transient import reconnect
from schedules.enrolling import course_changes
from schedules.exceptions import HostError, redacted, redacted_traceback
from schedules.finding.facts import Moment
from schedules.message_types import MessageTypeGoneError, resolver_of
from schedules.message_types.deciding import Decision, decide
from schedules.message_types.resolver import Resolver
from schedules.models import Schedule, SendRun
from schedules.sending import delivering, override
from schedules.tracking import engagement, outbox
from schedules.values.data import CourseFact, Engagement
from schedules.values.outcomes import Outcome, Totals
from schedules.values.runs import BINS, Run, RunOrigin
from schedules.values.text import without_addresses

log = logging.getLogger(__name__)


#: Messages that one pass of `recover` takes over; it makes as many passes as it needs.
RECLAIM_BATCH_SIZE = 1000

#: Before an open or a click that met a database that was away is recorded again; doubled each time.
SECONDS_BEFORE_RECORDING = 30

#: For so long a broker may keep whoever saves a course waiting, at each step: connecting, sending.
BROKER_SECONDS = 1
_TIMEOUTS = ("socket_connect_timeout", "socket_timeout")


def enqueue_bins(run: Run, override_address: str | None = None) -> tuple[Totals | None, list[int]]:
    """Hand the run's bins to Celery; with an `override_address`, as a test.

    Where Celery runs tasks in the calling process, returns what became of the messages and the bins that
    failed; with a broker, `None` and an empty list: the ledger will tell.
    """
    totals: Totals | None = None
    failed_bins: list[int] = []
    for bin_number in range(BINS):
        if override_address is None:
            answer = _enqueue(resolve_bin, run, bin_number=bin_number)
        else:
            answer = _enqueue(send_test_bin, run, bin_number=bin_number, override_address=override_address)
        if answer is None:
            continue
        totals = totals or Totals()
        totals.add(answer)
        if answer["errors"]:
            failed_bins.append(bin_number)
    return totals, failed_bins


@shared_task(name="schedules.tasks.resolve_bin", acks_late=True, reject_on_worker_lost=True, ignore_result=True)
@redacted
def resolve_bin(*, bin_number: int, **arguments: Any) -> dict[str, Any]:
    """Find a bin's learners, claim their messages and hand them on in batches. One bin's failure is its own.

    A bin that failed, for the host was away, has not reported: `recover` searches it again.
    """
    run = _run(arguments)
    totals = Totals()
    errors: list[str] = []
    with _reported(run, bin_number, errors):
        for schedules, resolver in _batches(run, bin_number):
            decisions = decide(resolver, schedules, timezone.now(), Moment.FINDING)
            errors += _enqueue_batches(run, _claim(run, decisions, totals), totals)
        if ledger.record_bin(run, bin_number, totals.found):
            ledger.finalize(run, timezone.now())
    return {**totals.as_dict(), "errors": errors}


@shared_task(name="schedules.tasks.send_test_bin", ignore_result=True)
@redacted
def send_test_bin(*, bin_number: int, override_address: str, **arguments: Any) -> dict[str, Any]:
    """Find a bin's learners and send what they would get to `override_address`. The ledger is left alone.

    Acknowledged at once: a worker that dies sends no test twice.
    """
    run = _run(arguments)
    totals = Totals()
    errors: list[str] = []
    with _reported(run, bin_number, errors):
        for schedules, resolver in _batches(run, bin_number):
            totals.add(override.send(resolver, schedules, override_address, timezone.now()).as_dict())
    return {**totals.as_dict(), "errors": errors}


@shared_task(name="schedules.tasks.deliver_batch", acks_late=True, reject_on_worker_lost=True, ignore_result=True)
@redacted
def deliver_batch(*, ids: Sequence[str], **arguments: Any) -> dict[str, Any]:
    """Send a batch of messages."""
    run, uuids = _run(arguments), list(map(UUID, ids))
    totals = delivering.deliver_batch(run, uuids, timezone.now())
    ledger.finalize(run, timezone.now())
    outbox.publish_sent(uuids)
    return totals.as_dict()


@shared_task(name="schedules.tasks.recover", acks_late=True, reject_on_worker_lost=True, ignore_result=True)
@redacted
def recover() -> dict[str, Any]:
    """Hand out again what nobody answers for: due retries, dead workers' messages and courses, what the broker lost.

    Run it every minute or so; twice at once does no harm.
    """
    totals = reclaim()
    enqueue_tracking()
    return totals.as_dict()


@redacted
def reclaim() -> Totals:
    """The messages and courses of `recover()`: what others are to hear comes after all messages."""
    now, totals = timezone.now(), Totals()
    for row, bins in ledger.reclaim_bins(SHARED_CLOCK, oldest=now - timedelta(days=ledger.MESSAGE_TTL_DAYS)):
        for bin_number in bins:
            totals.add(_enqueue(resolve_bin, _run_of(row), bin_number=bin_number) or {})
        if not bins:  # who finalized its last message may have died before saying that the run is finished
            ledger.finalize(_run_of(row), now)
    while rows := ledger.reclaim(SHARED_CLOCK, RECLAIM_BATCH_SIZE):
        by_run = defaultdict(list)
        for message in rows:
            by_run[message.run].append(str(message.pk))
        for row, ids in by_run.items():
            _enqueue_batches(_run_of(row), ids, totals)
    for course_id in course_changes.reclaim(now):
        _enqueue_course(course_id, now)
    return totals


def enqueue_tracking() -> None:
    """Queue what Segment and Google have not heard yet, if there is anything. Never raises."""
    try:
        if outbox.is_waiting():
            task: Any = flush_tracking
            task.apply_async(queue=conf.routing_key)
    except Exception as error:  # noqa: BLE001 - the messages are done; the next recovery tells
        log.error("What Segment and Google are to hear was not queued: %s", redacted_traceback(error))


@shared_task(name="schedules.tasks.flush_tracking", ignore_result=True)
@redacted
def flush_tracking() -> None:
    """Tell Segment and Google what they have not heard yet. `recover` queues it; twice at once does no harm."""
    outbox.flush()


@shared_task(name="schedules.tasks.follow_course", acks_late=True, reject_on_worker_lost=True, ignore_result=True)
@redacted
def follow_course(*, course_id: str) -> dict[str, Any]:
    """A course changed: its schedules and hold-backs follow."""
    return {"changed": course_changes.follow(course_id)}


def course_changed(course_id: str, facts: Collection[CourseFact], now: datetime) -> None:
    """Keep that a course changed, and hand it to the queue. Somebody waits, so a broker has two seconds to take it."""
    course_changes.remember(course_id, facts, now)
    _enqueue_course(course_id, now)


def _enqueue_course(course_id: str, now: datetime) -> None:
    sending: dict[str, Any] = {"kwargs": {"course_id": course_id}, "queue": conf.routing_key}
    try:
        if current_app.conf.task_always_eager:
            follow_course.apply_async(**sending)
            return
        with current_app.connection_for_write(
            connect_timeout=BROKER_SECONDS, transport_options=dict.fromkeys(_TIMEOUTS, BROKER_SECONDS)
        ) as connection:
            connection.ensure_connection(max_retries=1, interval_start=0, timeout=BROKER_SECONDS)
            follow_course.apply_async(**sending, connection=connection, retry=False)  # type: ignore[call-arg]
    except Exception as error:  # noqa: BLE001 - each broker has errors of its own
        log.warning("The queue did not take that %s changed; recover will: %s", course_id, redacted_traceback(error))
        course_changes.release(course_id, now)


@shared_task(name="schedules.tasks.note_reaction", bind=True, acks_late=True, ignore_result=True, max_retries=8)
@redacted
def record_engagement(self: Any, *, uuid: str, reaction: str, at: str) -> None:
    """Keep when a message was opened or clicked, once the database takes it again; for about two hours."""
    if not engagement.record(UUID(uuid), Engagement(reaction), datetime.fromisoformat(at)):
        raise self.retry(countdown=SECONDS_BEFORE_RECORDING * 2**self.request.retries)


def record_engagement_later(uuid: UUID, engagement: Engagement, at: datetime) -> None:
    """Queue it. Whatever the broker raises is the caller's."""
    task: Any = record_engagement
    arguments = {"uuid": str(uuid), "reaction": engagement.value, "at": at.isoformat()}
    task.apply_async(kwargs=arguments, countdown=SECONDS_BEFORE_RECORDING, queue=conf.routing_key)


@contextmanager
def _reported(run: Run, bin_number: int, errors: list[str]) -> Iterator[None]:
    """A bin's failure is logged, and added to `errors`: the other bins go on."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 - one bin's failure is its own
        problem = without_addresses(str(error)) if isinstance(error, HostError) else redacted_traceback(error)
        log.error("Bin %s of run %s failed: %s", bin_number, run.uuid, problem)
        errors.append(type(error).__name__)


def _batches(run: Run, bin_number: int) -> Iterator[tuple[list[Schedule], Resolver]]:
    """A bin's due schedules, whole learners at a time. None where the message type is no more."""
    try:
        resolver = resolver_of(run)
    except MessageTypeGoneError:
        return
    for schedules in resolver.batches(bin_number):
        yield schedules, resolver


def _claim(run: Run, decisions: Sequence[Decision], totals: Totals) -> list[str]:
    """Claim messages and finalize those that are decided already; returns the ids to deliver."""
    totals.found += len(decisions)
    ours = ledger.claim(run, [decision.entry for decision in decisions], SHARED_CLOCK)
    totals.already += len(decisions) - len(ours)
    outcomes: dict[UUID, Outcome] = {}
    ids = []
    for decision in decisions:
        if decision.entry.uuid not in ours:
            continue
        if decision.outcome is None:
            ids.append(str(decision.entry.uuid))
        else:
            outcomes[decision.entry.uuid] = decision.outcome
            totals.count(decision.outcome)
    ledger.record_all(outcomes, timezone.now())
    return ids


def _enqueue_batches(run: Run, ids: Sequence[Any], totals: Totals) -> list[str]:
    """Hand on ids in batches; returns what went wrong, as far as Celery runs in this process."""
    errors = []
    for first in range(0, len(ids), conf.delivery_batch_size):
        answer = _enqueue(deliver_batch, run, ids=ids[first : first + conf.delivery_batch_size])
        if answer is not None:
            totals.add(answer)
            errors += answer.get("errors", [])
    return errors


def _enqueue(task: Any, run: Run, **more: Any) -> dict[str, Any] | None:
    """Queue a task; returns its answer where Celery runs tasks in the calling process, else `None`.

    Whatever broke there, the next task has new connections, as in a worker. Raises the database's error where that
    stays away: no other task would do better, and what is not done is recovered.
    """
    result = task.apply_async(kwargs={**_arguments(run), **more}, queue=conf.routing_key)
    if not isinstance(result, EagerResult):
        return None
    answer: dict[str, Any]
    if result.successful():
        answer = result.get(disable_sync_subtasks=False)  # it is there already
    else:
        log.error("Task of run %s failed: %s", run.uuid, redacted_traceback(result.result))
        answer = {"errors": [type(result.result).__name__]}
    if answer.get("errors"):
        reconnect()
        ledger.await_database()
    return answer


def _run_of(row: SendRun) -> Run:
    return Run(
        message_type=row.message_type,
        site_id=row.site_id,
        today=row.date,
        day_offset=row.day_offset,
        uuid=row.uuid,
        origin=RunOrigin(row.origin),
    )


def _arguments(run: Run) -> dict[str, Any]:
    return {
        "message_type": run.message_type,
        "site_id": run.site_id,
        "today": run.today.isoformat(),
        "day_offset": run.day_offset,
        "run_id": str(run.uuid),
        "origin": run.origin.value,
    }


def _run(arguments: dict[str, Any]) -> Run:
    return Run(
        message_type=arguments["message_type"],
        site_id=arguments["site_id"],
        today=date.fromisoformat(arguments["today"]),
        day_offset=arguments["day_offset"],
        uuid=UUID(arguments["run_id"]),
        origin=RunOrigin(arguments.get("origin", RunOrigin.DAILY)),  # older tasks have none
    )
