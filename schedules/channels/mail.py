"""The channel `schedules_email`: Django's mail, with one connection for a whole batch."""

from __future__ import annotations

import copy
import smtplib
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext, suppress
from email import message_from_bytes, policy
from email.utils import formataddr, parseaddr
from typing import Any

from django.conf import settings
from django.core import mail
from django.core.mail import EmailMultiAlternatives
from django.utils import translation
from edx_ace.channel import Channel
from edx_ace.channel.mixins import EmailChannelMixin

from schedules.channels import batch, faults
from schedules.conf import conf
from schedules.exceptions import ChannelUnavailable, ConfigurationError, DeliveryError, SchedulesError, SkipRecipient
from schedules.values.addresses import is_international, sendable
from schedules.values.headers import keep_whole
from schedules.values.links import ascii_address
from schedules.values.outcomes import FailReason, SkipReason
from schedules.values.text import one_line


class MailChannel(EmailChannelMixin, Channel):
    """Sends through whatever mail backend Django is set up with.

    Raises `DeliveryError` and `SkipRecipient`, which edx-ace neither swallows nor sleeps on. Unlike `django_email` it
    shows the rendered sender name, and keeps its connection for as long as `mail_connection()` lasts.
    """

    def deliver(self, message: Any, rendered_message: Any) -> None:
        email = self._email(message, rendered_message)
        connection = batch.mail_connection.get()
        with nullcontext(connection) if connection else mail_connection() as used:
            used.send(email)

    def _email(self, message: Any, rendered: Any) -> EmailMultiAlternatives:
        if not message.recipient.email_address:
            raise DeliveryError(FailReason.CHANNEL_ERROR, "the recipient has no address")
        recipient = sendable(message.recipient.email_address)
        if recipient is None:
            raise SkipRecipient(SkipReason.BAD_ADDRESS)
        sender = str(message.options.get("from_address") or conf.lms("DEFAULT_FROM_EMAIL", ""))
        name, address = parseaddr(ascii_address(sender))
        if not address:
            raise ChannelUnavailable(FailReason.CHANNEL_ERROR, "no sender; set DEFAULT_FROM_EMAIL", is_senders=True)
        email = _Email(
            subject=_in_one_line(rendered.subject),
            body=rendered.body,
            from_email=formataddr((_in_one_line(rendered.from_name or "") or name, address)),
            to=[recipient],
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

    def send(self, email: EmailMultiAlternatives) -> None:
        """Returns if the backend took the message, else raises `DeliveryError`, or `SkipRecipient` for the address.

        A connection that erred is dropped.
        """
        try:
            count = self._send(email)
        except SchedulesError:
            raise
        except Exception as error:  # noqa: BLE001 - a backend may raise anything
            self.close()
            raise faults.delivery_error(error, *email.to) from None  # the original may hold an address
        self._carried += 1
        if count == 0:
            detail = "the mail backend sent nothing; does it fail silently?"
            raise DeliveryError(FailReason.CHANNEL_ERROR, detail, is_temporary=True, is_known=False)

    def close(self) -> None:
        """Close what is open. Side effect: none on messages, whatever the server says to it."""
        backend, self._backend, self._carried = self._backend, None, 0
        if backend is not None:
            with suppress(Exception):  # a server that is gone cannot be told good-bye
                backend.close()

    def _send(self, email: EmailMultiAlternatives) -> Any:
        """What `send_messages` of the backend says. What a used connection takes no more goes over a new one."""
        backend = self._opened()
        if is_international(email.to[0]):
            return _send_international(backend, email)
        try:
            return backend.send_messages([email])
        except Exception as error:
            if not (self._carried and faults.is_refused_by_used_connection(error)):
                raise
        self.close()
        return self._opened().send_messages([email])

    def _opened(self) -> Any:
        """Raises `ChannelUnavailable`: what goes wrong before there is a message is not the message's fault."""
        if self._backend is not None and (
            self._carried >= conf.smtp_messages_per_connection or not _is_alive(self._backend)
        ):
            self.close()
        if self._backend is None:
            try:
                self._backend = _new_backend()
                self._backend.open()
            except ConfigurationError:
                raise
            except Exception as error:  # noqa: BLE001 - a backend may raise anything
                self.close()
                raise faults.unavailable(error) from None
        return self._backend


@contextmanager
def mail_connection() -> Iterator[MailConnection]:
    """All that `MailChannel` sends within shares one connection, which is closed at the end. Opened only if used."""
    with closing(MailConnection()) as connection, batch.around(batch.mail_connection, connection):
        yield connection


def _new_backend() -> Any:
    """Django's default mail backend, not yet connected; never without a timeout, where it knows of any.

    From Django 6.1 on `mailers` reads `MAILERS` as well as the older `EMAIL_*`; `get_connection` is deprecated there.
    """
    backend: Any = mail.mailers.default if hasattr(mail, "mailers") else mail.get_connection()
    if getattr(backend, "timeout", 0) is None:
        backend.timeout = conf.smtp_timeout_seconds
    return backend


def _send_international(backend: Any, email: EmailMultiAlternatives) -> int:
    """Send to a mailbox whose name is not ASCII (RFC 6531). Raises `SkipRecipient` where there is no way.

    Django and providers' APIs would encode the name, and that is another mailbox.
    """
    connection = getattr(backend, "connection", None)
    if not isinstance(connection, smtplib.SMTP):
        raise SkipRecipient(SkipReason.BAD_ADDRESS)
    connection.ehlo_or_helo_if_needed()
    if not connection.has_extn("smtputf8"):
        raise SkipRecipient(SkipReason.BAD_ADDRESS)
    (address,) = email.to
    without_address = copy.copy(email)
    without_address.to = []
    as_written = policy.SMTPUTF8.clone(refold_source="none", max_line_length=0)
    message = message_from_bytes(without_address.message().as_bytes(), policy=as_written)
    message["To"] = address
    connection.send_message(message, parseaddr(email.from_email)[1], [address])
    return 1


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


def _in_one_line(text: str) -> str:
    return one_line(" ".join(text.split()))
