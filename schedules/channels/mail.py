"""The channel `schedules_email`: Django's mail, with one connection for a whole batch."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from email.utils import formataddr, parseaddr
from smtplib import SMTPException, SMTPRecipientsRefused, SMTPResponseException, SMTPServerDisconnected
from typing import Any

from django.conf import settings
from django.core import mail
from django.core.exceptions import ImproperlyConfigured
from django.core.mail import EmailMultiAlternatives
from django.utils import translation
from edx_ace.channel import Channel
from edx_ace.channel.mixins import EmailChannelMixin

from schedules.conf import conf
from schedules.data import FailReason, one_line, without_addresses
from schedules.exceptions import DeliveryError, where
from schedules.whole_headers import keep_whole

log = logging.getLogger(__name__)

# A server that hangs costs a timeout; after so many in a row the rest of the batch waits for its next turn,
# or a batch would outlast its lease.
_MOST_TROUBLE = 3

_BLANKS = re.compile(r"\s+")


class MailChannel(EmailChannelMixin, Channel):
    """Sends through whatever mail backend Django is set up with.

    Raises `DeliveryError`, which edx-ace neither swallows nor sleeps on. Unlike `django_email` it shows the
    rendered sender name, and keeps its connection for as long as `mail_connection()` lasts.
    """

    def deliver(self, message: Any, rendered_message: Any) -> None:
        email = self._email(message, rendered_message)
        connection = _shared.get()
        if connection is not None:
            connection.send(email)
            return
        with mail_connection() as own:
            own.send(email)

    def _email(self, message: Any, rendered: Any) -> EmailMultiAlternatives:
        if not message.recipient.email_address:
            raise DeliveryError(FailReason.CHANNEL_ERROR, "the recipient has no address")
        name, address = parseaddr(self.get_from_address(message))
        email = _Email(
            subject=_in_one_line(rendered.subject),
            body=rendered.body,
            from_email=formataddr((_in_one_line(rendered.from_name or "") or name, address)),
            to=[message.recipient.email_address],
            reply_to=message.options.get("reply_to"),
            headers=message.headers,
        )
        email.attach_alternative(whole_document(message.language, rendered.head_html, rendered.body_html), "text/html")
        return email


class _Email(EmailMultiAlternatives):
    """An e-mail whose longest headers stay whole on the way."""

    def message(self, **options: Any) -> Any:
        message = super().message(**options)
        keep_whole(message)
        return message


def whole_document(language: str | None, head_html: str, body_html: str) -> str:
    """An HTML document that says its language and direction, which edx-ace's own does not (WCAG 2.1, 3.1.1)."""
    language = language or settings.LANGUAGE_CODE
    with translation.override(language):
        direction = "rtl" if translation.get_language_bidi() else "ltr"
    document: str = EmailChannelMixin.make_simple_html_template(head_html, body_html)
    return document.replace("<html>", f'<html lang="{language}" dir="{direction}">', 1)


class MailConnection:
    """A connection that is opened at the first message, and again when it is gone or has carried enough."""

    def __init__(self) -> None:
        self._backend: Any = None
        self._carried = 0
        self._troubles = 0

    def send(self, email: EmailMultiAlternatives) -> None:
        """Returns if the backend took the message, else raises `DeliveryError`. A connection that erred is dropped."""
        if self._troubles >= _MOST_TROUBLE:
            raise DeliveryError(
                FailReason.CHANNEL_ERROR, "the mail server did not answer others of the batch", is_temporary=True
            )
        try:
            count = self._opened().send_messages([email])
        except ImproperlyConfigured:
            raise
        except Exception as error:  # noqa: BLE001 - a backend may raise anything
            self.close()
            failure = _failure(error, email.to)
            is_trouble = failure.is_temporary and failure.reason == FailReason.CHANNEL_ERROR
            self._troubles = self._troubles + 1 if is_trouble else 0
            raise failure from None  # the original may hold an address
        self._troubles = 0
        self._carried += 1
        if count == 0:
            raise DeliveryError(FailReason.CHANNEL_ERROR, "the mail backend sent nothing; does it fail silently?")

    def close(self) -> None:
        """Close what is open. Side effect: none on messages, whatever the server says to it."""
        backend, self._backend, self._carried = self._backend, None, 0
        if backend is not None:
            with suppress(Exception):  # a server that is gone cannot be told good-bye
                backend.close()

    def _opened(self) -> Any:
        if self._backend is not None and (
            self._carried >= conf.smtp_messages_per_connection or not _is_alive(self._backend)
        ):
            self.close()
        if self._backend is None:
            self._backend = _new_backend()
            self._backend.open()
        return self._backend


_shared: ContextVar[MailConnection | None] = ContextVar("shared_mail_connection", default=None)


@contextmanager
def mail_connection() -> Iterator[MailConnection]:
    """All that `MailChannel` sends within shares one connection, which is closed at the end. Opened only if used."""
    connection = MailConnection()
    token = _shared.set(connection)
    try:
        yield connection
    finally:
        _shared.reset(token)
        connection.close()


def _new_backend() -> Any:
    """Django's default mail backend, not yet connected; never without a timeout, where it knows of any.

    From Django 6.1 on `mailers` reads `MAILERS` as well as the older `EMAIL_*`; `get_connection` is deprecated there.
    """
    backend: Any = mail.mailers.default if hasattr(mail, "mailers") else mail.get_connection()
    if getattr(backend, "timeout", 0) is None:
        backend.timeout = conf.smtp_timeout_seconds
    return backend


def _is_alive(backend: Any) -> bool:
    """Whether the server still listens, if the backend holds a connection of `smtplib`; others are believed.

    Asked before each message but the first: what fails at NOOP was surely not sent, so it can go over a new
    connection at once, which cannot be said of a connection that breaks later on.
    """
    noop = getattr(getattr(backend, "connection", None), "noop", None)
    if noop is None:
        return True
    try:
        return bool(noop()[0] == 250)
    except OSError:
        return False


def _failure(error: Exception, addresses: list[str]) -> DeliveryError:
    """What an error means for the message: the first digit of the answer decides (RFC 5321, 4.2.1)."""
    if isinstance(error, SMTPRecipientsRefused):
        answers = list(error.recipients.values())
        return _refusal(*answers[0], addresses) if answers else _trouble(error)
    if isinstance(error, SMTPResponseException):
        return _refusal(error.smtp_code, error.smtp_error, addresses)
    if isinstance(error, SMTPServerDisconnected):
        return _trouble(error)
    if isinstance(status := getattr(error, "status_code", None), int):  # a provider's API, as django-anymail calls it
        is_temporary = status == 429 or status >= 500
        return DeliveryError(FailReason.CHANNEL_REFUSED, f"{type(error).__name__} {status}", is_temporary=is_temporary)
    if isinstance(error, OSError) and not isinstance(error, SMTPException):
        return _trouble(error)
    log.error("The mail backend failed: %s", where(error))
    return DeliveryError(FailReason.CHANNEL_ERROR, type(error).__name__)


def _refusal(code: int, answer: bytes | str, addresses: list[str]) -> DeliveryError:
    text = answer.decode("utf-8", "replace") if isinstance(answer, bytes) else str(answer)
    if not 400 <= code < 600:
        return DeliveryError(FailReason.CHANNEL_ERROR, f"unexpected answer {code}", is_temporary=True)
    detail = without_addresses(_in_one_line(f"{code} {text}"), *addresses)
    return DeliveryError(FailReason.CHANNEL_REFUSED, detail, is_temporary=code < 500)


def _trouble(error: Exception) -> DeliveryError:
    return DeliveryError(FailReason.CHANNEL_ERROR, type(error).__name__, is_temporary=True)


def _in_one_line(text: str) -> str:
    return one_line(_BLANKS.sub(" ", text))
