"""What templates may say and which settings are read, looked at where it happens, is what the documentation names."""

import inspect
import re

import pytest
from django.conf import LazySettings
from django.contrib.auth import get_user_model
from django.core.checks import run_checks

from schedules.conf import conf
from schedules.message_types import messages
from schedules.models import Schedule
from schedules.previewing import sample_message
from schedules.values import site_keys
from tests.documentation import first_cells, page, part
from tests.world import enroll, make_course, make_learner, open_site, send_nudges

pytestmark = pytest.mark.django_db


# Contexts -----------------------------------------------------------------------------------------


def names_in(message_name):
    """The names of a message's context, and those in its lists of mappings."""
    context = sample_message(message_name, "en").context
    rows = [one for value in context.values() if isinstance(value, list) for one in value if isinstance(one, dict)]
    return {name for mapping in (context, *rows) for name in mapping}


NAMES = [pytest.param(name, resolver.key, id=name) for name, (resolver, _) in messages().items()]


def documented(heading):
    return set(first_cells(part("reference/messages", f"Context of {heading}")))


def test_the_context_of_every_message_is_the_one_that_is_documented():
    assert set.intersection(*map(names_in, messages())) == documented("every message")


@pytest.mark.parametrize(("name", "key"), NAMES)
def test_the_context_of_a_message_is_the_one_that_is_documented(name, key):
    assert names_in(name) - documented("every message") == documented(f"the {key.replace('_', ' ')}")


# Settings -----------------------------------------------------------------------------------------


@pytest.fixture
def read(settings, mailoutbox, monkeypatch):
    """The Django settings that the app itself reads while it is checked and sends a message."""
    names, get = set(), LazySettings.__getattribute__

    def note(self, name):
        module = inspect.currentframe().f_back.f_globals["__name__"]
        if name.isupper() and module.startswith("schedules.") and not module.startswith("schedules.contrib."):
            names.add(name)
        return get(self, name)

    open_site()
    enroll(make_learner(), make_course())
    settings.ACE_ENABLED_CHANNELS, settings.ACE_CHANNEL_DEFAULT_EMAIL = ["schedules_email"], "schedules_email"
    with monkeypatch.context() as patch:
        patch.setattr(LazySettings, "__getattribute__", note)
        inspect.getmembers(conf)
        run_checks()
        send_nudges()
    assert len(mailoutbox) == 1
    return names


def test_each_setting_that_is_read_is_documented(read):
    assert len(read) > 20
    assert read - set(re.findall(r"``([A-Z][A-Z_]+)``", page("reference/settings"))) == set()


def test_each_lms_setting_that_is_documented_is_read(read):
    of_models = {"AUTH_USER_MODEL"}
    assert set(first_cells(part("reference/settings", "The LMS's settings"))) - read == of_models
    assert Schedule._meta.get_field("user").related_model is get_user_model()


def test_what_a_site_may_say_is_documented():
    text = part("reference/settings", "The LMS's settings")
    rows = re.findall(r"\* - ``([A-Z_]+)``\n +- *(site)?\n", text)
    assert {name for name, mark in rows if mark} == set(site_keys.SETTINGS)
    others = re.findall(r"``(\w+)``", " ".join(re.findall(r"^``.*``$", text, re.M)))
    assert {name.upper() for name in others} == site_keys.SHAPES.keys() - set(site_keys.SETTINGS)
