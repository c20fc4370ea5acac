"""Processes of the suite's own: workers, the beat, commands. Only these are ever signaled, each by its pid."""

from __future__ import annotations

import itertools
import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parents[2]


class Process:
    """A Python module that runs, with what it says in a file."""

    def __init__(self, name: str, arguments: Sequence[str], environment: Mapping[str, str], folder: Path) -> None:
        self.log = folder / f"{name}.log"
        with self.log.open("ab") as log:
            self.popen = subprocess.Popen(
                [sys.executable, *arguments],
                cwd=ROOT,
                env={**os.environ, **environment},
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def is_running(self) -> bool:
        return self.popen.poll() is None

    def children(self) -> list[psutil.Process]:
        with suppress(psutil.NoSuchProcess):
            return psutil.Process(self.popen.pid).children(recursive=True)
        return []

    def kill(self) -> int:
        """SIGKILL it and its children; returns how many there were."""
        family = self.children()
        if self.is_running:
            self.popen.kill()
        self.popen.wait()
        return 1 + sum(kill(child) for child in family)

    def end(self) -> None:
        """SIGTERM: it may finish what it began."""
        if self.is_running:
            self.popen.send_signal(signal.SIGTERM)

    def said(self, lines: int = 15) -> str:
        text = self.log.read_text(encoding="utf-8", errors="replace")
        return "\n".join(text.splitlines()[-lines:])


def kill(process: psutil.Process) -> bool:
    """SIGKILL; psutil makes sure that the pid is still this process."""
    with suppress(psutil.NoSuchProcess):
        process.kill()
        return True
    return False


def wake(process: psutil.Process) -> None:
    with suppress(psutil.NoSuchProcess):
        process.resume()


#: Processes in the pool of each worker.
POOL = 2


class Workers:
    """`count` Celery workers of `POOL` processes each. `killed` counts the pool processes that were killed.

    `suspended` are those that were, once for each time.
    """

    def __init__(self, count: int, environment: Mapping[str, str], folder: Path, seed: int) -> None:
        self.environment, self.folder = environment, folder
        self.chance = random.Random(seed)  # noqa: S311 - to be repeated, nothing secret
        self.kills = 0
        self.killed = 0
        self.suspended: list[psutil.Process] = []
        self._timers: list[threading.Timer] = []
        self._numbers = itertools.count(1)
        self._workers = [self._start() for _ in range(count)]
        self.leaving: list[Process] = []

    def _start(self) -> Process:
        name = f"worker{next(self._numbers)}"
        arguments = ["-m", "celery", "-A", "demo", "worker", "-n", f"{name}@%h", "-c", str(POOL), "-l", "WARNING"]
        quiet = ["--without-gossip", "--without-mingle"]
        return Process(name, [*arguments, *quiet], self.environment, self.folder)

    def kill_child(self) -> str:
        """One process of a pool; its parent lives."""
        for worker in self.chance.sample(self._workers, len(self._workers)):
            children = worker.children()
            if children and kill(self.chance.choice(children)):
                self.kills += 1
                self.killed += 1
                return "SIGKILL to a pool process"
        return "no pool process to kill just now"

    def kill_client(self, port: int) -> None:
        """The pool process that holds this end of a connection. Called by the mail server, before it says yes."""
        for child in self._clients(port):
            if kill(child):
                child.wait(timeout=5)
                self.kills += 1
                self.killed += 1

    def _clients(self, port: int) -> Iterator[psutil.Process]:
        for worker in self._workers:
            for child in worker.children():
                with suppress(psutil.Error):
                    if any(link.laddr.port == port for link in child.net_connections("tcp")):
                        yield child

    def suspend_client(self, port: int, seconds: float) -> None:
        """As `kill_client`, but SIGSTOP, and SIGCONT so many seconds later."""
        for child in self._clients(port):
            self._suspend(child, seconds)

    def suspend_child(self, seconds: float) -> str:
        """SIGSTOP to one process of a pool, and SIGCONT so many seconds later."""
        children = [child for worker in self._workers for child in worker.children()]
        if not children:
            return "no pool process to suspend just now"
        self._suspend(self.chance.choice(children), seconds)
        return f"SIGSTOP to a pool process, for {seconds} s"

    def _suspend(self, child: psutil.Process, seconds: float) -> None:
        with suppress(psutil.NoSuchProcess):
            child.suspend()
            self.suspended.append(child)
            timer = threading.Timer(seconds, wake, [child])
            timer.daemon = True
            timer.start()
            self._timers.append(timer)

    def wake(self) -> None:
        """Nobody stays suspended."""
        for timer in self._timers:
            timer.join()

    def kill_family(self) -> str:
        """A worker with its pool; another takes its place."""
        number = self.chance.randrange(len(self._workers))
        died = self._workers[number].kill()
        self.kills += 1
        self.killed += died - 1
        self._workers[number] = self._start()
        return f"SIGKILL to a worker and its pool, {died} processes"

    def stop_one(self) -> str:
        """SIGTERM: the worker finishes its tasks and goes; another takes its place."""
        number = self.chance.randrange(len(self._workers))
        self._workers[number].end()
        self.leaving.append(self._workers[number])
        self._workers[number] = self._start()
        return "SIGTERM to a worker, which may finish its tasks"

    def revive(self) -> Iterator[str]:
        """What systemd would do: start again a worker that ended of itself. Yields what it did."""
        for number, worker in enumerate(self._workers):
            if not worker.is_running:
                self._workers[number] = self._start()
                yield f"{worker.log.stem} had ended with {worker.popen.returncode}; another took its place"

    def stop(self) -> None:
        for worker in (*self._workers, *self.leaving):
            worker.kill()

    def said(self) -> str:
        return "\n".join(f"-- {worker.log.name}\n{worker.said()}" for worker in self._workers)
