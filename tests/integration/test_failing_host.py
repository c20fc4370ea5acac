"""A host that fails at its questions, with addresses in its words: nothing that is logged or printed repeats them."""

import traceback
from functools import partial

import pytest
from django.core.management import CommandError, call_command
from django.urls import reverse
from edx_ace.message import Message
from edx_ace.recipient import Recipient

from schedules import api
from schedules.contrib.lms.host import LmsHost
from schedules.daily import run_day
from schedules.exceptions import HostError
from schedules.host import Host
from schedules.models import CustomText, OptOut, Schedule, ScheduledMessage
from schedules.optouts import BulkEmailOptoutPolicy
from schedules.unsubscribe.links import Token, page_path
from tests.integration.talk import DOMAIN, assert_nothing_was_told, school
from tests.world import TODAY, make_course, make_learner, perform, started

pytestmark = pytest.mark.django_db

QUESTIONS = frozenset(name for name in vars(Host) if not name.startswith("_"))
FIRST_ASKED = {"site_values"}  # where this fails, hardly another question is put


class FailingHost(LmsHost):
    """Fails at the questions `failing`, and says in its `error` whom it was asked about."""

    failing = frozenset()
    error = ValueError


def _question(name):
    def question(self, *asked):
        if name in self.failing:
            raise self.error(f"alice{DOMAIN} and mallory{DOMAIN} cannot be looked up by {name}")
        return getattr(super(FailingHost, self), name)(*asked)

    question.__name__ = name
    return question


for _name in QUESTIONS:
    setattr(FailingHost, _name, _question(_name))


class TemporaryError(HostError):
    """What a host raises that is down for now."""

    def __init__(self, message):
        super().__init__(message, is_temporary=True)


def ways_in(site, course, broker, client, admin_client):
    """Each way to the host's questions, with its name."""
    alice = make_learner("eve")
    course_id = str(course.pk)
    schedule = Schedule.objects.first()
    token = Token(user_id=schedule.user_id, site_id=site.pk, message_type="recurring_nudge", language="en")
    unsubscribe = page_path(token)
    message = Message(
        app_label="other", name="news", recipient=Recipient(schedule.user_id), context={"course_ids": [course_id]}
    )
    OptOut.objects.create(user_id=schedule.user_id, site=site)
    yield partial(api.learner_enrolled, alice.pk, course_id, enrolled_at=started(3), now=started(0))
    yield partial(api.course_changed, course_id, facts=["start", "end"], now=started(0))
    yield partial(api.opt_outs_about, schedule.user_id, {course_id: "MeadowX"})
    yield partial(BulkEmailOptoutPolicy().check, message)
    for command in ("send_recurring_nudge", "send_upgrade_reminder", "send_course_update"):
        yield partial(call_command, command, "example.com", date=TODAY.isoformat())
    yield partial(call_command, "send_recurring_nudge", "example.com", override_recipient_email="operator@example.org")
    yield partial(call_command, "recover_messages")
    yield partial(call_command, "schedules_report", "example.com", compare=True)
    yield partial(call_command, "schedules_status", "example.com")
    yield partial(
        call_command, "preview_messages", site="example.com", message=["recurringnudge_day3"], language=["en"]
    )
    yield partial(run_day.apply, ("recurring_nudge", "example.com"))
    yield lambda: [perform(queued) for queued in iter(broker, [])]
    yield partial(client.get, unsubscribe)
    yield partial(client.post, unsubscribe, {"List-Unsubscribe": "One-Click"})
    yield partial(client.get, reverse("schedules:health", args=["example.com"]))
    yield partial(client.get, reverse("schedules:click", args=["damaged", ""]))
    for model in ("schedule", "scheduledmessage", "sendrun", "report", "customtext", "optout"):
        yield partial(admin_client.get, reverse(f"admin:schedules_{model}_changelist"))
    for problem in ("start-before-course", "unknown-course", "not-self-paced"):
        yield partial(admin_client.get, reverse("admin:schedules_schedule_changelist"), {"problem": problem})
    yield partial(admin_client.get, reverse("admin:schedules_report_changelist"), {"site": site.pk, "compare": "on"})
    words = {"site": site.pk, "course_id": course_id, "message_name": "recurringnudge_day3", "subject": "Come"}
    yield partial(admin_client.post, reverse("admin:schedules_customtext_add"), words)
    yield partial(api.learner_erased, alice.pk)


@pytest.mark.parametrize(
    ("failing", "error"),
    [
        pytest.param(QUESTIONS, ValueError, id="every question"),
        pytest.param(QUESTIONS - FIRST_ASKED, HostError, id="all about keys"),
        pytest.param(QUESTIONS - FIRST_ASKED - {"courses"}, TemporaryError, id="all but what a course is"),
        pytest.param({"dashboard_url"}, ValueError, id="the dashboard alone"),
    ],
)
def test_no_way_in_repeats_the_words_of_a_host(
    *,
    failing,
    error,
    said,
    settings,
    monkeypatch,
    email_channel,
    tmp_path,
    broker,
    client,
    admin_client,
):
    monkeypatch.chdir(tmp_path)
    settings.SCHEDULES = {**settings.SCHEDULES, "HOST": f"{__name__}.FailingHost"}
    for visitor in (client, admin_client):
        visitor.raise_request_exception = False
    site = school()
    course = make_course(weeks=[["Dig"]])
    call_command("send_recurring_nudge", "example.com", date=TODAY.isoformat(), verbosity=0)
    perform(broker())  # the learners are found, their messages wait in the queue
    assert ScheduledMessage.objects.filter(status="claimed").exists()
    CustomText.objects.create(site=site, message_name="recurringnudge_day3", subject="Come back", enabled=True)
    monkeypatch.setattr(FailingHost, "failing", frozenset(failing))
    monkeypatch.setattr(FailingHost, "error", error)
    for way in ways_in(site, course, broker, client, admin_client):
        try:
            way()
        except CommandError as refused:
            said.write(f"{refused}\n")
        except Exception:  # noqa: BLE001 - it would be printed, or logged by whoever called
            said.write(traceback.format_exc())
    assert_nothing_was_told(said)
