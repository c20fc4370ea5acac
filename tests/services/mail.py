"""A real SMTP server that keeps what it accepted, and can be in a bad mood."""

from __future__ import annotations

import asyncio
import random
import re
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from threading import Lock
from time import monotonic
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from tests.services.ports import own_port

#: The server has no mailbox here, and its answer names the address.
REFUSED_DOMAIN = "refused.example.com"

#: Longer than any client waits.
_LONG_SECONDS = 60

#: A server looks at a message before it takes it.
_MAX_THINKING_SECONDS = 0.08

_MESSAGE_ID = re.compile(rb"^Message-ID:\s*(\S+)", re.IGNORECASE | re.MULTILINE)


class Mood(StrEnum):
    """How the server is: `BUSY` says 421 and 451, `HANGING` answers too late, `DROPPING` cuts the line in DATA."""

    GOOD = "good"
    BUSY = "busy"
    HANGING = "hanging"
    DROPPING = "dropping"


@dataclass(frozen=True, slots=True)
class Accepted:
    recipient: str
    message_id: str
    at: float


class MailServer:
    """SMTP on a free port at 127.0.0.1, in a thread. `accepted` grows at the moment before each 250."""

    def __init__(self, seed: int) -> None:
        self.accepted: list[Accepted] = []
        self.answers: Counter[str] = Counter()
        self.mood = Mood.GOOD
        self.port = own_port()
        self.chance = random.Random(seed)  # noqa: S311 - to be repeated, nothing secret
        self._before_yes: deque[Callable[[int], None]] = deque()
        self._lock = Lock()
        self._controller: Controller | None = None

    def start(self) -> None:
        self._controller = _Controller(_Handler(self), hostname="127.0.0.1", port=self.port)
        self._controller.start()

    def stop(self) -> None:
        if self._controller:
            self._controller.stop(no_assert=True)
            self._controller = None

    def count(self) -> int:
        """How many different messages were accepted."""
        with self._lock:
            return len({one.message_id for one in self.accepted})

    def before_next_yes(self, act: Callable[[int], None]) -> None:
        """Accept the next message, call `act` with the client's port, and only then tell the client."""
        self._before_yes.append(act)

    async def accept(self, envelope: Envelope, client_port: int) -> str:
        found = _MESSAGE_ID.search(envelope.original_content or b"")
        message_id = found[1].decode() if found else ""
        with self._lock:
            self.accepted += [Accepted(recipient, message_id, monotonic()) for recipient in envelope.rcpt_tos]
            act = self._before_yes.popleft() if self._before_yes else None
        if act:  # elsewhere, for it takes its time, in which others would give up messages that are taken afterwards
            await asyncio.to_thread(act, client_port)
        return self.answer("250 2.0.0 queued")

    def answer(self, text: str) -> str:
        self.answers[text[:3]] += 1
        return text


class _Handler:
    def __init__(self, server: MailServer) -> None:
        self.server = server

    async def handle_MAIL(self, smtp: Any, session: Session, envelope: Envelope, address: str, options: Any) -> str:
        if self.server.mood is Mood.BUSY and self.server.chance.random() < 0.3:
            asyncio.get_running_loop().call_later(0.05, smtp.transport.close)
            return self.server.answer("421 4.3.2 closing, come back later")
        envelope.mail_from = address
        return "250 2.1.0 sender ok"

    async def handle_RCPT(self, smtp: Any, session: Session, envelope: Envelope, address: str, options: Any) -> str:
        if address.endswith(f"@{REFUSED_DOMAIN}"):
            return self.server.answer(f"550 5.1.1 <{address}>: no such mailbox")
        if self.server.mood is Mood.BUSY and self.server.chance.random() < 0.3:
            return self.server.answer(f"451 4.7.1 <{address}>: greylisted, try again")
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 recipient ok"

    async def handle_DATA(self, smtp: Any, session: Session, envelope: Envelope) -> str:
        if self.server.mood is Mood.BUSY:
            return self.server.answer("451 4.3.0 the disk is full, try again")
        if self.server.mood is Mood.HANGING:
            self.server.answers["hung"] += 1
            await asyncio.sleep(_LONG_SECONDS)
            return "451 4.3.0 too late"
        await asyncio.sleep(self.server.chance.uniform(0, _MAX_THINKING_SECONDS))
        return await self.server.accept(envelope, session.peer[1])


class _SMTP(SMTP):
    """A connection; `open_lines` are the transports of all."""

    open_lines: set[asyncio.Transport]

    def connection_made(self, transport: Any) -> None:
        self.open_lines.add(transport)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        self.open_lines.discard(self.transport)
        super().connection_lost(error)

    async def smtp_DATA(self, arg: str) -> None:
        """In a bad mood, ask for the message, read a little of it and cut the line."""
        if self.event_handler.server.mood is not Mood.DROPPING:
            await super().smtp_DATA(arg)
            return
        await self.push("354 go on")
        await self._reader.readline()
        self.event_handler.server.answers["dropped"] += 1
        self.transport.abort()
        await asyncio.sleep(_LONG_SECONDS)  # ended by the loss of the connection


class _Controller(Controller):
    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._open_lines: set[asyncio.Transport] = set()

    def factory(self) -> SMTP:
        connection = _SMTP(self.handler, **self.SMTP_kwargs)
        connection.open_lines = self._open_lines
        return connection

    def stop(self, no_assert: bool = False) -> None:
        """As a server that ends does, cut every line: aiosmtpd would leave them open and their sockets to nobody."""
        asyncio.run_coroutine_threadsafe(self._hang_up(), self.loop).result(timeout=10)
        super().stop(no_assert)

    async def _hang_up(self) -> None:
        for line in list(self._open_lines):
            line.abort()
        while self._open_lines:
            await asyncio.sleep(0)
