"""A claimed batch, message by message: decided again, sent, recorded."""

from __future__ import annotations

import logging
import random
import time
from collections import defaultdict
from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

from django.utils import timezone

from schedules import custom_text, ledger
from schedules.channels.mail import mail_connection
from schedules.conf import conf
from schedules.custom_text import BatchWords
from schedules.database.clock import SHARED_CLOCK
from schedules.database.transient import is_transient, outlast, outlasting, reconnect
from schedules.exceptions import (
    ChannelUnavailable,
    ConfigurationError,
    DeliveryError,
    HostError,
    OptedOut,
    Overtaken,
    RateLimited,
    SkipRecipient,
    redacted_traceback,
)
from schedules.finding.facts import Moment
from schedules.gates import DELIVERY
from schedules.message_types import MessageTypeGoneError, resolver_of
from schedules.message_types.deciding import Decision, decide
from schedules.message_types.resolver import Resolver
from schedules.models import ScheduledMessage
from schedules.optouts import OptOutScope, opt_out
from schedules.sending import rate_limit
from schedules.sending.ace import hand_over, message_type_for
from schedules.sending.channel_trouble import ChannelWatch, growing_wait
from schedules.sending.composing import compose
from schedules.values.outcomes import (
    FailReason,
    Outcome,
    OutcomeStatus,
    SkipReason,
    Totals,
    failed,
    skipped,
    to_retry,
)
from schedules.values.runs import Run

log = logging.getLogger(__name__)


def deliver_batch(run: Run, ids: Collection[UUID], now: datetime) -> Totals:
    """Send the claimed messages of `ids`.

    Each message is finalized as soon as its channel has answered, so a crash leaves at most one in doubt. A batch
    that is slow, for its channel hangs, releases what is left before its lease ends, and another reclaims it. One that
    was overtaken nevertheless, for its machine was suspended, hands over nothing more.
    Raises `ConfigurationError`: the messages stay leased, to be reclaimed later.
    """
    end_of_work = time.monotonic() + conf.lease_seconds / 2
    try:
        resolver = resolver_of(run)
    except MessageTypeGoneError:
        return _finalize(
            _leased(ids), skipped(SkipReason.MESSAGE_TYPE_GONE, (("message_type", run.message_type),)), now
        )
    except HostError as error:
        return _finalize(_leased(ids), _by_fault(error), now)
    try:
        name = resolver.message_name(run.day_offset)
    except Exception as error:  # noqa: BLE001 - a host's type may have changed since the message was claimed
        log.error("Messages of run %s have no name any more: %s", run.uuid, redacted_traceback(error))
        answer = f"message_name() of {run.message_type}: {type(error).__name__}"
        return _finalize(_leased(ids), failed(FailReason.MESSAGE_TYPE_ERROR, answer), now)
    batch = outlasting(_Batch)(resolver, name, _leased(ids), now)
    if not batch.left:  # others were faster, as when a batch was handed out twice
        return batch.totals
    if trouble := batch.watch.blocked(now):
        return _finalize(batch.left.values(), _not_taken(trouble), now)
    with mail_connection(), suppress(Overtaken):
        for row, decision in batch.decisions():
            batch.record(row, batch.send(row, decision))
            if time.monotonic() > end_of_work:
                break
    if batch.left:
        ledger.release(batch.left.values(), SHARED_CLOCK)
        batch.totals.pending += len(batch.left)
    return batch.totals


class _Batch:
    """The leased messages of one run. `left`: those that are not finalized yet."""

    def __init__(self, resolver: Resolver, name: str, rows: Collection[ScheduledMessage], now: datetime) -> None:
        self.resolver = resolver
        self.now = now
        self.left = {row.pk: row for row in rows}
        self.totals = Totals()
        self.watch = ChannelWatch(conf.default_channel, resolver.run.site_id)
        self._name = name
        self._message_type = message_type_for(self._name, resolver.run)
        self._words: BatchWords | None = None

    def decisions(self) -> Iterator[tuple[ScheduledMessage, Decision]]:
        """Each message with what is decided now. Those that nothing can be decided about are finalized at once."""
        expired = [row for row in self.left.values() if ledger.expires_at(row) < self.now]
        self._finalize(expired, skipped(SkipReason.EXPIRED))
        rows = dict(self.left)
        try:
            schedules = self.resolver.schedules_of({row.user_id for row in rows.values()}) if rows else []
            found = decide(self.resolver, schedules, self.now, Moment.DELIVERY)
        except HostError as error:  # a temporary one: those that are not stand with their learners
            self._finalize(rows.values(), _by_fault(error))
            return
        decisions = [(rows[decision.entry.uuid], decision) for decision in found if decision.entry.uuid in rows]
        decided = {row.pk for row, _ in decisions}
        if gone := [row for row in rows.values() if row.pk not in decided]:
            self._finalize(gone, self._gone())
        self._words = outlasting(custom_text.read)(
            self.resolver.site.pk, self._name, [decision.entry.course_ids for _, decision in decisions]
        )
        if self.watch.is_troubled:  # not the same message makes each trial, for it may have a fault of its own
            random.shuffle(decisions)
        yield from decisions

    def send(self, row: ScheduledMessage, decision: Decision) -> Outcome:
        """What becomes of one message. Its failure is its learner's alone; the channel's meets all that follow.

        Raises `Overtaken` if another holds the message by now.
        """
        if decision.outcome is not None:
            return decision.outcome
        if decision.must_wait:
            return _waits_for_another(self.now)
        if trouble := self.watch.blocked(timezone.now()):
            return _not_taken(trouble)
        ledger.set_courses(row, decision.entry.course_ids)
        try:
            message = compose(self.resolver, self._message_type, decision, self._words)
            rate_limit.wait(conf.default_channel, SHARED_CLOCK)
            with self.watch.handing_over(timezone.now(), row):
                if not ledger.confirm(row, SHARED_CLOCK):  # the last thing before the hand-over
                    log.warning("Message %s is another worker's by now; this one stops", row.pk)
                    raise Overtaken
                hand_over(message)
        except (ConfigurationError, Overtaken):
            raise
        except Exception as error:  # noqa: BLE001 - the batch goes on; this one is recorded
            if isinstance(error, OptedOut):
                _keep_opt_out(row)
            return unsent(error, decision)
        return Outcome(status=OutcomeStatus.SENT, channel=conf.default_channel, language=message.language)

    def record(self, row: ScheduledMessage, outcome: Outcome) -> None:
        """Finalize a message."""
        final = _final(outcome, row, timezone.now())
        _record(row, final)
        self.totals.count(final)
        self.left.pop(row.pk, None)
        if reopened := self.watch.take_reopened():
            self.totals.failed[FailReason.CHANNEL_REFUSED.value] -= reopened
            self.totals.pending += reopened

    def _finalize(self, rows: Collection[ScheduledMessage], outcome: Outcome) -> None:
        rows = list(rows)
        self.totals.add(_finalize(rows, outcome, timezone.now()).as_dict())
        for row in rows:
            self.left.pop(row.pk, None)

    def _gone(self) -> Outcome:
        """What becomes of messages whose schedules are not due any more: the switch is asked first, as of all."""
        facts = self.resolver.facts((), Moment.DELIVERY)
        answer = DELIVERY.look(None, facts, self.now)
        return skipped(SkipReason.NO_LONGER_DUE) if answer.is_yes else skipped(DELIVERY.reason, answer.seen)


def unsent(error: Exception, decision: Decision) -> Outcome:
    """What becomes of a message by what was raised about it.

    Side effect: the next message has new connections where a database broke.
    """
    if is_transient(error):
        reconnect()
    match error:
        case SkipRecipient():
            return skipped(error.reason)
        case HostError():
            return _by_fault(error)
        case DeliveryError():
            return _not_taken(error)
    if is_transient(error):
        return replace(to_retry(FailReason.INTERNAL_ERROR, type(error).__name__), was_tried=False)
    log.error("Message %s failed: %s", decision.entry.uuid, redacted_traceback(error))
    return failed(FailReason.INTERNAL_ERROR, type(error).__name__)


def _leased(ids: Collection[UUID]) -> list[ScheduledMessage]:
    return ledger.lease(ids, SHARED_CLOCK)


def _finalize(rows: Collection[ScheduledMessage], outcome: Outcome, now: datetime) -> Totals:
    """Give messages of one lease the same outcome."""
    totals = Totals()
    groups: defaultdict[Outcome, list[ScheduledMessage]] = defaultdict(list)
    for row in rows:
        groups[_final(outcome, row, now)].append(row)
    for final, waiting in groups.items():
        ledger.record([row.pk for row in waiting], final, now, waiting[0].lease)
        for _ in waiting:
            totals.count(final)
    return totals


def _record(row: ScheduledMessage, outcome: Outcome) -> None:
    """Finalize a message. What was sent must not be sent again because the database is away.

    So that record is tried for as long as anybody would send the message again; others only as the ledger does itself.
    """
    now = timezone.now()
    is_sent = outcome.status == OutcomeStatus.SENT
    seconds = (ledger.expires_at(row) - now).total_seconds() if is_sent else 0
    outlast(partial(ledger.record, [row.pk], outcome, now, row.lease), seconds)


def _keep_opt_out(row: ScheduledMessage) -> None:
    """Whoever carries our messages knows that the learner wants none of this site."""
    outlasting(opt_out)(row.user_id, OptOutScope(site_id=row.site_id))


def _by_fault(error: HostError) -> Outcome:
    """What the host's fault makes of a message: where waiting can mend it, the message waits."""
    return (to_retry if error.is_temporary else failed)(FailReason.HOST_ERROR, str(error))


def _not_taken(error: DeliveryError) -> Outcome:
    """What becomes of a message that the channel did not take."""
    reason = FailReason(error.reason) if error.reason in set(FailReason) else FailReason.CHANNEL_ERROR
    if not error.is_temporary:
        return failed(reason, error.detail)
    was_tried = not isinstance(error, RateLimited | ChannelUnavailable)
    return replace(to_retry(reason, error.detail, error.retry_at), was_tried=was_tried, is_known=error.is_known)


def _waits_for_another(now: datetime) -> Outcome:
    """Once the other message is finalized it is known whether there is still something to say."""
    retry_at = now + timedelta(seconds=conf.retry_seconds)
    return Outcome(status=OutcomeStatus.RETRY, reason=SkipReason.ALREADY_TOLD.value, retry_at=retry_at, was_tried=False)


def _final(outcome: Outcome, row: ScheduledMessage, now: datetime) -> Outcome:
    """A retry with its time, or a failure where there is to be no further try.

    What waiting can mend is tried for as long as the message is worth sending; what nobody can name, a few times.
    """
    if outcome.status != OutcomeStatus.RETRY:
        return outcome
    wait = growing_wait(row.attempts + 1)  # this attempt has been counted since the row was read
    retry_at = now + wait * random.uniform(0.5, 1.5)  # noqa: S311 - jitter is no secret
    if outcome.retry_at is not None:
        retry_at = max(retry_at, outcome.retry_at) if outcome.was_tried else outcome.retry_at
    is_hopeless = not outcome.is_known and row.unknown_faults + 1 >= conf.retry_attempts
    if retry_at < ledger.expires_at(row) and not is_hopeless:
        return replace(outcome, retry_at=retry_at)
    return replace(outcome, status=OutcomeStatus.FAILED, retry_at=None)
