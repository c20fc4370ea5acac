"""A school of every outcome, and all that is said about its learners."""

import json
import logging
from contextlib import contextmanager
from io import StringIO

from schedules.contrib.lms.models import CourseEmailOptout
from schedules.models import ScheduledMessage, SendRun
from tests.world import enroll, make_course, make_learner, open_site

DOMAIN = "@learners.example.com"
NAME = "Alice"


@contextmanager
def everything_said():
    """All that any logger says at any level, as a log file would have it, tracebacks included."""
    out = StringIO()
    handler = logging.StreamHandler(out)
    handler.setFormatter(logging.Formatter("%(name)s %(levelname)s %(message)s %(args)r"))
    loggers = [logging.getLogger(name) for name in logging.root.manager.loggerDict]
    loggers = [logging.root, *(one for one in loggers if isinstance(one, logging.Logger))]
    before = [(one, one.level, one.propagate, one.disabled) for one in loggers]
    for one in loggers:
        one.setLevel(logging.DEBUG)
        one.disabled = False
        one.propagate = True
    logging.root.addHandler(handler)
    yield out
    logging.root.removeHandler(handler)
    for one, level, propagate, disabled in before:
        one.setLevel(level)
        one.propagate, one.disabled = propagate, disabled


def school():
    """One learner for each outcome that does not depend on the channel; returns their site."""
    site = open_site()
    garden = make_course()
    for name in ("alice", "mallory", "trent"):
        enroll(make_learner(name), garden)
    enroll(make_learner("bob", email=""), garden)
    carol = make_learner("carol")
    enroll(carol, garden)
    CourseEmailOptout.objects.create(user=carol, course=garden)
    return site


def assert_nothing_was_told(said):
    ledger = [*ScheduledMessage.objects.values("reason", "detail", "channel"), *SendRun.objects.values("counts")]
    assert DOMAIN not in json.dumps(ledger)
    assert "schedules" in said.getvalue()
    assert [line for line in said.getvalue().splitlines() if DOMAIN in line or NAME in line] == []
