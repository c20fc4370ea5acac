"""Messages that are nobody's: tests, each to one address in place of its learner's, and samples.

The ledger is neither read nor written, so a test never uses up a learner's message.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from django.utils import timezone

from schedules import custom_text
from schedules.channels.mail import mail_connection
from schedules.conf import conf
from schedules.custom_text import BatchWords
from schedules.database.clock import SHARED_CLOCK
from schedules.exceptions import ConfigurationError
from schedules.finding.facts import Moment
from schedules.message_types.deciding import Decision, decide
from schedules.message_types.resolver import Resolver
from schedules.models import Schedule
from schedules.sending import rate_limit
from schedules.sending.ace import ScheduleMessage, ScheduleMessageType, hand_over, message_type_for
from schedules.sending.channel_trouble import ChannelWatch
from schedules.sending.composing import compose
from schedules.sending.delivering import unsent
from schedules.sending.links import tracked
from schedules.tracking import outbox
from schedules.tracking.events import email_sent
from schedules.values.outcomes import Outcome, OutcomeStatus, Totals


def send(resolver: Resolver, schedules: Collection[Schedule], override_address: str, now: datetime) -> Totals:
    """Send to one address what the learners of these schedules would get. What failed is not tried again.

    Gates, texts, links and tracking act for the learner (behavior 4.3). Raises `HostError` where the host is away.
    """
    decisions = decide(resolver, schedules, now, Moment.TEST)
    name = resolver.message_name(resolver.run.day_offset)
    message_type = message_type_for(name, resolver.run)
    words = custom_text.read(resolver.site.pk, name, [decision.entry.course_ids for decision in decisions])
    totals, events = Totals(found=len(decisions)), []
    watch = ChannelWatch(conf.default_channel, resolver.site.pk)
    with mail_connection():
        for decision in decisions:
            outcome = decision.outcome or _sent(
                resolver, message_type, decision, words, override_address=override_address, watch=watch
            )
            totals.count(outcome)
            if outcome.status == OutcomeStatus.SENT:
                message, user_id = tracked(resolver, decision.entry), decision.entry.user_id
                events.append(email_sent(message, user_id, outcome.language, timezone.now()))
    outbox.publish_tests(events)
    return totals


def send_sample(message: ScheduleMessage, site_id: int) -> None:
    """Send a message that is nobody's. Raises `SkipRecipient` and `DeliveryError`.

    It is tried whatever trouble the channel has, for whoever asks for it may have mended that.
    """
    watch = ChannelWatch(conf.default_channel, site_id, is_urgent=True)
    with mail_connection():
        _hand_over(message, watch)


def _sent(
    resolver: Resolver,
    message_type: ScheduleMessageType,
    decision: Decision,
    words: BatchWords,
    *,
    override_address: str,
    watch: ChannelWatch,
) -> Outcome:
    try:
        if trouble := watch.blocked(timezone.now()):
            raise trouble
        message = compose(resolver, message_type, decision, words, override_address)
        _hand_over(message, watch)
    except ConfigurationError:
        raise
    except Exception as error:  # noqa: BLE001 - the others go on
        outcome = unsent(error, decision)
        if outcome.status != OutcomeStatus.RETRY:
            return outcome
        return Outcome(status=OutcomeStatus.FAILED, reason=outcome.reason, detail=outcome.detail)
    return Outcome(status=OutcomeStatus.SENT, channel=conf.default_channel, language=message.language)


def _hand_over(message: ScheduleMessage, watch: ChannelWatch) -> None:
    rate_limit.wait(conf.default_channel, SHARED_CLOCK)
    with watch.handing_over(timezone.now()):
        hand_over(message)
