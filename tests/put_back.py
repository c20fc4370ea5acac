"""What a test leaves behind is put back here, for all of them: none finds what another one did, in whatever order.

The database is Django's care, and the outbox, the URLs' root and the sites' cache are pytest-django's. What has no
state to be remembered is forgotten: who comes next builds it anew.
"""

from __future__ import annotations

import copy
import logging
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from contextvars import Context, ContextVar, copy_context
from itertools import chain

import django.contrib.auth.signals
import django.core.signals
import django.db.models.signals
import django.test.signals
import edx_ace.channel
import edx_ace.policy
import edx_ace.signals
from celery import current_app
from django.conf import settings
from django.contrib.contenttypes.models import ContentType
from django.core.cache import caches
from django.core.signals import setting_changed
from django.dispatch import Signal
from django.urls import clear_script_prefix, set_urlconf
from django.utils import timezone, translation
from kombu.transport.memory import Channel

import schedules.signals
from tests.settings import MESSAGES

PutBack = Callable[[], None]

_MISSING = object()


@contextmanager
def everything_put_back() -> Iterator[None]:
    """What is done within leaves no trace in this process, but for threads and the database."""
    with ExitStack() as stack:
        for forget in FORGOTTEN:
            stack.callback(forget)
        for remember in REMEMBERED:
            stack.callback(remember())
        yield


# What is remembered, and put back by the function that is returned --------------------------------


def the_settings() -> PutBack:
    """Also what was changed without `override_settings`, and inside of lists and dicts."""
    holder = settings._wrapped
    values = copy.deepcopy(_upper(vars(holder)))

    def put_back() -> None:
        names = set()
        other, settings._wrapped = settings._wrapped, holder
        while other is not holder:
            names |= _upper(vars(other)).keys()
            other = other.default_settings
        now = _upper(vars(holder))
        for name in now.keys() - values.keys():
            delattr(settings, name)
        names |= now.keys() - values.keys()
        for name, value in values.items():
            if now.get(name, _MISSING) != value:
                setattr(settings, name, value)
                names.add(name)
        for name in names:
            setting_changed.send(type(holder), setting=name, value=getattr(settings, name, None), enter=False)

    return put_back


def celery() -> PutBack:
    _ = current_app.conf.task_always_eager  # until something is asked for, Celery has read no settings
    changes = current_app.conf.changes
    kept = dict(changes)

    def put_back() -> None:
        changes.clear()
        changes.update(kept)

    return put_back


def receivers() -> PutBack:
    kept = [(signal, signal.receivers[:]) for signal in SIGNALS]

    def put_back() -> None:
        for signal, before in kept:
            if signal.receivers != before:
                signal.receivers = before
                signal.sender_receivers_cache.clear()

    return put_back


def context() -> PutBack:
    """Variables that have no default are asgiref's, in which Django keeps what is forgotten below."""
    kept = copy_context()

    def put_back() -> None:
        for variable, value in copy_context().items():
            before = kept.get(variable, _default(variable))
            if before is not value and before is not _MISSING:
                variable.set(before)

    return put_back


def loggers() -> PutBack:
    kept = {one: _state(one) for one in _all_loggers()}
    disabled = logging.root.manager.disable

    def put_back() -> None:
        logging.disable(disabled)
        for one in _all_loggers():
            level, one.propagate, one.disabled = kept.get(one, (logging.NOTSET, True, False))
            if one.level != level:
                one.setLevel(level)

    return put_back


def the_process() -> PutBack:
    """Environment, folder, module path and streams."""
    environment, folder, path = dict(os.environ), os.getcwd(), sys.path[:]
    streams = sys.stdin, sys.stdout, sys.stderr

    def put_back() -> None:
        sys.stdin, sys.stdout, sys.stderr = streams
        sys.path[:] = path
        os.chdir(folder)
        kept = {**environment, **{name: os.environ[name] for name in PYTESTS if name in os.environ}}
        if dict(os.environ) != kept:
            os.environ.clear()
            os.environ.update(kept)
            time.tzset()

    return put_back


REMEMBERED = (the_settings, celery, receivers, context, loggers, the_process)

SIGNALS = [
    signal
    for module in (
        django.contrib.auth.signals,
        django.core.signals,
        django.db.models.signals,
        django.test.signals,
        edx_ace.signals,
        schedules.signals,
    )
    for signal in vars(module).values()
    if isinstance(signal, Signal)
]

#: Of plugins. A test may put others in their place.
LOADERS = (edx_ace.channel.channels, edx_ace.policy.policies)

#: Of the environment: pytest changes it itself, between a test's setup and its end.
PYTESTS = ("PYTEST_CURRENT_TEST",)


# What is forgotten --------------------------------------------------------------------------------


def languages_and_urls() -> None:
    """What a request leaves active."""
    translation.deactivate()
    timezone.deactivate()
    set_urlconf(None)
    clear_script_prefix()


def cached() -> None:
    """Waffle's flags and the configurations are there too."""
    for cache in caches.all(initialized_only=True):
        cache.clear()
    ContentType.objects.clear_cache()


def ace_plugins() -> None:
    """edx-ace loads channels and policies once per process."""
    for loader in LOADERS:
        vars(loader.__wrapped__).pop("__once_result", None)


def queued_tasks() -> None:
    """Of the broker in memory."""
    Channel.queues.clear()


def files() -> None:
    """Messages of tests that do not ask for a `mailbox` of their own."""
    shutil.rmtree(MESSAGES, ignore_errors=True)


FORGOTTEN = (languages_and_urls, cached, ace_plugins, queued_tasks, files)


def _upper(values: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in values.items() if name.isupper()}


def _default(variable: ContextVar[object]) -> object:
    """`_MISSING` if it has none."""
    try:
        return Context().run(variable.get)
    except LookupError:
        return _MISSING


def _all_loggers() -> Iterator[logging.Logger]:
    named = logging.root.manager.loggerDict.values()
    return (one for one in chain([logging.root], named) if isinstance(one, logging.Logger))


def _state(one: logging.Logger) -> tuple[int, bool, bool]:
    return one.level, one.propagate, one.disabled
