"""A wish to leave is kept, whatever became since of the rows that the message was made from."""

import re
from urllib.parse import urlsplit

import pytest
from django.core.signing import Signer
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from schedules import api
from schedules.contrib.lms.models import Course, CourseEnrollment
from schedules.ledger.retention import prune_messages
from schedules.models import OptOut, Schedule, ScheduledMessage
from schedules.unsubscribe.links import Token, page_path
from tests.world import enroll, make_course, make_learner, open_site, schedule_of, send_nudges

pytestmark = pytest.mark.django_db

ONE_CLICK = {"List-Unsubscribe": "One-Click"}


@pytest.fixture
def alice(email_channel):
    """Alice was nudged about the garden course."""
    open_site()
    learner = make_learner()
    enroll(learner, make_course())
    send_nudges()
    return learner


@pytest.fixture
def path(alice, email_channel):
    """That of the link in her e-mail."""
    return urlsplit(re.search(r"<(https:[^>]+)>", email_channel[0].extra_headers["List-Unsubscribe"])[1]).path


@pytest.fixture
def course_id(alice):
    return str(Course.objects.get().pk)


@pytest.fixture
def client():
    return Client(enforce_csrf_checks=True)


def wishes():
    return set(OptOut.objects.values_list("user__username", "course_id", "message_type"))


def schedule_deleted():
    Schedule.objects.all().delete()


def left_and_schedule_deleted():
    CourseEnrollment.objects.all().delete()
    Schedule.objects.all().delete()


def all_forgotten():
    api.learner_erased(Schedule.objects.get().user_id)


def ledger_pruned():
    assert sum(prune_messages(timezone.now()))
    Schedule.objects.all().delete()


def course_deleted():
    Schedule.objects.all().delete()
    Course.objects.all().delete()


LOSSES = [schedule_deleted, left_and_schedule_deleted, all_forgotten, ledger_pruned, course_deleted]


@pytest.mark.parametrize("lose", LOSSES)
def test_one_click_is_kept(client, alice, path, lose):
    lose()
    assert client.post(path, ONE_CLICK).status_code == 200
    assert wishes() == {("alice", "", "recurring_nudge")}


@pytest.mark.parametrize("lose", LOSSES)
def test_the_page_offers_the_messages_course_and_keeps_what_is_chosen(client, path, course_id, lose):
    lose()
    page = client.get(path).content.decode()
    assert re.findall(r'name="stop" value="([^"]*)"', page) == [":recurring_nudge", ":", f"{course_id}:"]
    assert client.post(path, {"stop": f"{course_id}:"}).status_code == 200
    assert wishes() == {("alice", course_id, "")}
    client.post(path, {"again": f"{course_id}:"})
    assert wishes() == set()


@pytest.mark.parametrize("posted", [ONE_CLICK, {"stop": ":"}, {"stop": "{course_id}:"}])
def test_what_was_left_without_a_schedule_is_obeyed_when_the_learner_enrolls_again(
    client, alice, path, course_id, posted
):
    left_and_schedule_deleted()
    client.post(path, {name: value.format(course_id=course_id) for name, value in posted.items()})
    enroll(alice, Course.objects.get())
    ScheduledMessage.objects.all().delete()
    send_nudges()
    assert [row.reason for row in ScheduledMessage.objects.all()] == ["opted-out"]


# Links that were sent before they named courses ---------------------------------------------------


def old_link(learner, *schedule_ids, uuid=""):
    site = open_site()
    fields = [learner.pk, site.pk, "recurring_nudge", "en", schedule_ids, 0, uuid]
    return reverse("schedules:unsubscribe", args=[Signer(sep=".", salt="schedules.unsubscribe").sign_object(fields)])


@pytest.fixture
def old_path(alice):
    message = ScheduledMessage.objects.get()
    return old_link(alice, schedule_of(alice, Course.objects.get()).pk, uuid=message.pk.hex)


@pytest.mark.parametrize("lose", [lambda: None, schedule_deleted, left_and_schedule_deleted, course_deleted])
def test_an_old_link_stops_its_course_by_its_schedule_or_by_the_ledger(client, old_path, course_id, lose):
    lose()
    assert client.post(old_path, {"stop": f"{course_id}:"}).status_code == 200
    assert wishes() == {("alice", course_id, "")}


def test_an_old_link_of_which_nothing_is_left_still_stops_its_message_type(client, old_path):
    all_forgotten()
    assert client.post(old_path, ONE_CLICK).status_code == 200
    assert wishes() == {("alice", "", "recurring_nudge")}


def test_an_old_link_names_only_its_own_learners_schedules_and_message(client, alice):
    bob = make_learner("bob")
    enroll(bob, make_course("Bees"))
    send_nudges()
    theirs = ScheduledMessage.objects.get(user=bob)
    answer = client.get(
        old_link(alice, schedule_of(bob, Course.objects.get(display_name="Bees")).pk, uuid=theirs.pk.hex)
    )
    assert answer.status_code == 200
    assert "Bees" not in answer.content.decode()


# Very many courses --------------------------------------------------------------------------------


def test_a_message_about_more_courses_than_fit_into_its_link_offers_them_all(client, email_channel):
    open_site()
    learner = make_learner()
    for number in range(45):
        enroll(learner, make_course(f"Course {number:02}", org="MeadowX", number=f"{number * 7919**5:x}" * 8))
    send_nudges()
    path = urlsplit(re.search(r"<(https:[^>]+)>", email_channel[0].extra_headers["List-Unsubscribe"])[1]).path
    message = ScheduledMessage.objects.get()
    assert set(message.course_ids) == {str(course.pk) for course in Course.objects.all()}
    assert len(path) < 900
    offered = re.findall(r'name="stop" value="([^"]+):"', client.get(path).content.decode())
    assert offered == message.course_ids
    client.post(path, {"stop": f"{offered[-1]}:"})
    assert wishes() == {("alice", offered[-1], "")}
    message.delete()
    left = re.findall(r'name="stop" value="([^"]+):"', client.get(path).content.decode())
    assert left == offered[: len(left)]
    assert 5 < len(left) < 45


def test_a_link_of_a_sample_shows_the_page_though_its_learner_is_nobody(client):
    answer = client.get(page_path(Token(0, open_site().pk, "recurring_nudge", "en", ("a course",), is_test=True)))
    assert answer.status_code == 200
    assert "It changes nothing for the learner." in answer.content.decode()
