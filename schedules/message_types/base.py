"""What messages of all types share: the edx-ace classes, the language and the base context."""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Self

import attr
from django.utils import formats, timezone
from edx_ace.message import Message, MessageType
from edx_ace.recipient import Recipient

from schedules import toggles
from schedules.conf import conf
from schedules.finding.resolving import DueCourse, Resolver
from schedules.values.days import last_day
from schedules.values.links import absolute_url
from schedules.values.runs import Run


class QuietRecipient(Recipient):
    """A recipient who keeps their address to themselves: Django logs a template's whole context, at DEBUG."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}(lms_user_id={self.lms_user_id})"


#: edx-ace would sleep in the worker for as long as a message has to live; waiting is the queue's work.
MAX_NAP = timedelta(seconds=5)


class ScheduleMessage(Message):
    """A message that keeps what edx-ace reports about it: `ace.send()` itself never says why nothing was sent."""

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


class ScheduleMessageType(MessageType):
    """A message type of this app. Its uuid is the run's, so that it becomes each message's `send_uuid`."""

    APP_LABEL = "schedules"

    @classmethod
    def for_run(cls, run: Run, **fields: Any) -> Self:
        message_type = cls(log_level=logging.DEBUG if toggles.is_debugging() else None, **fields)
        message_type.uuid = run.uuid
        return message_type

    def personalize(self, recipient: Recipient, language: str, user_context: Mapping[str, Any]) -> ScheduleMessage:
        """As edx-ace does, with options of the message's own: edx-ace would share one dict among all."""
        message = super().personalize(recipient, language, user_context)
        fields = {one.name: getattr(message, one.name) for one in attr.fields(Message) if one.init}
        return ScheduleMessage(**{**fields, "options": dict(message.options)})


def upsell_context(resolver: Resolver, due: DueCourse | None) -> dict[str, Any]:
    """The upgrade that is offered with a message: that of `due`, or none."""
    if due is None or not due.can_upgrade or due.links.upgrade is None:
        return {"show_upsell": False}
    return {
        "show_upsell": True,
        "upsell_course_name": due.course.name,
        "upsell_link": absolute_url(resolver.site.domain, due.links.upgrade),
        "user_schedule_upgrade_deadline_time": deadline_text(due),
    }


def deadline_text(due: DueCourse) -> str:
    """The last day of the upgrade, in the format of the language that is active."""
    deadline = due.schedule.upgrade_deadline
    return formats.date_format(last_day(deadline, conf.time_zone), "DATE_FORMAT") if deadline else ""


def course_url(resolver: Resolver, due: DueCourse) -> str:
    """The course home page: no redirect in between, so that tracking parameters survive."""
    return absolute_url(resolver.site.domain, due.links.home)
