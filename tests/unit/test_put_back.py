"""No test finds what another one did, in whatever order they run."""

import logging
import os
import sys
from io import StringIO
from pathlib import Path

import edx_ace.channel
import pytest
from celery import current_app
from django.conf import settings
from django.contrib.auth import logout
from django.core.cache import cache
from django.db.models.signals import post_save
from django.test import override_settings
from django.urls import get_urlconf, set_urlconf
from django.utils import timezone, translation
from kombu.transport.memory import Channel

from schedules.channels import batch
from schedules.channels.mail import MailConnection
from tests.put_back import everything_put_back
from tests.settings import MESSAGES


def write_a_message():
    Path(MESSAGES).mkdir(exist_ok=True)
    (Path(MESSAGES) / "index.html").write_text("Alice", encoding="utf-8")


def queue_a_task():
    with current_app.connection_for_write() as connection, connection.SimpleQueue("somebody-s") as queue:
        queue.put({})


def add_to_path():
    sys.path.append("/nowhere")


#: What is changed: how, and what is looked at.
CHANGES = {
    "the language": (lambda: translation.activate("he"), translation.get_language),
    "the time zone": (lambda: timezone.activate("Asia/Tokyo"), timezone.get_current_timezone_name),
    "the root of URLs": (lambda: set_urlconf("demo.urls"), get_urlconf),
    "a cache": (lambda: cache.set("a", 1), lambda: cache.get("a")),
    "a setting": (lambda: setattr(settings, "PLATFORM_NAME", "X"), lambda: settings.PLATFORM_NAME),
    "a new setting": (lambda: setattr(settings, "ODD", "X"), lambda: hasattr(settings, "ODD")),
    "what is in a setting": (lambda: settings.SCHEDULES.update(HOST="x.Y"), lambda: settings.SCHEDULES.get("HOST")),
    "an override": (override_settings(LANGUAGE_CODE="he").enable, translation.get_language),
    "Celery": (
        lambda: current_app.conf.update(CELERY_TASK_ALWAYS_EAGER=False),
        lambda: current_app.conf.task_always_eager,
    ),
    "a queue": (queue_a_task, lambda: list(Channel.queues)),
    "a receiver": (lambda: post_save.connect(logout), lambda: len(post_save.receivers)),
    "a context variable": (lambda: batch.mail_connection.set(MailConnection()), batch.mail_connection.get),
    "a level of a logger": (
        lambda: logging.getLogger("schedules").setLevel(10),
        logging.getLogger("schedules").getEffectiveLevel,
    ),
    "logging": (lambda: logging.disable(logging.CRITICAL), lambda: logging.root.manager.disable),
    "the environment": (lambda: os.environ.update(ODD="X"), lambda: os.environ.get("ODD")),
    "the folder": (lambda: os.chdir("/"), os.getcwd),
    "the path of modules": (add_to_path, lambda: sys.path[:]),
    "a stream": (lambda: setattr(sys, "stdout", StringIO()), lambda: sys.stdout),
    "the channels": (edx_ace.channel.channels, lambda: "__once_result" in vars(edx_ace.channel.channels.__wrapped__)),
    "a message": (write_a_message, lambda: list(Path(MESSAGES).glob("*"))),
}


@pytest.mark.parametrize(("change", "look"), CHANGES.values(), ids=CHANGES)
def test_what_a_test_changes_is_put_back(change, look):
    before = look()
    with everything_put_back():
        change()
        assert look() != before
    assert look() == before


def test_that_is_so_for_every_test(request):
    assert "_nothing_is_left_behind" in request.fixturenames
