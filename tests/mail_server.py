"""A real SMTP server for tests, which answers as a test tells it to."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult

from tests.world import free_port

HANG, DROP = "hang", "drop"


class MailServer:
    """Keeps what it receives. `answers` maps MAIL, RCPT or DATA to an answer, `HANG`, `DROP`, or a list of these.

    GREETING, EHLO (HELO with it) and AUTH are mapped to an answer that stands until it is taken away.

    A list's answers are given one per command, then all is well again. `DROP` closes the connection: at DATA when
    the whole message has arrived, and at BODY (which knows of nothing else) in the middle of it.
    `goodbye_after`: the connection is closed after so many messages.
    """

    def __init__(self) -> None:
        self.answers: dict[str, object] = {}
        self.received: list[EmailMessage] = []
        self.raw: list[bytes] = []  # the same, as they came: a parser mends headers
        self.connections = 0
        self.open_connections = 0
        self.recipients: list[str] = []  # as they were named to the server, whatever the headers say
        self.tried = 0
        self.logins = 0
        self.goodbye_after: int | None = None
        self.port = free_port()

    # aiosmtpd's hooks -----------------------------------------------------------------------------

    def authenticate(self, server, session, envelope, mechanism, data):
        self.logins += 1
        answer = self.answers.get("AUTH")
        return AuthResult(success=answer is None, handled=answer is None, message=answer)

    async def handle_MAIL(self, server, session, envelope, address, options):
        self.tried += 1
        answer = await self._answer(server, "MAIL")
        if answer is None:
            envelope.mail_from = address
        return answer or "250 OK"

    async def handle_RCPT(self, server, session, envelope, address, options):
        answer = await self._answer(server, "RCPT")
        if answer is None:
            envelope.rcpt_tos.append(address)
            self.recipients.append(address)
        return (answer or "250 OK").replace("ADDRESS", address)

    async def handle_DATA(self, server, session, envelope):
        answer = await self._answer(server, "DATA")
        if answer is not None:
            return answer
        self.raw.append(envelope.content)
        self.received.append(message_from_bytes(envelope.content, policy=policy.default))
        server.carried += 1
        if self.goodbye_after and server.carried >= self.goodbye_after:
            asyncio.get_running_loop().call_later(0.01, server.transport.close)
        return "250 OK"

    async def _answer(self, server, command):
        answer = self.answers.get(command)
        if isinstance(answer, list):
            answer = answer.pop(0) if answer else None
        if answer == HANG:
            await asyncio.sleep(20)
        if answer == DROP:
            server.transport.abort()
            await asyncio.sleep(20)
        return answer


def _connection_of(keeper: MailServer) -> Callable[..., SMTP]:
    class Connection(SMTP):
        carried = 0
        is_greeted = False

        async def push(self, status):
            if not self.is_greeted:
                self.is_greeted = True
                status = keeper.answers.get("GREETING") or status
            await super().push(status)

        async def smtp_EHLO(self, hostname):
            await (self.push(keeper.answers["EHLO"]) if "EHLO" in keeper.answers else super().smtp_EHLO(hostname))

        async def smtp_HELO(self, hostname):
            await (self.push(keeper.answers["EHLO"]) if "EHLO" in keeper.answers else super().smtp_HELO(hostname))

        def connection_made(self, transport):
            keeper.connections += 1
            keeper.open_connections += 1
            super().connection_made(transport)

        def connection_lost(self, error):
            keeper.open_connections -= 1
            super().connection_lost(error)

        async def smtp_DATA(self, arg):
            if keeper.answers.get("BODY"):
                keeper.answers["BODY"].pop()
                await self.push("354 go on")
                await self._reader.readline()
                self.transport.abort()
                return
            await super().smtp_DATA(arg)

    return Connection


def wait_until(is_so: Callable[[], bool]) -> None:
    """The server runs in a thread of its own and is told of a closed connection a moment later."""
    for _ in range(500):
        if is_so():
            return
        time.sleep(0.01)
    raise AssertionError("it did not come to be")


@contextmanager
def mail_server(**options: Any) -> Iterator[MailServer]:
    """`options`: of aiosmtpd's `SMTP`."""
    keeper = MailServer()
    options = {"authenticator": keeper.authenticate, "auth_require_tls": False, **options}

    class OurController(Controller):
        def factory(self):
            return _connection_of(keeper)(self.handler, **self.SMTP_kwargs)

    controller = OurController(keeper, hostname="127.0.0.1", port=keeper.port, **options)
    controller.start()
    wait_until(lambda: keeper.connections == 1 and keeper.open_connections == 0)
    keeper.connections = 0  # that was the controller, which knocks once to see that the server is there
    try:
        yield keeper
    finally:
        controller.stop()
