"""What the embedded LMS tells the app, and what is no news."""

import pytest
from django.contrib.sites.models import Site
from django.core import serializers
from django.urls import reverse

from schedules import signals
from schedules.contrib.lms.models import Course, CourseEnrollment, CourseMode
from tests.world import enroll, make_course, make_learner, started

pytestmark = pytest.mark.django_db


@pytest.fixture
def enrolled():
    """What was said of enrollments: the arguments of each signal."""
    yield from _heard(signals.learner_enrolled)


@pytest.fixture
def changed():
    """What was said of courses: the arguments of each signal."""
    yield from _heard(signals.course_changed)


def _heard(signal):
    said = []

    def listen(signal, **arguments):
        said.append(arguments)

    signal.connect(listen)
    yield said
    signal.disconnect(listen)


def test_what_a_save_left_out_is_no_news(enrolled, changed):
    garden = make_course()
    enrollment = enroll(make_learner(), garden, is_active=False)
    enrollment.is_active, enrollment.mode = True, "honor"
    enrollment.save(update_fields=["mode"])
    garden.start, garden.display_name = started(1), "Garden"
    garden.save(update_fields=["display_name"])
    assert enrolled == changed == []
    enrollment.save(update_fields=["is_active"])
    garden.save(update_fields=["start"])
    assert [one["user_id"] for one in enrolled] == [enrollment.user_id]
    assert [one["facts"] for one in changed] == [{signals.CourseFact.START}]


def test_it_says_who_speaks_and_gives_primitives(enrolled, changed):
    garden = make_course()
    alice = make_learner()
    enroll(alice, garden)
    garden.end = started(-30)
    garden.save()
    assert enrolled == [
        {
            "sender": CourseEnrollment,
            "user_id": alice.pk,
            "course_id": str(garden.pk),
            "enrolled_at": started(3),
            "site_id": None,
        }
    ]
    assert changed == [{"sender": Course, "course_id": str(garden.pk), "facts": frozenset({signals.CourseFact.END})}]


def test_the_same_news_is_said_once(enrolled, changed):
    garden = make_course()
    enrollment = enroll(make_learner(), garden)
    garden.start = started(1)
    for _ in range(3):
        enrollment.save()
        garden.save()
    assert (len(enrolled), len(changed)) == (1, 1)


def test_what_is_read_from_the_database_is_no_change(enrolled, changed):
    garden = make_course(price=49)
    enroll(make_learner(), garden)
    enrolled.clear()
    changed.clear()
    for model in (Course, CourseMode, CourseEnrollment):
        model.objects.get().save()
    CourseEnrollment.objects.defer("is_active").get().save()
    assert enrolled == changed == []


def test_fixtures_that_are_loaded_are_no_news(enrolled, changed):
    garden = make_course(price=49)
    enroll(make_learner(), garden)
    rows = serializers.serialize(
        "json", [*Course.objects.all(), *CourseMode.objects.all(), *CourseEnrollment.objects.all()]
    )
    Course.objects.all().delete()
    enrolled.clear()
    changed.clear()
    for row in serializers.deserialize("json", rows):
        row.save()
    assert CourseEnrollment.objects.count() == 1
    assert enrolled == changed == []


def test_a_mode_that_becomes_the_verified_one_or_is_no_longer_is_news(changed):
    garden = make_course()
    mode = CourseMode.objects.create(course=garden, mode_slug="honor")
    assert changed == []
    for slug in ("verified", "professional"):
        mode.mode_slug = slug
        mode.save()
    assert [one["facts"] for one in changed] == [{signals.CourseFact.VERIFIED_MODE}] * 2


def test_modes_that_are_deleted_together_are_news_each(changed):
    gardens = {str(make_course(price=49).pk) for _ in range(2)}
    changed.clear()
    CourseMode.objects.filter(mode_slug="verified").delete()
    assert {one["course_id"] for one in changed} == gardens


@pytest.mark.parametrize(
    ("visited", "is_known"), [("harbor.example.org", True), ("harbor.example.org:8000", True), ("localhost", False)]
)
def test_the_site_that_was_visited_is_said(enrolled, client, visited, is_known):
    harbor = Site.objects.create(domain="Harbor.example.org", name="Harbor")
    client.force_login(make_learner())
    path = reverse("schedules_lms:enrollment", args=[make_course().pk])
    client.post(path, {"is_active": "yes"}, headers={"host": visited})
    client.post(path, {"is_active": "yes"}, headers={"host": visited})
    assert [one["site_id"] for one in enrolled] == [harbor.pk if is_known else None]
