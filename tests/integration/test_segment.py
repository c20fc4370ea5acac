"""Segment hears of what was sent and who was held back, once, and never stands in anybody's way."""

import json
from datetime import timedelta

import pytest
from celery import Task
from django.core.cache import cache
from django.core.management import call_command
from django.db import connection, transaction
from django.utils import timezone
from kombu.exceptions import OperationalError

from schedules import api
from schedules.contrib.lms.models import CourseEmailOptout
from schedules.database.clock import SHARED_CLOCK
from schedules.models import HoldBack, ScheduleConfig, ScheduledMessage, SendRun
from schedules.sending import tasks
from schedules.tracking import outbox
from tests.apart import run_apart
from tests.world import enroll, free_port, make_course, make_learner, open_site, perform, send_nudges, started

pytestmark = pytest.mark.django_db

KEY = "a-write-key"


@pytest.fixture
def server(segment_server):
    return segment_server


def statuses():
    return dict(ScheduledMessage.objects.values_list("user__username", "status"))


def messages():
    return ScheduledMessage.objects.order_by("sent_at")


def waiting():
    return ScheduledMessage.objects.filter(segment_due_at__isnull=False).count()


def recover():
    call_command("recover_messages", verbosity=0)


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
    assert event["timestamp"] == row.sent_at.isoformat()
    assert server.keys == {KEY}
    assert alice.email not in json.dumps(server.events)
    assert waiting() == 0


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


def test_a_batch_is_told_in_one_request_when_it_has_ended(server, email_channel, broker):
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
    assert server.request_count == len(batches) < 30
    assert len({event["messageId"] for event in server.events}) == 30


def test_what_segment_takes_is_not_told_again(server, email_channel):
    open_site()
    enroll(make_learner(), make_course())
    send_nudges()
    recover()
    send_nudges()
    assert server.request_count == 1


def test_without_a_key_nothing_waits(settings, server, email_channel):
    settings.LMS_SEGMENT_KEY = ""
    open_site()
    enroll(make_learner(), make_course())
    send_nudges()
    settings.LMS_SEGMENT_KEY = KEY
    recover()
    assert server.request_count == 0


def test_a_key_that_is_taken_away_tells_nothing_more(settings, server, email_channel):
    server.statuses = [503, 503]
    open_site()
    enroll(make_learner(), make_course())
    send_nudges()
    settings.LMS_SEGMENT_KEY = ""
    recover()
    assert (server.request_count, waiting()) == (2, 1)


def test_a_message_that_is_recorded_twice_is_the_same_event(server, email_channel, broker):
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


@pytest.mark.django_db(transaction=True)
def test_what_could_not_be_recorded_is_not_told(server, email_channel, broker):
    open_site()
    enroll(make_learner(), make_course())
    send_nudges()
    perform(broker())

    def refuse(execute, sql, params, many, context):
        if sql.startswith("UPDATE") and "sent" in params:
            raise ZeroDivisionError
        return execute(sql, params, many, context)

    with connection.execute_wrapper(refuse), pytest.raises(Exception, match="ZeroDivisionError"):
        perform(broker())
    assert len(email_channel) == 1
    recover()
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


def test_a_test_message_takes_nothing_from_the_learner_s_own(server, email_channel):
    """Segment counts an id once."""
    open_site()
    enroll(make_learner(), make_course())
    send_nudges(override_recipient_email="tester@example.com")
    send_nudges()
    test, own = server.events
    assert test["messageId"] != own["messageId"]


def test_a_test_message_costs_nothing_where_segment_is_away(server, email_channel, caplog):
    server.statuses = [503]
    open_site()
    enroll(make_learner(), make_course())
    send_nudges(override_recipient_email="tester@example.com")
    assert len(email_channel) == 1
    assert "Segment does not hear of 1 test messages: status 503" in caplog.text


# Segment in bad moods -----------------------------------------------------------------------------


@pytest.mark.parametrize("status", [302, 401, 408, 429, 500, 503])
def test_what_segment_refuses_for_now_is_told_later(server, email_channel, caplog, status):
    server.statuses = [status] * 3  # at the end of the batch, of the day, and at the first recovery
    open_site()
    alice = make_learner()
    enroll(alice, make_course())
    send_nudges()
    assert (statuses(), waiting()) == ({"alice": "sent"}, 1)
    recover()
    assert (server.events, waiting()) == ([], 1)
    recover()
    (event,) = server.events
    assert event["timestamp"] == ScheduledMessage.objects.get().sent_at.isoformat()
    assert waiting() == 0
    assert f"status {status}" in caplog.text
    assert alice.email not in caplog.text


@pytest.mark.parametrize("status", [400, 413])
def test_what_segment_refuses_for_good_is_named_in_the_log(server, email_channel, caplog, status):
    server.statuses = [status]
    open_site()
    enroll(make_learner(), make_course())
    send_nudges()
    recover()
    assert (server.request_count, waiting()) == (1, 0)
    assert f"Segment refused 1 events: edx.bi.email.sent:{ScheduledMessage.objects.get().pk}" in caplog.text


def test_a_segment_that_is_not_there_costs_no_message(settings, server, email_channel):
    there, away = settings.SCHEDULES, f"http://127.0.0.1:{free_port()}"
    settings.SCHEDULES = {**there, "SEGMENT_URL": away}
    open_site()
    enroll(make_learner(), make_course())
    send_nudges()
    assert statuses() == {"alice": "sent"}
    assert len(email_channel) == 1
    settings.SCHEDULES = there
    recover()
    assert len(server.events) == 1


@pytest.mark.all_bins
def test_a_segment_that_is_away_is_tried_by_one_batch_of_many(server, email_channel):
    server.statuses = [503] * 30
    open_site()
    garden = make_course()
    for number in range(24):  # one in each bin, so 24 batches
        enroll(make_learner(f"learner{number}", pk=1000 + number), garden)
    send_nudges()
    assert set(statuses().values()) == {"sent"}
    assert (server.request_count, waiting()) == (2, 24)  # and once more when the day is done
    server.statuses = []
    recover()
    assert (server.request_count, len(server.events), waiting()) == (3, 24, 0)


def test_when_segment_comes_back_batches_tell_again(server, email_channel):
    server.statuses = [503]
    open_site()
    enroll(make_learner(), make_course())
    send_nudges()
    cache.clear()  # as after a minute
    enroll(make_learner("bob"), make_course("Bees"))
    send_nudges()
    assert [event["userId"] for event in server.events] == [str(row.user_id) for row in messages()]


def test_more_than_a_request_holds_are_told_in_several(server, email_channel):
    server.statuses = [503, 503]
    open_site()
    garden = make_course()
    for number in range(100):
        enroll(make_learner(f"learner{number}", pk=24 * (number + 1)), garden)
    send_nudges()
    assert waiting() == 100
    recover()
    assert (server.request_count, len(server.events), waiting()) == (4, 100, 0)


def test_two_who_tell_at_once_tell_of_different_messages(server, email_channel):
    server.statuses = [503, 503]
    open_site()
    garden = make_course()
    for number in range(3):
        enroll(make_learner(f"learner{number}", pk=24 * (number + 1)), garden)
    send_nudges()
    taken = outbox._SENT.take(2)
    recover()
    assert len(taken) == 2
    assert len(server.events) == 1


def test_whoever_is_killed_while_telling_leaves_it_to_the_next(server, email_channel):
    server.statuses = [503, 503]
    open_site()
    enroll(make_learner(), make_course())
    send_nudges()
    outbox._SENT.take(1)
    recover()
    assert (server.events, waiting()) == ([], 1)
    ScheduledMessage.objects.update(segment_due_at=SHARED_CLOCK - timedelta(seconds=1))  # as when the lease has ended
    recover()
    assert (len(server.events), waiting()) == (1, 0)


def test_telling_is_a_task_of_its_own(server, email_channel, broker):
    server.statuses = [503]
    open_site()
    enroll(make_learner(), make_course())
    send_nudges()
    perform(broker())
    perform(broker())
    tasks.recover()
    ((name, arguments),) = queued = broker()
    assert (name, arguments, server.events) == ("schedules.tasks.flush_tracking", {}, [])
    perform(queued)
    assert len(server.events) == 1
    tasks.recover()
    assert broker() == []


@pytest.mark.parametrize(
    ("key", "url"), [("schlüssel-Ω", None), ("two words\n", None), (KEY, "http://nowhere.invalid")]
)
def test_a_key_or_url_that_cannot_be_sent_costs_nothing(settings, server, email_channel, key, url):
    settings.LMS_SEGMENT_KEY = key
    settings.SCHEDULES = {**settings.SCHEDULES, "SEGMENT_URL": url or server.url}
    open_site()
    enroll(make_learner(), make_course())
    send_nudges(override_recipient_email="tester@example.com")
    send_nudges()
    recover()
    assert len(email_channel) == 2
    assert statuses() == {"alice": "sent"}


def test_an_answer_that_never_ends_keeps_no_message_waiting(server, email_channel):
    server.drips = True
    open_site()
    enroll(make_learner(), make_course())
    send_nudges()
    recover()
    assert (statuses(), waiting()) == ({"alice": "sent"}, 0)


def test_a_day_s_messages_go_before_what_segment_has_yet_to_hear(server, email_channel):
    server.statuses = [503, 503]
    open_site()
    enroll(make_learner(), make_course())
    send_nudges()
    enroll(make_learner("bob"), make_course("Bees"))
    cache.clear()
    arrived = []
    server.hears = lambda: arrived.append(len(email_channel))
    send_nudges()
    assert arrived == [2, 2]  # the batch tells of its own, and the end of the day of what waited
    assert waiting() == 0


def test_a_row_that_somebody_edited_keeps_nobody_waiting(server, email_channel, caplog):
    server.statuses = [503, 503]
    open_site()
    garden = make_course()
    for number, name in enumerate(("alice", "bob"), start=1):
        enroll(make_learner(name, pk=24 * number), garden)
    send_nudges()
    ScheduledMessage.objects.filter(user__username="alice").update(course_ids=7)
    recover()
    assert (len(server.events), waiting()) == (1, 0)
    assert "Segment does not hear of schedules.ScheduledMessage" in caplog.text


def test_a_broker_that_is_away_ends_no_day(server, email_channel, monkeypatch, caplog):
    apply_async = Task.apply_async

    def refuse_tracking(task, *arguments, **options):
        if task.name == "schedules.tasks.flush_tracking":
            raise OperationalError
        return apply_async(task, *arguments, **options)

    monkeypatch.setattr(Task, "apply_async", refuse_tracking)
    server.statuses = [503]
    open_site()
    enroll(make_learner(), make_course())
    send_nudges()
    recover()
    assert statuses() == {"alice": "sent"}
    assert waiting() == 1
    assert "was not queued" in caplog.text


# Hold-backs ---------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_a_learner_who_is_held_back_is_told(server):
    site = open_site(hold_back_ratio=1)
    alice, garden = make_learner(), make_course()
    enroll(alice, garden)
    assert server.request_count == 0  # whoever enrolls does not wait for Segment
    recover()
    (event,) = server.events
    assert (event["event"], event["userId"]) == ("edx.bi.schedule.suppressed", str(alice.pk))
    assert event["properties"] == {
        "course_id": str(garden.pk),
        "experience_type": 0,
        "upgrade_deadline": None,
        "content_availability_date": started(3).isoformat(),
    }
    assert event["timestamp"] == HoldBack.objects.get().modified.isoformat()
    assert len(event["messageId"]) < 100
    recover()
    assert len(server.events) == 1
    api.learner_enrolled(alice.pk, str(garden.pk), enrolled_at=started(3), now=timezone.now(), site_id=site.pk)
    recover()
    assert server.events[1]["messageId"] == event["messageId"]


@pytest.mark.django_db(transaction=True)
def test_an_enrollment_that_is_rolled_back_is_not_told(server):
    open_site(hold_back_ratio=1)
    with transaction.atomic():
        enroll(make_learner(), make_course())
        transaction.set_rollback(True)
    recover()
    assert HoldBack.objects.count() == 0
    assert server.request_count == 0


@pytest.mark.django_db(transaction=True)
def test_who_gets_a_schedule_is_not_told(server):
    site = open_site(hold_back_ratio=1)
    ScheduleConfig.objects.create(site=site, create_schedules=True, hold_back_ratio=0)
    enroll(make_learner(), make_course())
    recover()
    assert server.request_count == 0


@pytest.mark.django_db(transaction=True)
def test_hold_backs_wait_for_a_segment_that_is_away(server):
    server.statuses = [503]
    open_site(hold_back_ratio=1)
    enroll(make_learner(), make_course())
    recover()
    assert server.events == []
    recover()
    assert len(server.events) == 1


# Processes ----------------------------------------------------------------------------------------


SEND = """
from django.conf import settings
settings.LMS_SEGMENT_KEY = "k"
settings.SCHEDULES = {{**settings.SCHEDULES, "SEGMENT_URL": {url!r}}}
settings.ACE_ENABLED_CHANNELS = ["schedules_file_email"]
settings.ACE_CHANNEL_DEFAULT_EMAIL = "schedules_file_email"
import threading
from django.core.management import call_command
call_command("migrate", verbosity=0)
from tests.world import *
open_site()
enroll(make_learner(), make_course())
call_command("send_recurring_nudge", "example.com", date=TODAY.isoformat(), verbosity=0)
print(threading.active_count())
"""


@pytest.mark.slow
def test_a_process_that_sent_something_has_no_thread_and_told_of_it(server):
    assert run_apart(SEND.format(url=server.url)) == "1\n"
    assert len(server.events) == 1
