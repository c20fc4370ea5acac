"""Fixtures for all tests."""

from __future__ import annotations

import atexit
from queue import Empty
from typing import Any

import django
import edx_ace.channel
import edx_ace.policy
import pytest
from celery import current_app
from django.core.cache import cache
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.transaction import Atomic, get_connection

from schedules.tracking import segment
from tests.segment_server import SegmentServer


@pytest.fixture(autouse=True)
def _fresh_caches():
    """edx-ace loads channels and policies once per process, and waffle caches its flags."""
    forget_ace_plugins()
    cache.clear()
    yield
    forget_ace_plugins()


@pytest.fixture(autouse=True)
def _commits(monkeypatch):
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
        while connection.run_on_commit:
            _, work, _ = connection.run_on_commit.pop(0)
            work()


_LOADERS = (edx_ace.channel.channels, edx_ace.policy.policies)


def forget_ace_plugins() -> None:
    for loader in _LOADERS:
        vars(loader.__wrapped__).pop("__once_result", None)


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
def segment_server(settings, monkeypatch):
    """A server that stands for Segment, and a client that does not outlive the test."""
    server = SegmentServer()
    settings.LMS_SEGMENT_KEY = "a-write-key"
    settings.SCHEDULES = {**settings.SCHEDULES, "SEGMENT_URL": server.url}
    yield server
    monkeypatch.undo()
    server.close()
    if segment._current is not None:
        client = segment._current._client
        atexit.unregister(client.join)
        client.join()
    segment._begin_anew()


def pytest_addoption(parser):
    parser.addoption("--update-golden", action="store_true", help="approve the e-mails as they arrive now")


@pytest.fixture
def broker():
    """Celery with a broker in memory; returns a function that takes all that is queued, as (task, arguments)."""
    current_app.conf.task_always_eager = False

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

    yield take
    take()
    current_app.conf.task_always_eager = True
