"""What can go wrong, one class per reaction.

A message names the bad value, what is allowed, and the command or setting that mends it; it never holds
a learner's name or address, for it may reach a log.
"""

from __future__ import annotations

import functools
import traceback
from collections.abc import Callable
from datetime import datetime
from typing import ParamSpec, TypeVar

from celery.exceptions import TaskPredicate
from django.core.exceptions import ImproperlyConfigured

from schedules.values.text import without_addresses

P = ParamSpec("P")
T = TypeVar("T")

#: As long a word as the ledger keeps.
MAX_REASON_CHARACTERS = 50


class ConfigurationError(ImproperlyConfigured):
    """The app, a site or the host is set up wrongly: stop before any e-mail. Not a `SchedulesError`."""


class SchedulesError(Exception):
    """Base of all that may happen while a day is run."""


class SkipRecipient(SchedulesError):
    """Expected: this learner gets no message today. Record `reason`, a `SkipReason` or a host's own, and go on."""

    def __init__(self, reason: str) -> None:
        if not (isinstance(reason, str) and 0 < len(reason) <= MAX_REASON_CHARACTERS):
            raise TypeError(f"SkipRecipient() has the reason {reason!r:.100}; give a word such as 'no-highlights'.")
        super().__init__(reason)
        self.reason = reason


class OptedOut(SkipRecipient):
    """Whoever carries our messages says that the learner opted out there: keep it, so that nobody asks again."""

    def __init__(self) -> None:
        super().__init__("opted-out")


class HostError(SchedulesError):
    """The LMS could not answer, or answered what it must not. Addresses in its words are taken out.

    `is_temporary`: asking again later may help.
    """

    def __init__(self, message: str, *, is_temporary: bool = False) -> None:
        super().__init__(without_addresses(message))
        self.is_temporary = is_temporary


class DeliveryError(SchedulesError):
    """The channel did not take a message. `reason` is a `data.FailReason`, `detail` says more, without addresses.

    `is_temporary` and `retry_at` (aware, UTC) say whether and when trying again may help. `is_known`: the fault has a
    name; one that nobody can name is tried `RETRY_ATTEMPTS` times, any other for as long as the message is worth
    sending. `is_doubtful`: it may be the channel's fault, and meet the next message too. `is_recipients`: it is about
    the recipient, and about nobody else.
    """

    def __init__(
        self,
        reason: str,
        detail: str = "",
        *,
        is_temporary: bool = False,
        retry_at: datetime | None = None,
        is_known: bool = True,
        is_doubtful: bool = False,
        is_recipients: bool = False,
    ) -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail
        self.is_temporary = is_temporary
        self.retry_at = retry_at
        self.is_known = is_known
        self.is_doubtful = is_doubtful
        self.is_recipients = is_recipients


class RateLimited(DeliveryError):
    """The message was not tried: its channel's rate limit is used up until `retry_at`. Not a failed attempt."""


class ChannelUnavailable(DeliveryError):
    """Trouble with the connection or the sender: the channel's, not the learner's. No attempt; the batch stops here.

    `is_senders`: other sites, which have other senders, may still be served. `otherwise`: what it means where the
    channel has just taken another message by the same sender, and so cannot be meant.
    """

    def __init__(
        self,
        reason: str,
        detail: str = "",
        *,
        is_senders: bool = False,
        retry_at: datetime | None = None,
        otherwise: DeliveryError | None = None,
    ) -> None:
        super().__init__(reason, detail, is_temporary=True, retry_at=retry_at)
        self.is_senders = is_senders
        self.otherwise = otherwise


class Overtaken(SchedulesError):
    """A worker does not hold its message any more: its lease ran out, and another took the message over. It stops."""


class TaskFailed(SchedulesError):
    """A task broke. It stands for the error, whose class and frames it names: Celery logs what a task raises."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(redacted_traceback(error))


def redacted_traceback(error: BaseException) -> str:
    """The error's class and its frames, for logs: not its message, which may hold an address."""
    return "".join([type(error).__name__, "\n", *traceback.format_tb(error.__traceback__)]).rstrip()


def redacted(task: Callable[P, T]) -> Callable[P, T]:
    """Decorates a task: Celery and terminals show the text of what it raises, so ours names class and frames alone."""

    @functools.wraps(task)
    def guarded(*arguments: P.args, **named: P.kwargs) -> T:
        try:
            return task(*arguments, **named)
        except TaskPredicate:  # how a task asks Celery to retry or ignore it
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, it is raised again in our words
            raise TaskFailed(error) from None

    return guarded
