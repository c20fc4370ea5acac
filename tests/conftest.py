"""Fixtures for all tests."""

from __future__ import annotations

import gc
import time
from pathlib import Path
from queue import Empty
from typing import Any

import django
import hypothesis
import pytest
from celery import current_app
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.transaction import Atomic, get_connection

from schedules.finding import due
from schedules.ledger import runs
from schedules.management import waiting
from schedules.sending import tasks
from tests.emails import without_uuids
from tests.put_back import everything_put_back
from tests.segment_server import SegmentServer

GOLDEN = Path(__file__).parent / "golden"

# A busy machine is no fault of the code: no deadline. The same examples each time: what fails here fails everywhere.
hypothesis.settings.register_profile(
    "tests", deadline=None, derandomize=True, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("tests")


@pytest.fixture(autouse=True)
def _nothing_is_left_behind():
    """For every test; `tests/put_back.py` says what it is."""
    with everything_put_back():
        yield


class EdgesAlone(pytest.MonkeyPatch):
    """Replaces what is others' and what is the test's own, and nothing of ours: a fault comes in where it would."""

    def setattr(self, target, *arguments, **options):
        named = target if isinstance(target, str) else getattr(target, "__module__", None) or target.__name__
        is_ours = named.partition(".")[0] in {"schedules", "demo", "tools"}
        assert not is_ours, f"{named} is ours: let the host, the channel, the database or the clock be different"
        super().setattr(target, *arguments, **options)


@pytest.fixture
def monkeypatch():
    with EdgesAlone.context() as patch:
        yield patch


@pytest.fixture(autouse=True)
def _few_bins(request, _nothing_is_left_behind):
    """A run is 24 times the same, mostly about nobody: it has four bins, but for tests with the mark `all_bins`.

    Four divide 24, so learners who share one of the 24 bins still share one. This one constant of ours is replaced all
    the same, for the number is no parameter of anything, and must not be: workers of two minds would lose learners.
    An empty bin costs seven statements and three milliseconds, so that with 24 of them the tests take twice as long.
    """
    with pytest.MonkeyPatch.context() as patch:
        if request.node.get_closest_marker("all_bins") is None:
            for module in (due, runs, tasks, waiting):
                patch.setattr(module, "BINS", 4)
        yield


@pytest.fixture(autouse=True)
def _commits(_nothing_is_left_behind, monkeypatch):  # in this order: what is patched is undone before the rest
    """What is to follow a commit follows the last atomic block of the code, though the test's own is around it."""
    leave, register = Atomic.__exit__, BaseDatabaseWrapper.on_commit

    def leave_and_commit(self, *raised):
        leave(self, *raised)
        _commit(get_connection(self.using))

    def register_and_commit(self, work, *more, **named):
        register(self, work, *more, **named)
        _commit(self)

    monkeypatch.setattr(Atomic, "__exit__", leave_and_commit)
    monkeypatch.setattr(BaseDatabaseWrapper, "on_commit", register_and_commit)


def _commit(connection):
    blocks = connection.atomic_blocks
    if blocks and all(block._from_testcase for block in blocks) and not connection.needs_rollback:
        waiting, connection.run_on_commit = connection.run_on_commit, []
        for _, work, _ in waiting:
            work()


@pytest.fixture
def mailbox(settings, tmp_path):
    """The folder of the file channel, empty at first."""
    settings.SCHEDULES = {**settings.SCHEDULES, "FILE_EMAIL_DIRECTORY": tmp_path}
    return tmp_path


@pytest.fixture
def email_channel(settings, mailoutbox):
    """Messages go through Django's mail API; returns the outbox."""
    settings.ACE_ENABLED_CHANNELS = ["django_email"]
    settings.ACE_CHANNEL_DEFAULT_EMAIL = "django_email"
    return mailoutbox


@pytest.fixture
def smtp_server(settings):
    """Django's mail goes to the SMTP server on the port that is given to this function, at 127.0.0.1.

    `options`: `host`, `username`, `password` and `use_tls`.
    """
    names = {"username": "EMAIL_HOST_USER", "password": "EMAIL_HOST_PASSWORD"}

    def use(port: int, **options: Any) -> None:
        backend = "django.core.mail.backends.smtp.EmailBackend"
        options = {"host": "127.0.0.1", "port": port, **options}
        if django.VERSION >= (6, 1):
            settings.MAILERS = {"default": {"BACKEND": backend, "OPTIONS": options}}
        else:
            settings.EMAIL_BACKEND = backend
            for name, value in options.items():
                setattr(settings, names.get(name, f"EMAIL_{name.upper()}"), value)

    return use


@pytest.fixture
def segment_server(settings):
    """A server that stands for Segment."""
    server = SegmentServer()
    settings.LMS_SEGMENT_KEY = "a-write-key"
    settings.SCHEDULES = {**settings.SCHEDULES, "SEGMENT_URL": server.url}
    yield server
    server.close()


@pytest.fixture
def naps(monkeypatch):
    """A clock that goes on by sleeping alone; how long was slept, each time."""
    naps = []
    monkeypatch.setattr(time, "sleep", naps.append)
    monkeypatch.setattr(time, "monotonic", lambda: float(sum(naps)))
    return naps


@pytest.fixture
def assert_approved(pytestconfig):
    """Compares a text with the file of that name in `tests/golden/`, but for what is new each time."""

    def compare(name, text):
        path, content = GOLDEN / name, without_uuids(text)
        if pytestconfig.getoption("--update-golden"):
            path.write_text(content, encoding="utf-8")
        assert content == path.read_text(encoding="utf-8")

    return compare


def pytest_addoption(parser):
    parser.addoption("--update-golden", action="store_true", help="approve the e-mails as they arrive now")


def pytest_collection_finish(session):
    """What is there by now stays: the garbage collector looks through it less often."""
    gc.collect()
    gc.set_threshold(20_000, 20, 50)


@pytest.fixture
def broker():
    """Celery with a broker in memory; returns a function that takes all that is queued, as (task, arguments)."""
    current_app.conf["CELERY_TASK_ALWAYS_EAGER"] = False  # by the name of the settings: older Celery asks them first

    def take(queue="celery"):
        taken = []
        with current_app.connection_for_read() as connection, connection.SimpleQueue(queue) as waiting:
            while True:
                try:
                    message = waiting.get_nowait()
                except Empty:
                    return taken
                message.ack()
                _, arguments, _ = message.payload
                taken.append((message.headers["task"], arguments))

    return take
