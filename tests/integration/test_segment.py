"""Segment is told of what was sent and who was held back, once, and never stands in anybody's way."""

import json
import sys
from pathlib import Path

import pytest
from django.db import transaction
from django.utils import timezone

from schedules import api
from schedules.contrib.lms.models import CourseEmailOptout
from schedules.models import HoldBack, ScheduleConfig, ScheduledMessage, SendRun
from schedules.sending import delivering
from schedules.tracking import segment
from tests.apart import run_apart
from tests.world import enroll, free_port, make_course, make_learner, open_site, perform, send_nudges, started

pytestmark = pytest.mark.django_db

KEY = "a-write-key"
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def server(segment_server):
    return segment_server


@pytest.fixture
def waits(server, monkeypatch):
    """How many seconds whoever waited for Segment was ready to wait, each time."""
    waits, done = [], segment._sender()._client.queue.all_tasks_done
    wait = done.wait_for

    def wait_for(is_so, seconds):
        waits.append(seconds)
        return wait(is_so, seconds)

    monkeypatch.setattr(done, "wait_for", wait_for)
    return waits


def statuses():
    return dict(ScheduledMessage.objects.values_list("user__username", "status"))


def test_a_message_that_was_taken_is_told_with_its_properties(server, email_channel):
    open_site()
    alice, garden = make_learner(), make_course(language="he")
    enroll(alice, garden)
    send_nudges()
    (event,) = server.events
    row = ScheduledMessage.objects.get()
    assert (event["type"], event["event"], event["userId"]) == ("track", "edx.bi.email.sent", str(alice.pk))
    assert event["messageId"] == f"edx.bi.email.sent:{row.pk}"
    assert event["properties"] == {
        "send_uuid": str(SendRun.objects.get(day_offset=-3).pk),
        "uuid": str(row.pk),
        "site": "example.com",
        "app_label": "schedules",
        "name": "recurringnudge_day3",
        "primary_course_id": str(garden.pk),
        "language": "he",
        "course_ids": [str(garden.pk)],
        "num_courses": 1,
        "nonInteraction": 1,
    }
    assert server.keys == {KEY}
    assert alice.email not in json.dumps(server.events)


def test_of_many_courses_ten_are_named_and_all_are_counted(server, email_channel):
    open_site()
    alice = make_learner()
    courses = [make_course(f"Course {number:02}") for number in range(12)]
    for course in reversed(courses):
        enroll(alice, course)
    send_nudges()
    (event,) = server.events
    assert event["properties"]["course_ids"] == [str(course.pk) for course in courses[:10]]
    assert event["properties"]["num_courses"] == 12
    assert event["properties"]["primary_course_id"] == str(courses[0].pk)


def test_what_was_not_sent_is_not_told(server, email_channel, smtp_server):
    open_site()
    garden = make_course()
    enroll(make_learner("alice", email=""), garden)
    bob = make_learner("bob")
    enroll(bob, garden)
    CourseEmailOptout.objects.create(user=bob, course=garden)
    smtp_server(free_port())
    enroll(make_learner("carol"), garden)
    send_nudges()
    assert statuses() == {"alice": "skipped", "bob": "skipped", "carol": "claimed"}
    assert server.request_count == 0


def test_a_batch_is_told_when_it_ends_and_not_message_by_message(server, waits, email_channel, broker):
    open_site()
    garden = make_course()
    for number in range(30):
        enroll(make_learner(f"learner{number}", pk=24 * (number + 1)), garden)
    send_nudges()
    perform(broker())
    batches = broker()
    assert server.request_count == 0
    perform(batches)
    assert len(server.events) == 30
    assert len(waits) == len(batches) < 30
    assert len({event["messageId"] for event in server.events}) == 30


def test_a_message_that_is_recorded_twice_is_the_same_event(server, email_channel, broker, monkeypatch):
    """Its worker died before it could record it, and another sent it again."""
    open_site()
    enroll(make_learner(), make_course())
    send_nudges()
    perform(broker())
    batch = broker()
    perform(batch)
    ScheduledMessage.objects.update(status="claimed", leased_until=None)
    perform(batch)
    assert len(email_channel) == 2
    assert len(server.events) == 2
    assert len({event["messageId"] for event in server.events}) == 1


def test_what_could_not_be_recorded_is_not_told(server, email_channel, broker, monkeypatch):
    open_site()
    enroll(make_learner(), make_course())
    send_nudges()
    perform(broker())
    monkeypatch.setattr(delivering.ledger, "record", lambda *_: 1 / 0)
    with pytest.raises(Exception, match="ZeroDivisionError"):
        perform(broker())
    segment.flush()
    assert server.request_count == 0


def test_a_test_message_counts_as_the_learner_s(server, email_channel):
    """behavior 4.3: another address alone changes, tracking acts for the learner."""
    open_site()
    alice = make_learner()
    enroll(alice, make_course())
    send_nudges(override_recipient_email="tester@example.com")
    (event,) = server.events
    assert event["userId"] == str(alice.pk)
    assert "tester" not in json.dumps(event)


def test_segment_may_refuse_for_now(server, email_channel):
    server.statuses = [500, 503]
    open_site()
    enroll(make_learner(), make_course())
    send_nudges()
    assert statuses() == {"alice": "sent"}
    assert len(server.events) == 1
    assert server.request_count == 3


def test_segment_may_refuse_for_good(server, email_channel, caplog):
    server.statuses = [401]
    open_site()
    alice = make_learner()
    enroll(alice, make_course())
    send_nudges()
    assert statuses() == {"alice": "sent"}
    assert server.request_count == 1
    lines = [record.getMessage() for record in caplog.records if record.name == segment.__name__]
    assert lines == [f"Segment did not take 1 events (APIError): edx.bi.email.sent:{ScheduledMessage.objects.get().pk}"]
    assert "alice" not in caplog.text


def test_a_segment_that_is_not_there_costs_no_message(settings, server, email_channel, monkeypatch):
    settings.SCHEDULES = {**settings.SCHEDULES, "SEGMENT_URL": f"http://127.0.0.1:{free_port()}"}
    monkeypatch.setattr(segment, "MAX_FLUSH_SECONDS", 0.3)
    open_site()
    enroll(make_learner(), make_course())
    send_nudges()
    assert statuses() == {"alice": "sent"}
    assert len(email_channel) == 1


@pytest.mark.all_bins
def test_a_segment_that_hangs_is_waited_for_once(server, waits, email_channel, monkeypatch):
    server.hangs = True
    monkeypatch.setattr(segment, "MAX_FLUSH_SECONDS", 0.5)
    open_site()
    garden = make_course()
    for number in range(24):  # one in each bin, so 24 batches
        enroll(make_learner(f"learner{number}", pk=1000 + number), garden)
    send_nudges()
    assert set(statuses().values()) == {"sent"}
    assert len(email_channel) == 24
    assert waits == [0.5] + [0] * 23


def test_when_segment_comes_back_it_is_waited_for_again(server, email_channel, monkeypatch):
    open_site()
    enroll(make_learner(), make_course())
    server.hangs = True
    monkeypatch.setattr(segment, "MAX_FLUSH_SECONDS", 0.4)
    send_nudges()
    assert server.events == []
    assert segment._current._is_stuck
    server.stop_hanging()
    monkeypatch.setattr(segment, "MAX_FLUSH_SECONDS", 10)
    segment._current._is_stuck = False
    segment.flush()
    assert len(server.events) == 1
    enroll(make_learner("bob"), make_course("Bees"))
    send_nudges()
    assert len(server.events) == 2
    assert not segment._current._is_stuck


def test_events_that_do_not_fit_are_dropped_with_their_ids(server, email_channel, monkeypatch, caplog):
    open_site()
    enroll(make_learner(), make_course())
    segment._sender()._client.queue.maxsize = 1
    server.hangs = True
    monkeypatch.setattr(segment, "MAX_FLUSH_SECONDS", 0.5)
    for name in ("bob", "carol"):
        enroll(make_learner(name), make_course(name))
    monkeypatch.setattr(segment._current._client, "track", lambda **_: (False, {}))
    send_nudges()
    assert set(statuses().values()) == {"sent"}
    dropped = [record for record in caplog.records if "was dropped" in record.getMessage()]
    assert len(dropped) == 3


def test_a_client_that_raises_costs_no_message(server, email_channel, monkeypatch, caplog):
    open_site()
    alice = make_learner()
    enroll(alice, make_course())
    monkeypatch.setattr(segment._sender()._client, "track", lambda **_: 1 / 0)
    send_nudges()
    assert statuses() == {"alice": "sent"}
    assert "was not queued for Segment: ZeroDivisionError" in caplog.text


def test_a_missing_library_costs_no_message(server, email_channel, monkeypatch, caplog):
    monkeypatch.setitem(sys.modules, "segment.analytics.client", None)
    open_site()
    enroll(make_learner(), make_course())
    send_nudges()
    assert statuses() == {"alice": "sent"}
    assert "its library is missing (schedules.W008)" in caplog.text


# Hold-backs ---------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_a_learner_who_is_held_back_is_told_once_it_is_certain(server):
    site = open_site(hold_back_ratio=1)
    alice, garden = make_learner(), make_course()
    with transaction.atomic():
        enroll(alice, garden)
        segment.flush()
        assert server.request_count == 0
    segment.flush()
    (event,) = server.events
    assert (event["event"], event["userId"]) == ("edx.bi.schedule.suppressed", str(alice.pk))
    assert event["properties"] == {
        "course_id": str(garden.pk),
        "experience_type": 0,
        "upgrade_deadline": None,
        "content_availability_date": started(3).isoformat(),
    }
    assert len(event["messageId"]) < 100
    api.learner_enrolled(alice.pk, str(garden.pk), enrolled_at=started(3), now=timezone.now(), site_id=site.pk)
    segment.flush()
    assert server.events[1]["messageId"] == event["messageId"]


@pytest.mark.django_db(transaction=True)
def test_an_enrollment_that_is_rolled_back_is_not_told(server):
    open_site(hold_back_ratio=1)
    with transaction.atomic():
        enroll(make_learner(), make_course())
        transaction.set_rollback(True)
    segment.flush()
    assert HoldBack.objects.count() == 0
    assert server.request_count == 0


@pytest.mark.django_db(transaction=True)
def test_enrolling_does_not_wait_for_segment(server, waits):
    server.hangs = True
    open_site(hold_back_ratio=1)
    alice, garden = make_learner(), make_course()
    enroll(alice, garden)
    assert HoldBack.objects.count() == 1
    assert (waits, server.events) == ([], [])
    server.stop_hanging()
    segment.flush()
    assert len(server.events) == 1


@pytest.mark.django_db(transaction=True)
def test_who_gets_a_schedule_is_not_told(server):
    site = open_site(hold_back_ratio=1)
    ScheduleConfig.objects.create(site=site, create_schedules=True, hold_back_ratio=0)
    enroll(make_learner(), make_course())
    segment.flush()
    assert server.request_count == 0


# Processes ----------------------------------------------------------------------------------------


SEND = """
from django.core.management import call_command
call_command("migrate", verbosity=0)
from django.conf import settings
settings.ACE_ENABLED_CHANNELS = ["schedules_file_email"]
settings.ACE_CHANNEL_DEFAULT_EMAIL = "schedules_file_email"
from tests.world import *
open_site()
enroll(make_learner(), make_course())
call_command("send_recurring_nudge", "example.com", date=TODAY.isoformat(), verbosity=0)
import sys
from schedules.models import ScheduledMessage
print(ScheduledMessage.objects.get().status, sorted(name for name in sys.modules if name.startswith("segment")))
"""


@pytest.mark.slow
def test_without_a_key_nothing_is_imported():
    assert run_apart(SEND) == "sent []\n"


@pytest.mark.slow
def test_with_a_key_it_is_imported(server):
    code = f"from django.conf import settings\nsettings.LMS_SEGMENT_KEY, url = 'k', {server.url!r}\n"
    code += "settings.SCHEDULES = {**settings.SCHEDULES, 'SEGMENT_URL': url}\n"
    assert run_apart(code + SEND).startswith("sent ['segment'")
    assert len(server.events) == 1


FORK = """
import os, sys
from django.conf import settings
settings.LMS_SEGMENT_KEY = "k"
settings.SCHEDULES = {{**settings.SCHEDULES, "SEGMENT_URL": {url!r}}}
from schedules.tracking import segment
from schedules.tracking.events import Event
def tell(who):
    segment.track(Event(id=who, name="test", user_id=1, properties={{}}))
tell("parent before")
segment.flush()
children = []
for number in range(3):
    child = os.fork()
    if not child:
        for turn in range(3):
            tell(f"child {{number}}.{{turn}}")
            segment.flush()
        os._exit(0)  # as Celery's children end
    children.append(child)
for child in children:
    os.waitpid(child, 0)
tell("parent after")
"""


@pytest.mark.slow
def test_children_of_a_process_that_told_something_tell_their_own(server):
    """As Celery's prefork pool does; and the last event leaves when the process ends, without a flush."""
    run_apart(FORK.format(url=server.url))
    told = sorted(event["messageId"] for event in server.events)
    children = [f"child {number}.{turn}" for number in range(3) for turn in range(3)]
    assert told == [*children, "parent after", "parent before"]
    assert server.connection_count == 4  # none is shared: two processes must not speak in one TLS session


@pytest.mark.slow
def test_a_process_that_ends_does_not_wait_long_for_a_segment_that_hangs(server):
    server.hangs = True
    run_apart(FORK.split("segment.flush()", maxsplit=1)[0].format(url=server.url))
    assert server.request_count <= segment.RETRIES  # it gave up before the last try, for none was answered
    assert server.events == []
