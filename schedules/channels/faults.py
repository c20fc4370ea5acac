"""What an error of a channel means for a message: by what it says, not by whose class it is.

A backend wraps the errors of its library, and that one those of the next; so the whole chain of causes is read. No
provider's library is imported: what they have in common are sockets, HTTP, SMTP and how classes are called.
"""

from __future__ import annotations

import errno
import logging
import re
import socket
import ssl
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http.client import HTTPException
from smtplib import (
    SMTPAuthenticationError,
    SMTPConnectError,
    SMTPDataError,
    SMTPException,
    SMTPHeloError,
    SMTPRecipientsRefused,
    SMTPResponseException,
    SMTPSenderRefused,
    SMTPServerDisconnected,
)
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.utils import timezone

from schedules.channels.smtp_answers import CLOSING, Whose, interpret, interpret_words, is_greylisting
from schedules.exceptions import ChannelUnavailable, DeliveryError, redacted_traceback
from schedules.values.outcomes import FailReason
from schedules.values.remote import NAMED_LATER, aws_code_of, inside, is_later, names_of, status_of
from schedules.values.text import one_line, without_addresses

log = logging.getLogger(__name__)

# SMTP (RFC 5321) ----------------------------------------------------------------------------------
#: At MAIL this speaks of the message's size (RFC 1870), which is announced there.
_TOO_BIG = 552
# HTTP (RFC 9110) ----------------------------------------------------------------------------------
#: The key, the account, the sender's domain or the address of the API is wrong.
_HTTP_NOT_FOR_YOU = frozenset({401, 402, 403, 404, 405, 407})
#: The same in the words of Amazon, which says 400 to most.
_AWS_NOT_FOR_YOU = re.compile(
    r"suspended|paused|notverified|denied|signature|token|credential|unrecognizedclient|optin|doesnotexist",
    re.IGNORECASE,
)

# Sockets ------------------------------------------------------------------------------------------
_NOBODY_THERE = frozenset({errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.EHOSTDOWN, errno.ENETUNREACH, errno.ENETDOWN})
_MID_STREAM = (ssl.SSLEOFError, ssl.SSLZeroReturnError, ssl.SSLWantReadError, ssl.SSLWantWriteError)

# How errors are called, where they are of no class that all know.
_NAMED_UNREACHABLE = re.compile(
    r"ConnectTimeout|ConnectError|ConnectorError|NewConnectionError|EndpointConnectionError|NameResolutionError"
)
_NAMED_NOT_FOR_YOU = re.compile(r"Credential|Authenti|Unauthorized|Forbidden")
_NAMED_REFUSAL = re.compile(r"RecipientsRefused")


def delivery_error(error: BaseException, *addresses: str) -> DeliveryError:
    """What `error` means for the message that was handed over. `addresses`: the recipient's, to be kept out of logs.

    Side effect: an error that nobody can name is logged, with its class and frames.
    """
    links, name = list(_chain(error)), type(error).__name__
    for link in links:
        found = link if isinstance(link, DeliveryError) else _by_smtp(link, addresses) or _by_http(link, name)
        if found is not None:
            return found
    found = _by_class(links, name)
    if found is None:
        log.error("A channel failed: %s", redacted_traceback(error))
        found = DeliveryError(FailReason.CHANNEL_ERROR, name, is_temporary=True, is_known=False)
    return found


def unavailable(error: BaseException) -> ChannelUnavailable:
    """What `error` means if no message was handed over yet: whatever it is, it would meet any other message too."""
    found = delivery_error(error)
    if isinstance(found, ChannelUnavailable):
        return found
    return ChannelUnavailable(found.reason, found.detail, retry_at=found.retry_at)


def is_refused_by_used_connection(error: BaseException) -> bool:
    """Whether a server turned a message away before it knew for whom, and may take it over a new connection."""
    return isinstance(error, SMTPSenderRefused) and 400 <= error.smtp_code < 500


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error, then what caused it, outermost first: the nearest that can be named decides."""
    seen: set[int] = set()
    link: BaseException | None = error
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        yield link
        link = link.__cause__ or link.__context__


def _in_doubt(detail: str, reason: FailReason = FailReason.CHANNEL_ERROR, **more: Any) -> DeliveryError:
    return DeliveryError(reason, detail, is_temporary=True, is_doubtful=True, **more)


# SMTP ---------------------------------------------------------------------------------------------


def _by_smtp(error: BaseException, addresses: tuple[str, ...]) -> DeliveryError | None:
    found: DeliveryError | None = None
    match error:
        case SMTPRecipientsRefused():
            answers = list(error.recipients.values())
            found = _answer(*answers[0], addresses, error) if answers else _in_doubt(type(error).__name__)
        case SMTPConnectError() | SMTPHeloError() | SMTPAuthenticationError():
            found = ChannelUnavailable(FailReason.CHANNEL_REFUSED, _text(error.smtp_code, error.smtp_error, addresses))
        case SMTPSenderRefused() if error.smtp_code != _TOO_BIG:
            detail = _text(error.smtp_code, error.smtp_error, addresses)
            is_everybodys = interpret(error.smtp_code, _answer_alone(detail)).whose is Whose.EVERYBODYS
            found = ChannelUnavailable(FailReason.CHANNEL_REFUSED, detail, is_senders=not is_everybodys)
        case SMTPResponseException():
            found = _answer(error.smtp_code, error.smtp_error, addresses, error)
        case SMTPServerDisconnected():
            found = _in_doubt(type(error).__name__)
        case SMTPException():  # no STARTTLS, no way to log in that both know
            answer = without_addresses(one_line(str(error)), *addresses)
            found = ChannelUnavailable(FailReason.CHANNEL_ERROR, f"{type(error).__name__}: {answer}"[:150])
    return found


def _answer(code: int, answer: bytes | str, addresses: tuple[str, ...], error: SMTPException) -> DeliveryError:
    """An answer about one message: whose it is, and by its first digit whether waiting helps (RFC 5321, 4.2.1)."""
    if not 400 <= code < 600:
        return _in_doubt(f"unexpected answer {code}")
    detail = _text(code, answer, addresses)
    is_at_data = isinstance(error, SMTPDataError)
    whose, is_sure = interpret(code, _answer_alone(detail), is_at_data=is_at_data)
    is_policy = is_at_data and code < 500 and whose is Whose.NOBODYS and not is_greylisting(detail)
    refusal = DeliveryError(
        FailReason.CHANNEL_REFUSED,
        detail,
        is_temporary=code < 500,
        is_doubtful=code == CLOSING or is_policy,
        is_recipients=whose is Whose.RECIPIENTS,
    )
    return _judged(refusal, whose, is_sure=is_sure)


def _judged(refusal: DeliveryError, whose: Whose, *, is_sure: bool) -> DeliveryError:
    """The refusal itself, or the channel's trouble that it tells of."""
    if whose not in (Whose.SENDERS, Whose.EVERYBODYS):
        return refusal
    return ChannelUnavailable(
        refusal.reason,
        refusal.detail,
        is_senders=whose is Whose.SENDERS,
        otherwise=None if is_sure else refusal,
    )


def _answer_alone(detail: str) -> str:
    return detail.partition(" ")[2]


def _text(code: int, answer: bytes | str, addresses: tuple[str, ...]) -> str:
    text = answer.decode("utf-8", "replace") if isinstance(answer, bytes) else str(answer)
    return without_addresses(" ".join(one_line(f"{code} {text}").split()), *addresses)


# HTTP ---------------------------------------------------------------------------------------------


def _by_http(error: BaseException, name: str) -> DeliveryError | None:
    """`name`: of the outermost error, which says by its class whose answer it was."""
    status, code = status_of(error), aws_code_of(error)
    if not code and status is None:
        return None
    detail = f"{name} {code if status in (None, 400) and code else status}"
    if is_later(error):
        retry_at = _retry_after(getattr(error, "response", None), timezone.now())
        return _in_doubt(detail, FailReason.CHANNEL_REFUSED, retry_at=retry_at)
    if status in _HTTP_NOT_FOR_YOU or _AWS_NOT_FOR_YOU.search(code):
        return ChannelUnavailable(FailReason.CHANNEL_REFUSED, detail, is_senders=True)
    # Amazon has one code for what is wrong with a message and with its sender.
    words = str(inside(getattr(error, "response", None), "Error", "Message") or "")
    whose, is_sure = interpret_words(one_line(words))
    refusal = DeliveryError(FailReason.CHANNEL_REFUSED, detail, is_recipients=whose is Whose.RECIPIENTS)
    return _judged(refusal, whose, is_sure=is_sure)


def _retry_after(response: Any, now: datetime) -> datetime | None:
    """When the service wants to be asked again (RFC 9110, 10.2.3); `None` if it does not say, or is past."""
    headers = getattr(response, "headers", None) or inside(response, "ResponseMetadata", "HTTPHeaders") or {}
    answer = next((str(value) for key, value in headers.items() if str(key).lower() == "retry-after"), "").strip()
    try:
        at = now + timedelta(seconds=int(answer)) if answer.isdecimal() else parsedate_to_datetime(answer)
    except (OverflowError, TypeError, ValueError):
        return None
    at = at if at.tzinfo is not None else at.replace(tzinfo=UTC)
    return at if at > now else None


# Classes ------------------------------------------------------------------------------------------


def _by_class(links: Sequence[BaseException], name: str) -> DeliveryError | None:
    """What errors without an answer mean; `None` where nobody can name them."""
    names = " ".join(map(names_of, links))
    setup = next((link for link in links if isinstance(link, ImproperlyConfigured)), None)
    found: DeliveryError | None = None
    if setup is not None:
        answer = without_addresses(one_line(str(setup)))[:150]
        found = ChannelUnavailable(FailReason.CHANNEL_ERROR, f"{type(setup).__name__}: {answer}")
    elif any(map(_is_unreachable, links)) or _NAMED_UNREACHABLE.search(names):
        found = ChannelUnavailable(FailReason.CHANNEL_ERROR, name)
    elif _NAMED_REFUSAL.search(names):
        found = DeliveryError(FailReason.CHANNEL_REFUSED, name, is_recipients=True)
    elif _NAMED_NOT_FOR_YOU.search(names):
        found = ChannelUnavailable(FailReason.CHANNEL_ERROR, name, is_senders=True)
    elif any(isinstance(link, OSError | HTTPException) for link in links) or NAMED_LATER.search(names):
        found = _in_doubt(name)
    return found


def _is_unreachable(error: BaseException) -> bool:
    """Whether there was no connection yet, so that no message can be the cause."""
    if isinstance(error, ssl.SSLError):
        return not isinstance(error, _MID_STREAM)
    is_unknown_or_refused = isinstance(error, socket.gaierror | ConnectionRefusedError)
    return is_unknown_or_refused or getattr(error, "errno", None) in _NOBODY_THERE
