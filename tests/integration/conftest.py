"""What several files begin with; a file that needs another one says so itself."""

from functools import partial

import pytest

from tests.hosts import changed
from tests.integration.talk import everything_said
from tests.world import enable_deadlines, enroll, make_course, make_learner, open_site


@pytest.fixture
def alice(client):
    """A learner, signed in."""
    learner = make_learner()
    client.force_login(learner)
    return learner


@pytest.fixture
def garden(email_channel):
    """Alice takes the garden course, and is due. Messages go through Django's mail API."""
    open_site()
    enable_deadlines()
    course = make_course(price=49)
    enroll(make_learner(), course)
    return course


@pytest.fixture
def change_host(settings, monkeypatch):
    """A function that has the host answer a question by another function: of its own answer, and what is asked."""
    settings.SCHEDULES = {**settings.SCHEDULES, "HOST": f"{changed.__name__}.LmsHost"}
    return partial(_answer_by, monkeypatch, changed.LmsHost)


@pytest.fixture
def change_nudges(settings, monkeypatch):
    """The same for what the nudges' resolver answers, as `context`."""
    settings.SCHEDULES = {**settings.SCHEDULES, "MESSAGE_TYPES": [f"{changed.__name__}.RecurringNudge"]}
    return partial(_answer_by, monkeypatch, changed.RecurringNudge)


def _answer_by(monkeypatch, asked_class, question, function):
    answer = getattr(asked_class, question)
    monkeypatch.setattr(asked_class, question, lambda self, *asked: function(partial(answer, self), *asked))


@pytest.fixture
def said():
    """All that any logger says in this test; what else is said can be written to it."""
    with everything_said() as said:
        yield said
