"""A decision to send -> the edx-ace message: recipient, language, context, options and headers."""

from __future__ import annotations

import logging
from asyncio import CancelledError
from collections.abc import Mapping
from typing import Any

from django.utils import translation

from schedules import ledger
from schedules.conf import conf
from schedules.custom_text import BatchWords
from schedules.exceptions import (
    ConfigurationError,
    DeliveryError,
    HostError,
    SkipRecipient,
    redacted_traceback,
)
from schedules.message_types.deciding import Decision
from schedules.message_types.resolver import Resolver
from schedules.sending.ace import QuietRecipient, ScheduleMessage, ScheduleMessageType
from schedules.sending.context import base_context, message_language, personal_context
from schedules.sending.links import tracking_context, unsubscribe_url
from schedules.sending.translated import is_translated
from schedules.unsubscribe.links import list_headers
from schedules.values.addresses import sendable
from schedules.values.answers import is_outage
from schedules.values.headers import FEEDBACK_ID, WholeHeader
from schedules.values.languages import SOURCE
from schedules.values.links import ascii_address, host_name
from schedules.values.outcomes import FailReason, SkipReason

log = logging.getLogger(__name__)

#: What edx-ace itself adds to a message and its context.
_NAMES_OF_ACE = frozenset({"message", "channel", "recipient", "uuid", "send_uuid", "expiration_time"})


def compose(
    resolver: Resolver,
    message_type: ScheduleMessageType,
    decision: Decision,
    words: BatchWords | None = None,
    override_address: str | None = None,
) -> ScheduleMessage:
    """The edx-ace message of a decision to send: recipient, language, context, options and headers.

    `message_type` is edx-ace's, one for a batch. Without `words` it says the templates' words. With an
    `override_address` it is a test: it goes there, and its link to leave changes nothing.
    """
    learner, entry, run = decision.learner, decision.entry, resolver.run
    if learner is None:
        raise SkipRecipient(SkipReason.NO_ADDRESS)
    address = sendable(override_address or learner.email)
    if address is None:
        raise SkipRecipient(SkipReason.BAD_ADDRESS)
    language = message_language(decision.courses[0].course, learner, resolver.site_values)
    if not is_translated(entry.name, language):
        language = SOURCE
    with translation.override(language):
        context = {
            **base_context(resolver),
            **personal_context(resolver.site, learner, decision.courses),
            **_own_context(resolver, decision),
            "unsubscribe_url": unsubscribe_url(resolver, decision, language, is_test=override_address is not None),
        }
        context |= words.context(entry.course_ids, language, context) if words else {}
    leave_url = context["unsubscribe_url"]  # machines follow the headers: no visit, so no UTM parameters
    context |= tracking_context(resolver, entry, context)
    recipient = QuietRecipient(lms_user_id=learner.id, email_address=address)
    message = message_type.personalize(recipient, language, context)
    message.uuid = entry.uuid
    if sender := resolver.site_values.get("EMAIL_FROM_ADDRESS"):
        # Not the default: mail channels know that themselves, and Sailthru would send on its behalf.
        message.options["from_address"] = ascii_address(str(sender).strip())
    file_name = f"{run.today}_{entry.name}_{learner.id}_{entry.uuid.hex[:12]}.html"
    message.options["output_file_path"] = str(conf.file_email_directory / file_name)
    message.headers = {
        **_headers(resolver, entry),
        **list_headers(leave_url, resolver.site_values.get("UNSUBSCRIBE_ADDRESS")),
    }
    return message


def _own_context(resolver: Resolver, decision: Decision) -> dict[str, Any]:
    """What the message type says. Raises `DeliveryError` for its faults, and a temporary `HostError` for an outage."""
    whose = f"context() of {resolver.key}"
    try:
        context: Any = resolver.context(decision.courses)
        context = dict(context) if isinstance(context, Mapping) else context
    except (SkipRecipient, HostError, ConfigurationError):
        raise
    except (Exception, CancelledError) as error:
        if is_outage(error):
            raise HostError(f"{whose}: {type(error).__name__}", is_temporary=True) from error
        log.error("%s failed: %s", whose, redacted_traceback(error))
        raise DeliveryError(FailReason.MESSAGE_TYPE_ERROR, f"{whose}: {type(error).__name__}") from error
    if not isinstance(context, dict):
        answer = f"{whose} answered {type(context).__name__}; give a mapping"
        raise DeliveryError(FailReason.MESSAGE_TYPE_ERROR, answer)
    if taken := sorted(_NAMES_OF_ACE.intersection(context)):
        answer = f"{whose} answers the name {taken[0]}, which is edx-ace's; give another"
        raise DeliveryError(FailReason.MESSAGE_TYPE_ERROR, answer)
    return context


def _headers(resolver: Resolver, entry: ledger.Entry) -> dict[str, str]:
    """For channels that pass headers on.

    Sources: RFC 3834 for `Auto-Submitted`, so that nobody's vacation answers; for `Feedback-ID`
    https://support.google.com/a/answer/6254652: at most four fields, the sender's own in the end, nothing per learner.
    """
    domain = host_name(resolver.site.domain)
    return {
        "Message-ID": f"<{entry.uuid}@{domain}>",
        "Auto-Submitted": "auto-generated",
        FEEDBACK_ID: WholeHeader(f"{entry.name}:{domain}:{ScheduleMessageType.APP_LABEL}", FEEDBACK_ID),
    }
