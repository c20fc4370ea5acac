"""One claimed batch -> edx-ace -> an outcome for each message."""

from __future__ import annotations

import logging
import random
import time
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any, NamedTuple
from uuid import UUID

from django.contrib.sites.models import Site
from django.dispatch import receiver
from django.template import TemplateSyntaxError
from django.utils import timezone
from edx_ace import ace
from edx_ace.channel import ChannelType
from edx_ace.signals import ACE_MESSAGE_SENT

from schedules import custom_text, ledger, toggles
from schedules.channels import faults
from schedules.channels.mail import mail_connection
from schedules.conf import conf
from schedules.custom_text import BatchWords
from schedules.database.clock import SHARED_CLOCK
from schedules.database.transient import is_transient, outlast
from schedules.exceptions import (
    ChannelUnavailable,
    ConfigurationError,
    DeliveryError,
    HostError,
    OptedOut,
    Overtaken,
    SchedulesError,
    SkipRecipient,
    TurnLater,
    where,
)
from schedules.finding.resolving import Decision, Resolver
from schedules.message_types import resolver_for
from schedules.message_types.base import ScheduleMessage, ScheduleMessageType
from schedules.models import OptOut, ScheduledMessage
from schedules.optouts import OptOutScope, opt_out, opt_outs_already_read
from schedules.sending import rate_limit
from schedules.sending.channel_trouble import ChannelWatch, growing_wait
from schedules.sending.composing import compose
from schedules.sending.links import tracked
from schedules.tracking import segment
from schedules.tracking.events import email_sent
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
from schedules.values.text import without_addresses

log = logging.getLogger(__name__)

#: The uuids (text) of the messages that a channel took, within one call of `ace.send()`.
_taken: ContextVar[set[str] | None] = ContextVar("taken", default=None)

USEFUL_LIFE_DAYS = 3


class _Settled(NamedTuple):
    """A message with its outcome; `entry` says what it was about, where its turn came."""

    uuid: UUID
    outcome: Outcome
    entry: ledger.Entry | None = None


def deliver_batch(run: Run, ids: Collection[Any], now: datetime) -> Totals:
    """Send the messages of `ids`: uuids that were claimed or, in a test, learners' ids.

    Each message is settled as soon as its channel has answered, so a crash leaves at most one in doubt. A batch
    that is slow, for its channel hangs, gives back what is left before its lease ends and another takes it. One that
    was overtaken nevertheless, for its machine was suspended, hands over nothing more.
    Raises `ConfigurationError`: the messages stay leased, to be taken over later.
    """
    try:
        resolver = resolver_for(run.message_type)(run, Site.objects.get(pk=run.site_id))
    except HostError as error:
        if run.is_test:
            raise
        return _put_off(_leased(ids), _by_fault(error), now)
    held = {} if run.is_test else {row.pk: row for row in _leased(ids)}
    end_of_work = time.monotonic() + conf.lease_seconds / 2
    totals = Totals()
    left = set(held)
    if not held and not run.is_test:  # others were faster, as when a batch was handed out twice
        return totals
    watch = ChannelWatch(conf.default_channel, run.site_id)
    if held and (trouble := watch.blocked(now)):
        return _put_off(held.values(), _not_taken(trouble), now)
    with mail_connection(), suppress(Overtaken):
        for uuid, outcome, entry in _outcomes(resolver, ids, held, watch, now):
            row = held.get(uuid)
            final = _final(outcome, row, timezone.now())
            if row is not None:  # null in a test
                _record(row, final)
            totals.count(final)
            if entry is not None and final.status == OutcomeStatus.SENT:
                segment.track(email_sent(tracked(resolver, entry), user_id=entry.user_id, language=final.language))
            left.discard(uuid)
            if held and time.monotonic() > end_of_work:  # a test has no lease that could end
                break
    if left:
        ledger.give_back([held[uuid] for uuid in left], SHARED_CLOCK)
        totals.pending += len(left)
    return totals


def _leased(ids: Collection[Any]) -> list[ScheduledMessage]:
    return ledger.lease([UUID(one) for one in ids], SHARED_CLOCK)


def _put_off(rows: Collection[ScheduledMessage], outcome: Outcome, now: datetime) -> Totals:
    """Give all messages of a lease the same outcome: neither the host nor the channel can do anything for them now."""
    totals = Totals()
    groups: defaultdict[Outcome, list[ScheduledMessage]] = defaultdict(list)
    for row in rows:
        groups[_final(outcome, row, now)].append(row)
    for final, waiting in groups.items():
        ledger.record([row.pk for row in waiting], final, now, waiting[0].lease)
        for _ in waiting:
            totals.count(final)
    return totals


def _by_fault(error: HostError) -> Outcome:
    """What the host's fault makes of a message: where waiting can mend it, the message waits."""
    return (to_retry if error.is_temporary else failed)(FailReason.HOST_ERROR, str(error))


def _record(row: ScheduledMessage, outcome: Outcome) -> None:
    """Settle a message. What was sent must not be sent again because the database is away.

    So that record is tried for as long as anybody would send the message again; others only as the ledger does itself.
    """
    now = timezone.now()
    is_sent = outcome.status == OutcomeStatus.SENT
    seconds = (_expires_at(row) - now).total_seconds() if is_sent else 0
    outlast(partial(ledger.record, [row.pk], outcome, now, row.lease), ScheduledMessage, seconds)


def _outcomes(
    resolver: Resolver,
    ids: Collection[Any],
    held: Mapping[UUID, ScheduledMessage],
    watch: ChannelWatch,
    now: datetime,
) -> Iterator[_Settled]:
    """Yields each message with its outcome, as soon as it is known."""
    expired = {uuid for uuid, row in held.items() if _expires_at(row) < now}
    yield from _each(expired, skipped(SkipReason.EXPIRED))
    is_test = resolver.run.is_test
    user_ids = set(ids) if is_test else {row.user_id for uuid, row in held.items() if uuid not in expired}
    try:
        decisions = resolver.decide(resolver.schedules_of(user_ids), now) if user_ids else []
    except HostError as error:  # a temporary one: those that are not stand with their learners
        if is_test:
            raise
        yield from _each(held.keys() - expired, _by_fault(error))
        return
    decisions = [one for one in decisions if is_test or one.entry.uuid in held.keys() - expired]
    gone = held.keys() - expired - {one.entry.uuid for one in decisions}
    if not toggles.is_delivering(resolver.site, resolver.key):
        yield from _each([*gone, *(one.entry.uuid for one in decisions)], skipped(SkipReason.DELIVERY_DISABLED))
        return
    yield from _each(gone, skipped(SkipReason.NO_LONGER_DUE))
    message_type = resolver.message_type()
    message_name = resolver.message_name(resolver.run.day_offset)
    words = custom_text.read(resolver.site.pk, message_name, [one.entry.course_ids for one in decisions])
    with opt_outs_already_read(frozenset()):  # those who opted out were sorted out just now
        for one in decisions:
            row = held.get(one.entry.uuid)
            if one.must_wait and one.outcome is None:
                yield _Settled(one.entry.uuid, _waits_for_another(now))
                continue
            ledger.set_courses(row, one.entry.course_ids)
            outcome = one.outcome or _send(resolver, message_type, one, words, row=row, watch=watch)
            yield _Settled(one.entry.uuid, outcome, one.entry)


def _waits_for_another(now: datetime) -> Outcome:
    """Once the other message is settled it is known whether there is still something to say."""
    retry_at = now + timedelta(seconds=conf.retry_seconds)
    return Outcome(status=OutcomeStatus.RETRY, reason=SkipReason.ALREADY_TOLD.value, retry_at=retry_at, was_tried=False)


def _each(uuids: Iterable[UUID], outcome: Outcome) -> Iterator[_Settled]:
    return (_Settled(uuid, outcome) for uuid in uuids)


def _expires_at(row: ScheduledMessage) -> datetime:
    """A message's useful life begins with the run that first claimed it, whatever day that was for.

    So it begins with its run, or before, where an earlier run had claimed it.
    """
    days = conf.useful_life_days.get(row.run.message_type, USEFUL_LIFE_DAYS)
    return min(row.run.started_at, row.created) + timedelta(days=days)


def _final(outcome: Outcome, row: ScheduledMessage | None, now: datetime) -> Outcome:
    """A retry with its time, or a failure where there is to be no further try.

    What waiting can mend is tried for as long as the message is worth sending; what nobody can name, a few times.
    """
    if outcome.status != OutcomeStatus.RETRY:
        return outcome
    if row is not None:
        wait = growing_wait(row.attempts + 1)  # this attempt has been counted since the row was read
        retry_at = now + wait * random.uniform(0.5, 1.5)  # noqa: S311 - jitter is no secret
        if outcome.retry_at is not None:
            retry_at = max(retry_at, outcome.retry_at) if outcome.was_tried else outcome.retry_at
        is_hopeless = not outcome.is_known and row.unknown_faults + 1 >= conf.retry_attempts
        if retry_at < _expires_at(row) and not is_hopeless:
            return replace(outcome, retry_at=retry_at)
    return replace(outcome, status=OutcomeStatus.FAILED, retry_at=None)


def _send(
    resolver: Resolver,
    message_type: ScheduleMessageType,
    decision: Decision,
    words: BatchWords,
    *,
    row: ScheduledMessage | None,
    watch: ChannelWatch,
) -> Outcome:
    """One learner's failure is theirs alone; the channel's meets all, and after it no other is tried.

    Raises `Overtaken` if another holds the `row` by now (a test has none).
    """
    if trouble := watch.blocked(timezone.now()):
        return _not_taken(trouble)
    try:
        message = compose(resolver, message_type, decision, words)
        rate_limit.wait_for_turn(conf.default_channel, SHARED_CLOCK)
        with watch.handing_over(timezone.now()):
            if row is not None and not ledger.confirm(row, SHARED_CLOCK):  # the last thing before the hand-over
                log.warning("Message %s is another worker's by now; this one stops", row.pk)
                raise Overtaken
            _hand_to_ace(message)
    except (ConfigurationError, Overtaken):
        raise
    except Exception as error:  # noqa: BLE001 - the batch goes on; this one is recorded
        return _unsent(error, resolver, decision)
    return Outcome(status=OutcomeStatus.SENT, channel=conf.default_channel, language=message.language)


def _unsent(error: Exception, resolver: Resolver, decision: Decision) -> Outcome:
    """What becomes of a message by what was raised about it."""
    match error:
        case SkipRecipient():
            if isinstance(error, OptedOut) and not resolver.run.is_test:  # in a test it is the tester who opted out
                keep = partial(opt_out, decision.entry.user_id, OptOutScope(site_id=resolver.site.pk))
                outlast(keep, OptOut, conf.lease_seconds * ledger.PATIENCE)
            return skipped(SkipReason(error.reason))
        case HostError():
            return _by_fault(error)
        case DeliveryError():
            return _not_taken(error)
    if is_transient(error):
        return replace(to_retry(FailReason.INTERNAL_ERROR, type(error).__name__), was_tried=False)
    log.error("Message %s failed: %s", decision.entry.uuid, where(error))
    return failed(FailReason.INTERNAL_ERROR, type(error).__name__)


def _not_taken(error: DeliveryError) -> Outcome:
    """What becomes of a message that the channel did not take."""
    reason = FailReason(error.reason)
    if not error.is_temporary:
        return failed(reason, error.detail)
    was_tried = not isinstance(error, TurnLater | ChannelUnavailable)
    return replace(to_retry(reason, error.detail, error.retry_at), was_tried=was_tried, is_known=error.is_known)


def send_sample(message: ScheduleMessage, site_id: int) -> None:
    """Send a message that is nobody's; the ledger is left alone. Raises `SkipRecipient` and `DeliveryError`.

    It is tried whatever trouble the channel has, for whoever asks for it may have mended that.
    """
    watch = ChannelWatch(conf.default_channel, site_id, is_urgent=True)
    with mail_connection(), opt_outs_already_read(frozenset()):  # whoever asked for it wants it
        rate_limit.wait_for_turn(conf.default_channel, SHARED_CLOCK)
        with watch.handing_over(timezone.now()):
            _hand_to_ace(message)


def _hand_to_ace(message: ScheduleMessage) -> None:
    """Returns if a channel took the message. Raises `SkipRecipient` and `DeliveryError`."""
    token = _taken.set(set())
    try:
        ace.send(message)
        is_taken = str(message.uuid) in (_taken.get() or ())
    except (SchedulesError, ConfigurationError):  # from a channel of ours
        raise
    except TemplateSyntaxError as error:
        raise DeliveryError(FailReason.TEMPLATE_ERROR, str(error)) from error
    except Exception as error:  # a channel may raise anything; trap 5 of edx-ace's: not only its own errors
        if "email_delivery_succeeded" not in message.reports:
            if is_transient(error):  # a policy's or a template's question to the database
                raise DeliveryError(FailReason.CHANNEL_ERROR, type(error).__name__, is_temporary=True) from error
            raise faults.delivery_error(error, message.recipient.email_address or "") from error
        log.error("Channel failed at message %s: %s", message.uuid, where(error))
        is_taken = True  # who was told that it was sent could not bear it; sent it is
    finally:
        _taken.reset(token)
    if not is_taken:
        _explain(message)


def _explain(message: ScheduleMessage) -> None:
    """Why no channel took the message, by what edx-ace reported. Always raises."""
    reports = message.reports
    if ChannelType.EMAIL.value not in str(reports.get("policy_allowed_channels", "")).split(","):
        raise SkipRecipient(SkipReason.POLICY)
    if "email_error" in reports:
        raise _reported(message)
    if "template_error" in reports:
        raise DeliveryError(FailReason.TEMPLATE_MISSING, str(reports["template_error"]).splitlines()[-1])
    if "email_delivery_expired" in reports:
        detail = "the channel asks to try again later"
        raise DeliveryError(FailReason.CHANNEL_REFUSED, detail, is_temporary=True, is_doubtful=True)
    raise ChannelUnavailable(FailReason.CHANNEL_ERROR, "no e-mail channel is enabled; see ACE_ENABLED_CHANNELS")


def _reported(message: ScheduleMessage) -> DeliveryError:
    """What edx-ace's own channels call fatal may be none: their error's causes say more. Without any it is."""
    error = message.take_error()
    causes = error and (error.__cause__ or error.__context__)
    if causes:
        return faults.delivery_error(causes, message.recipient.email_address or "")
    return DeliveryError(FailReason.CHANNEL_REFUSED, without_addresses(str(message.reports["email_error"])))


@receiver(ACE_MESSAGE_SENT)
def _note_taken(sender: Any, message: dict[str, Any], **_: Any) -> None:
    taken = _taken.get()
    if taken is not None and getattr(sender, "channel_type", None) == ChannelType.EMAIL:
        taken.add(message["uuid"])
