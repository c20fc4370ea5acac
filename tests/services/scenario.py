"""One run of thousands of messages on one database and one broker, disturbed all the time, and what came of it."""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
import sys
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from tests.segment_server import SegmentServer
from tests.services.brokers import Broker
from tests.services.databases import Database
from tests.services.mail import REFUSED_DOMAIN, Accepted, MailServer
from tests.services.plan import Chaos, Step
from tests.services.processes import ROOT, Process, Workers
from tests.world import TODAY

WORKERS = 2

#: A host that recovers all the time has a clock that is so much fast.
FAST_SECONDS = 20 * 60

#: A step that waits for progress is done anyway when there was none for so long.
_PATIENCE_SECONDS = 8
_SENT = re.compile(r"^recurringnudge_day\d+ +[-+]\d+ +\d+ +\d+ +(\d+)", re.MULTILINE)  # day, found, already, sent
_BREATH_SECONDS = 0.2
_OPEN = "SELECT (SELECT COUNT(*) FROM schedules_scheduledmessage WHERE status IN ('claimed', 'delivering')), "
_OPEN += "(SELECT COUNT(*) FROM schedules_sendrun WHERE finished_at IS NULL), "
_OPEN += "(SELECT COUNT(*) FROM schedules_scheduledmessage), "
_OPEN += "(SELECT COUNT(*) FROM schedules_scheduledmessage WHERE status = 'claimed' AND due_at > '{now}')"
_STUCK = "SELECT uuid, status, reason, attempts, due_at, leased_until FROM schedules_scheduledmessage "
_STUCK += "WHERE status IN ('claimed', 'delivering') LIMIT 20"


@dataclass(frozen=True, kw_only=True)
class Size:
    """How much is asked of a scenario. It may take `seconds`, on a slow machine, and `still_seconds` with no progress.

    `rate`: messages per second of all workers together; `None`: as fast as they can.
    """

    messages: int
    seconds: float
    still_seconds: float = 120
    lease_seconds: int = 24
    refused: int = 20
    rate: int | None = None


@dataclass(frozen=True, kw_only=True)
class Result:
    """What the mail server received, what the ledger and Segment say, and what was done to them.

    `told`: how often Segment took each event, by its id.
    """

    database: str
    broker: str
    seed: int
    accepted: list[Accepted]
    answers: Counter[str]
    ledger: Mapping[str, Any]
    told: Counter[str]
    printed: str
    carried: list[str]
    kills: int
    killed: int
    suspended: int
    seconds: float

    @cached_property
    def expected(self) -> set[str]:
        return {address for address in self.ledger["due"] if not address.endswith(f"@{REFUSED_DOMAIN}")}

    @cached_property
    def copies(self) -> Counter[str]:
        """How often each message was accepted, by its Message-ID."""
        return Counter(one.message_id for one in self.accepted)

    @property
    def duplicates(self) -> int:
        return len(self.accepted) - len(self.copies)

    @property
    def lost(self) -> set[str]:
        return self.expected - {one.recipient for one in self.accepted}

    def most_within(self, seconds: float) -> int:
        """How many messages the mail server accepted in the busiest span of so many seconds."""
        times = sorted(one.at for one in self.accepted)
        return max(bisect_left(times, at + seconds) - number for number, at in enumerate(times))

    @property
    def retries(self) -> int:
        return sum(max(0, row["attempts"] - 1) for row in self.ledger["rows"])

    @property
    def printed_sent(self) -> int:
        """What the commands' tables say under "sent", all together."""
        return sum(map(int, _SENT.findall(self.printed)))

    def row(self) -> tuple[str, ...]:
        numbers = (len(self.copies), self.kills, self.killed, self.duplicates, len(self.lost), self.retries)
        return self.database, self.broker, *map(str, numbers), f"{self.seconds:.0f}", str(self.seed)


COLUMNS = ("database", "broker", "messages", "kills", "killed", "duplicates", "lost", "retries", "seconds", "seed")


class Scenario:
    """Sets a school up, starts workers and the command, does what is planned, and waits for the end of it all."""

    def __init__(self, database: Database, broker: Broker, size: Size, seed: int, folder: Path) -> None:
        self.database, self.broker, self.size, self.seed, self.folder = database, broker, size, seed, folder
        self.mail = MailServer(seed)
        self.segment = SegmentServer()
        self.segment.statuses = [503] * 4
        self.environment = {
            "DJANGO_SETTINGS_MODULE": "tests.services.settings",
            "DATABASE_URL": database.url,
            "CELERY_BROKER_URL": broker.url,
            "SERVICES_SMTP_PORT": str(self.mail.port),
            "SERVICES_SEGMENT_URL": self.segment.url,
            "SERVICES_LEASE_SECONDS": str(size.lease_seconds),
            "SERVICES_RATE": str(size.rate or ""),
            "PYTHONWARNINGS": "ignore",
        }
        self._began = self._moved_at = time.monotonic()
        self._state = ""

    def run(self, plan: Callable[[Chaos], list[Step]]) -> Result:
        with self._services():
            self._inside("manage.py", "migrate", "--verbosity", "0")
            self._inside("-m", "tests.services.inside", "fill", str(self.size.messages), str(self.size.refused))
            self._began = self._moved_at = time.monotonic()
            self.note(f"seed {self.seed}: {self.size.messages} learners on {self._place}")
            with self._processes() as workers:
                chaos = Chaos(
                    database=self.database,
                    broker=self.broker,
                    mail=self.mail,
                    workers=workers,
                    chance=random.Random(self.seed),  # noqa: S311 - to be repeated, nothing secret
                )
                with chaos.ending():
                    self._disturb(plan(chaos), workers)
                self._wait_until_finalized(workers)
                printed = "".join(self._output(one) for one in self._commands)
                seconds = time.monotonic() - self._began
            report = json.loads(self._inside("-m", "tests.services.inside", "report"))
            return Result(
                database=self.database.name,
                broker=self.broker.name,
                seed=self.seed,
                accepted=self.mail.accepted,
                answers=self.mail.answers,
                ledger=report,
                told=Counter(event["messageId"] for event in self.segment.events),
                printed=printed,
                carried=chaos.carried,
                kills=workers.kills,
                killed=workers.killed,
                suspended=len(workers.suspended),
                seconds=seconds,
            )

    @property
    def _place(self) -> str:
        return f"{self.database.name} and {self.broker.name}"

    def note(self, text: str) -> None:
        """One line of the chronicle; pytest shows it when a test fails."""
        print(f"{time.monotonic() - self._began:7.1f} s  {self.mail.count():6d} sent  {text}", flush=True)  # noqa: T201 - for who watches the suite

    @contextmanager
    def _services(self) -> Iterator[None]:
        with ExitStack() as stack:
            for service in (self.database, self.broker):
                stack.callback(service.drop)
                service.create()
            stack.callback(self.segment.close)
            stack.callback(self.mail.stop)
            self.mail.start()
            yield

    @contextmanager
    def _processes(self) -> Iterator[Workers]:
        """Workers, two of beat, the same command started twice at once, and a host with a wrong clock that recovers."""
        with ExitStack() as stack:
            workers = Workers(WORKERS, self.environment, self.folder, self.seed)
            stack.callback(workers.stop)
            for number in (1, 2):
                beat = ["-m", "celery", "-A", "demo", "beat", "-s", str(self.folder / f"beat{number}"), "-l", "WARNING"]
                stack.callback(self._start(f"beat{number}", *beat, "--pidfile=").kill)
            fast = ["-m", "tests.services.inside", "recover", str(FAST_SECONDS)]
            stack.callback(self._start("fast", *fast).kill)
            command = ["manage.py", "send_recurring_nudge", "example.com", "--date", TODAY.isoformat()]
            self._commands = [self._start(f"command{number}", *command, "--wait") for number in (1, 2)]
            for one in self._commands:
                stack.callback(one.kill)
            yield workers

    def _start(self, name: str, *arguments: str) -> Process:
        return Process(name, arguments, self.environment, self.folder)

    def _inside(self, *arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=ROOT,
            env={**os.environ, **self.environment},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{' '.join(arguments)}\n{done.stderr[-3000:]}"
        return done.stdout

    def _disturb(self, steps: list[Step], workers: Workers) -> None:
        last, moved_at = 0, time.monotonic()
        for number, step in enumerate(steps):
            while True:
                self._revive(workers)
                count = self.mail.count()
                if count > last:
                    last, moved_at = count, time.monotonic()
                if count >= step.at * self.size.messages:
                    break
                if count and time.monotonic() > moved_at + _PATIENCE_SECONDS:
                    break
                self._check_the_time(workers, f"{count} sent, {number} of {len(steps)} steps of the plan done")
                time.sleep(0.05)
            self.note(step.act())
            moved_at = time.monotonic()
            time.sleep(_BREATH_SECONDS)

    def _output(self, command: Process) -> str:
        """What a command said, once it has seen that its runs are finished."""
        assert command.popen.wait(timeout=30) == 0, command.said()
        return command.log.read_text(encoding="utf-8")

    def _revive(self, workers: Workers) -> None:
        for text in workers.revive():
            self.note(text)

    def _wait_until_finalized(self, workers: Workers) -> None:
        self.note("the plan is done")
        while True:
            self._revive(workers)
            now = datetime.now(UTC).replace(tzinfo=None)
            ((pending, unfinished, rows, waiting),) = self.database.rows(_OPEN.format(now=now))
            if rows >= self.size.messages and not pending and not unfinished:
                self.note("everything is finalized")
                return
            counts = f"{self.mail.count()} sent, {pending} pending"
            if pending and pending == waiting:  # for their next try: who was refused often waits for minutes
                self._moved_at = time.monotonic()
            self._check_the_time(workers, f"{counts}, {unfinished} runs not finished, {rows} rows")
            time.sleep(1)

    def _check_the_time(self, workers: Workers, state: str) -> None:
        now = time.monotonic()
        if state != self._state or not self.mail.count():  # a busy machine needs minutes to start all processes
            self._state, self._moved_at = state, now
        if now > self._began + self.size.seconds or now > self._moved_at + self.size.still_seconds:
            stuck = map(str, self.database.rows(_STUCK))
            said = "\n".join([*stuck, workers.said(), *(one.said() for one in self._commands)])
            still = f"without progress for {now - self._moved_at:.0f} s"
            raise AssertionError(f"Not finalized after {now - self._began:.0f} s, {still}: {state}\n{said}")
