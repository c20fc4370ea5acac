"""edx-ace: the classes by which it knows our messages, and handing one over to it."""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping
from datetime import datetime, timedelta
from traceback import walk_tb
from typing import Any

import attr
from django.template import Template, TemplateSyntaxError
from django.utils import timezone
from edx_ace import ace
from edx_ace.channel import ChannelType
from edx_ace.message import Message, MessageType
from edx_ace.recipient import Recipient

from schedules import toggles
from schedules.channels import faults
from schedules.database.transient import is_transient
from schedules.exceptions import (
    ChannelUnavailable,
    ConfigurationError,
    DeliveryError,
    SchedulesError,
    SkipRecipient,
    redacted_traceback,
)
from schedules.values.outcomes import FailReason, SkipReason
from schedules.values.runs import Run
from schedules.values.text import without_addresses

log = logging.getLogger(__name__)


class QuietRecipient(Recipient):
    """A recipient who keeps their address to themselves: Django logs a template's whole context, at DEBUG."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}(lms_user_id={self.lms_user_id})"


#: edx-ace would sleep in the worker for as long as a message has to live; waiting is the queue's work.
MAX_NAP = timedelta(seconds=5)


class ScheduleMessage(Message):
    """A message that keeps what edx-ace reports about it: `ace.send()` itself never says what became of it, or why."""

    #: Whoever opted out was sorted out before it was made: what `BulkEmailOptoutPolicy` would find costs queries.
    are_opt_outs_read = True

    @property
    def expiration_time(self) -> datetime:
        """From now on, not from when it was made: edx-ace asks when a message is rendered, however long that took."""
        return timezone.now() + MAX_NAP

    @expiration_time.setter
    def expiration_time(self, _: datetime | None) -> None:
        """What edx-ace would set is not asked for."""

    def report(self, key: str, value: Any) -> None:
        self.__dict__.setdefault("reports", {})[key] = value
        self.__dict__["error"] = sys.exception()  # of an error edx-ace reports the text alone, and no cause
        super().report(key, value)

    def take_error(self) -> BaseException | None:
        """What edx-ace was handling when it last reported; its causes say what a channel met with. It is not kept.

        The frames of its traceback hold the message, and what a channel had open.
        """
        error: BaseException | None = self.__dict__.pop("error", None)
        return error

    @property
    def reports(self) -> Mapping[str, Any]:
        """Key -> value, as edx-ace reported to monitoring."""
        reports: Mapping[str, Any] = self.__dict__.get("reports", {})
        return reports

    @property
    def is_taken(self) -> bool:
        """Whether an e-mail channel took it. That is reported before the signal `ACE_MESSAGE_SENT` is sent."""
        return "email_delivery_succeeded" in self.reports


class ScheduleMessageType(MessageType):
    """A message type of this app; what it is called is the name of its templates."""

    APP_LABEL = "schedules"

    def personalize(self, recipient: Recipient, language: str, user_context: Mapping[str, Any]) -> ScheduleMessage:
        """As edx-ace does, with options of the message's own: edx-ace would share one dict among all."""
        message = super().personalize(recipient, language, user_context)
        fields = {field.name: getattr(message, field.name) for field in attr.fields(Message) if field.init}
        return ScheduleMessage(**{**fields, "options": dict(message.options)})


def message_type_for(name: str, run: Run) -> ScheduleMessageType:
    """edx-ace's message type for a run. Its uuid is the run's, so that it becomes each message's `send_uuid`."""
    found = ScheduleMessageType(name=name, log_level=logging.DEBUG if toggles.is_debugging() else None)
    found.uuid = run.uuid
    return found


def hand_over(message: ScheduleMessage) -> None:
    """Returns if a channel took the message. Raises `SkipRecipient` and `DeliveryError`."""
    try:
        ace.send(message)
    except (SchedulesError, ConfigurationError):  # from a channel of ours
        raise
    except TemplateSyntaxError as error:
        raise DeliveryError(FailReason.TEMPLATE_ERROR, str(error)) from error
    except Exception as error:  # a channel may raise anything; trap 5 of edx-ace's: not only its own errors
        if not message.is_taken:
            if is_transient(error):  # a policy's or a template's question to the database
                raise DeliveryError(FailReason.CHANNEL_ERROR, type(error).__name__, is_temporary=True) from error
            if name := _template_of(error):
                raise DeliveryError(FailReason.TEMPLATE_ERROR, f"{name}: {type(error).__name__}") from error
            raise faults.delivery_error(error, message.recipient.email_address or "") from error
        # Who was told that it was sent could not bear it; sent it is.
        log.error("Channel failed at message %s: %s", message.uuid, redacted_traceback(error))
    if not message.is_taken:
        _explain(message)


def _template_of(error: BaseException) -> str:
    """Which template was rendered when it was raised, an included one too; empty where none was."""
    frames = [frame for frame, _ in walk_tb(error.__traceback__)]
    rendering = [frame.f_locals["self"] for frame in frames if frame.f_code is Template.render.__code__]
    return str(rendering[-1].name) if rendering else ""


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
