"""What is done to a run, and when: by how many of its messages the mail server has accepted."""

from __future__ import annotations

import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.services.brokers import Broker
from tests.services.databases import Database
from tests.services.mail import MailServer, Mood
from tests.services.processes import Workers


@dataclass(frozen=True, kw_only=True)
class Step:
    """To be done once this part (0 to 1) of the messages was accepted. `act` says what it did."""

    at: float
    act: Callable[[], str]


@dataclass(kw_only=True)
class Chaos:
    """The disturbances of one scenario. The same seed makes the same plan, as far as clocks allow."""

    database: Database
    broker: Broker
    mail: MailServer
    workers: Workers
    chance: random.Random
    carried: list[str] = field(default_factory=list)
    _timers: list[threading.Timer] = field(default_factory=list)

    def everything(self, kills: int, rounds: int = 1) -> list[Step]:
        """`kills` at random moments, and so many rounds of all that is disturbed without killing anybody."""
        ways = (self.workers.kill_child, self._kill_before_the_record, self.workers.kill_family)
        drawn = [self.chance.choices(ways, (5, 3, 2))[0] for _ in range(kills)]
        steps = [Step(at=self.chance.uniform(0.02, 0.92), act=act) for act in drawn]
        for number in range(rounds):
            steps += [Step(at=(number + step.at) / rounds, act=step.act) for step in self.all_but_kills()]
        return sorted(steps, key=lambda step: step.at)

    def all_but_kills(self) -> list[Step]:
        """Broker, database, mail server and SIGTERM, each at about the same point each time."""
        steps = [
            (0.00, self._look_at_the_broker),
            (0.04, self._purge),
            (0.12, lambda: self._mood(Mood.BUSY, 4)),
            (0.22, self.workers.stop_one),
            (0.28, self._look_at_the_broker),
            (0.32, self._restart_broker),
            (0.42, lambda: self._refuse_connections(3)),
            (0.50, lambda: self._refuse_database(2.5)),
            (0.60, lambda: self._mood(Mood.HANGING, 3)),
            (0.70, lambda: self._mood(Mood.DROPPING, 3)),
            (0.76, self._look_at_the_broker),
            (0.80, self._purge),
        ]
        return [Step(at=max(0.0, at + self.chance.uniform(-0.02, 0.02)), act=act) for at, act in steps]

    def failovers(self, times: int, seconds: float) -> list[Step]:
        """The database is read-only again and again. Nobody is killed."""
        return [Step(at=0.9 * number / times, act=lambda: self._read_only(seconds)) for number in range(times)]

    def suspensions(self, times: int, seconds: float) -> list[Step]:
        """A worker process sleeps for longer than its lease: from the worst moment on, or from a random one."""
        ways = (lambda: self._suspend_before_the_record(seconds), lambda: self.workers.suspend_child(seconds))
        return [Step(at=0.8 * number / times, act=ways[number % 2]) for number in range(times)]

    def worst_moments(self, kills: int) -> list[Step]:
        """Each kill falls between a message and the server's yes."""
        return [Step(at=0.8 * number / kills, act=self._kill_before_the_record) for number in range(kills)]

    @contextmanager
    def ending(self) -> Iterator[None]:
        """Afterwards no disturbance is left."""
        try:
            yield
        finally:
            for timer in self._timers:
                timer.cancel()
            self.workers.wake()
            self.mail.mood = Mood.GOOD

    def _kill_before_the_record(self) -> str:
        """The worst moment: the server has taken a message, and the worker dies before it hears so."""
        self.mail.before_next_yes(self.workers.kill_client)
        return "SIGKILL to whoever sends next, between the message and the server's yes"

    def _suspend_before_the_record(self, seconds: float) -> str:
        self.mail.before_next_yes(lambda port: self.workers.suspend_client(port, seconds))
        return f"SIGSTOP for {seconds} s to whoever sends next, between the message and the server's yes"

    def _read_only(self, seconds: float) -> str:
        with self.database.read_only():
            time.sleep(seconds)
        return f"the database was read-only for {seconds} s"

    def _purge(self) -> str:
        self.carried += self.broker.carried()
        self.broker.purge()
        return "the queue was purged"

    def _restart_broker(self) -> str:
        """Stopped or, as if the power failed, killed; and started again."""
        how = self.chance.choice((signal.SIGTERM, signal.SIGKILL))
        self.broker.restart(how)
        return f"{self.broker.name} got {how.name} and was started again"

    def _look_at_the_broker(self) -> str:
        end = time.monotonic() + 5
        while not (found := self.broker.carried()) and time.monotonic() < end:
            time.sleep(0.2)
        self.carried += found
        return f"{len(found)} messages seen in the broker"

    def _mood(self, mood: Mood, seconds: float) -> str:
        self.mail.mood = mood
        self._later(seconds, lambda: setattr(self.mail, "mood", Mood.GOOD))
        return f"the mail server is {mood} for {seconds} s"

    def _refuse_connections(self, seconds: float) -> str:
        self.mail.stop()
        time.sleep(seconds)
        self.mail.start()
        return f"the mail server was away for {seconds} s"

    def _refuse_database(self, seconds: float) -> str:
        with self.database.refusing():
            time.sleep(seconds)
        return f"the database refused for {seconds} s"

    def _later(self, seconds: float, act: Callable[[], None]) -> None:
        timer = threading.Timer(seconds, act)
        timer.daemon = True
        timer.start()
        self._timers.append(timer)
