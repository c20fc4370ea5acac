"""One claimed batch -> edx-ace -> an outcome for each message."""

from __future__ import annotations

import io
import logging
from collections import defaultdict
from collections.abc import Collection, Iterator
from contextlib import contextmanager, nullcontext, redirect_stdout
from contextvars import ContextVar
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.contrib.sites.models import Site
from django.dispatch import receiver
from django.template import TemplateSyntaxError
from django.utils import timezone, translation
from edx_ace import ace
from edx_ace.channel import ChannelType
from edx_ace.signals import ACE_MESSAGE_SENT

from schedules import ledger, toggles
from schedules.conf import conf
from schedules.data import (
    FailReason,
    Outcome,
    OutcomeStatus,
    Run,
    SkipReason,
    Totals,
    failed,
    skipped,
    without_addresses,
)
from schedules.exceptions import ConfigurationError, DeliveryError, SkipRecipient, where
from schedules.message_types import resolver_for
from schedules.message_types.base import (
    QuietRecipient,
    ScheduleMessage,
    ScheduleMessageType,
    base_context,
    message_language,
)
from schedules.optout import opt_outs_already_read
from schedules.resolving import Decision, Resolver

log = logging.getLogger(__name__)

#: Whether the file channel may print each message's text, as it does of itself.
show_messages: ContextVar[bool] = ContextVar("show_messages", default=False)

#: The uuids (text) of the messages that a channel took, within one call of `ace.send()`.
_taken: ContextVar[set[str] | None] = ContextVar("taken", default=None)

# edx-ace would sleep in the worker for as long as a message has to live; waiting is the queue's work.
_MOST_WAITING = timedelta(seconds=5)


def deliver_batch(run: Run, ids: Collection[Any], now: datetime) -> Totals:
    """Send the messages of `ids`: uuids that were claimed or, in a test, learners' ids.

    Each message is settled as soon as its channel has answered, so a crash leaves at most one in doubt.
    Raises `ConfigurationError` and a temporary `HostError`: the messages stay leased, to be taken over later.
    """
    resolver = resolver_for(run.message_type)(run, Site.objects.get(pk=run.site_id))
    totals = Totals()
    for uuids, outcome in _outcomes(resolver, ids, now):
        if not run.is_test:
            ledger.record(uuids, outcome, timezone.now())
        for _ in uuids:
            totals.count(outcome)
    return totals


def _outcomes(resolver: Resolver, ids: Collection[Any], now: datetime) -> Iterator[tuple[list[UUID], Outcome]]:
    """Yields messages with their outcome, each as soon as it is known."""
    if resolver.run.is_test:
        decisions = _decide(resolver, set(ids))
        gone: set[UUID] = set()
    else:
        held = {row.pk: row.user_id for row in ledger.lease([UUID(one) for one in ids], now, conf.lease_seconds)}
        decisions = [one for one in _decide(resolver, set(held.values())) if one.entry.uuid in held]
        gone = held.keys() - {one.entry.uuid for one in decisions}
    if not toggles.is_delivering(resolver.site, resolver.key):
        yield [*gone, *(one.entry.uuid for one in decisions)], skipped(SkipReason.DELIVERY_DISABLED)
        return
    yield list(gone), skipped(SkipReason.NO_LONGER_DUE)
    settled: defaultdict[Outcome, list[UUID]] = defaultdict(list)
    for one in decisions:
        if one.outcome is not None:
            settled[one.outcome].append(one.entry.uuid)
    for outcome, uuids in settled.items():
        yield uuids, outcome
    message_type = resolver.message_type()
    with opt_outs_already_read(frozenset()):  # those who opted out were sorted out just now
        for one in decisions:
            if one.outcome is None:
                yield [one.entry.uuid], _send(resolver, message_type, one)


def _decide(resolver: Resolver, user_ids: Collection[int]) -> list[Decision]:
    return resolver.decide(resolver.schedules_of(user_ids)) if user_ids else []


def _send(resolver: Resolver, message_type: ScheduleMessageType, decision: Decision) -> Outcome:
    """One learner's failure is theirs alone."""
    try:
        message = compose(resolver, message_type, decision)
        _hand_to_ace(message)
    except ConfigurationError:
        raise
    except SkipRecipient as skip:
        return skipped(SkipReason(skip.reason))
    except DeliveryError as error:
        return failed(FailReason(error.reason), error.detail)
    except Exception as error:  # noqa: BLE001 - the batch goes on; this one is recorded
        log.error("Message %s failed: %s", decision.entry.uuid, where(error))
        return failed(FailReason.INTERNAL_ERROR, type(error).__name__)
    return Outcome(status=OutcomeStatus.SENT, channel=conf.default_channel, language=message.language)


def compose(resolver: Resolver, message_type: ScheduleMessageType, decision: Decision) -> ScheduleMessage:
    """The edx-ace message of a decision to send: recipient, language, context, options and headers."""
    learner, entry, run = decision.learner, decision.entry, resolver.run
    if learner is None:
        raise SkipRecipient(SkipReason.NO_ADDRESS)
    language = message_language(decision.courses[0].course, learner, resolver.site_values)
    with translation.override(language):
        context = {**base_context(resolver), **resolver.context(decision.courses)}
    recipient = QuietRecipient(lms_user_id=learner.id, email_address=run.override_address or learner.email.strip())
    message = message_type.personalize(recipient, language, context)
    message.uuid = entry.uuid
    message.options["from_address"] = resolver.site_values.get("EMAIL_FROM_ADDRESS") or conf.lms(
        "DEFAULT_FROM_EMAIL", ""
    )
    file_name = f"{run.today}_{entry.name}_{learner.id}_{entry.uuid.hex[:12]}.html"
    message.options["output_file_path"] = str(conf.file_email_directory / file_name)
    message.headers = {"Message-ID": f"<{entry.uuid}@{resolver.site.domain.partition(':')[0]}>"}
    return message


def _hand_to_ace(message: ScheduleMessage) -> None:
    """Returns if a channel took the message. Raises `SkipRecipient` and `DeliveryError`."""
    message.expiration_time = timezone.now() + _MOST_WAITING
    token = _taken.set(set())
    try:
        with _quiet_file_channel():
            ace.send(message)
        is_taken = str(message.uuid) in (_taken.get() or ())
    except TemplateSyntaxError as error:
        raise DeliveryError(FailReason.TEMPLATE_ERROR, str(error)) from error
    except Exception as error:  # a channel may raise anything; trap 5 of edx-ace's: not only its own errors
        log.error("Channel failed at message %s: %s", message.uuid, where(error))
        raise DeliveryError(FailReason.CHANNEL_ERROR, type(error).__name__) from error
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
        raise DeliveryError(FailReason.CHANNEL_REFUSED, without_addresses(str(reports["email_error"])))
    if "template_error" in reports:
        raise DeliveryError(FailReason.TEMPLATE_MISSING, str(reports["template_error"]).splitlines()[-1])
    if "email_delivery_expired" in reports:
        raise DeliveryError(FailReason.CHANNEL_REFUSED, "the channel asks to try again later", is_temporary=True)
    raise DeliveryError(FailReason.CHANNEL_ERROR, "no e-mail channel is enabled; see ACE_ENABLED_CHANNELS")


@receiver(ACE_MESSAGE_SENT)
def _note_taken(sender: Any, message: dict[str, Any], **_: Any) -> None:
    taken = _taken.get()
    if taken is not None and getattr(sender, "channel_type", None) == ChannelType.EMAIL:
        taken.add(message["uuid"])


@contextmanager
def _quiet_file_channel() -> Iterator[None]:
    """The file channel prints every text body to the terminal; let it only when asked."""
    is_loud = conf.default_channel == "file_email" and not show_messages.get()
    with redirect_stdout(io.StringIO()) if is_loud else nullcontext():
        yield
