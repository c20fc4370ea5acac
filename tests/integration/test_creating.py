"""From an enrollment to a schedule (behavior 1), through the embedded LMS's own models."""

import logging
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.sites.models import Site
from django.db import connection, transaction
from django.test import override_settings
from waffle.testutils import override_flag

from schedules import api, signals
from schedules.contrib.lms.models import CourseEnrollment, SiteConfiguration
from schedules.enrolling import creating
from schedules.models import (
    HoldBack,
    Schedule,
    ScheduleConfig,
    ScheduleExperience,
    WaffleFlagCourseOverride,
    WaffleFlagOrgOverride,
)
from schedules.toggles import CREATE_SCHEDULES_FLAG
from schedules.values.data import ExperienceType
from tests.failing_database import refusing
from tests.world import enable_deadlines, enroll, make_course, make_learner, open_site, schedule_of, started

pytestmark = pytest.mark.django_db


def test_an_enrollment_gets_a_schedule_and_an_experience():
    open_site()
    alice, garden = make_learner(), make_course()
    enroll(alice, garden, days_ago=3)
    schedule = schedule_of(alice, garden)
    assert (schedule.start_date, schedule.upgrade_deadline) == (started(3), None)
    assert schedule.org == "MeadowX"
    assert schedule.experience.experience_type == ExperienceType.DEFAULT


def test_the_start_is_the_courses_when_that_is_later():
    open_site()
    alice, garden = make_learner(), make_course(start=started(1))
    enroll(alice, garden, days_ago=30)
    assert schedule_of(alice, garden).start_date == started(1)


def test_a_course_with_highlights_gets_course_updates():
    open_site()
    alice, garden = make_learner(), make_course(weeks=[["Dig"]])
    enroll(alice, garden)
    assert schedule_of(alice, garden).experience.experience_type == ExperienceType.COURSE_UPDATES


@pytest.mark.parametrize(
    "spoil",
    [
        lambda course: course.sections.update(hide_from_toc=True),
        lambda course: course.sections.update(visible_to_staff_only=True),
        lambda course: course.sections.update(highlights=[" "]),
        lambda course: course.sections.update(highlights=[]),
        lambda course: type(course).objects.filter(pk=course.pk).update(highlights_enabled_for_messaging=False),
    ],
)
def test_without_highlights_to_send_the_experience_is_the_default(spoil):
    open_site()
    alice, garden = make_learner(), make_course(weeks=[["Dig"]])
    spoil(garden)
    enroll(alice, garden)
    assert schedule_of(alice, garden).experience.experience_type == ExperienceType.DEFAULT


@pytest.mark.parametrize(
    "fields",
    [{"start": None}, {"self_paced": False}, {"end": datetime(2020, 1, 1, tzinfo=UTC)}],
    ids=["no start date", "instructor-paced", "ended"],
)
def test_some_courses_get_no_schedules(fields, caplog):
    caplog.set_level(logging.DEBUG, "schedules")
    open_site()
    alice = make_learner()
    enrollment = enroll(alice, make_course(**fields))
    assert CourseEnrollment.objects.get() == enrollment
    assert not Schedule.objects.exists()
    assert f"No schedule for learner {alice.pk} in" in caplog.text


def test_an_enrollment_without_a_course_gets_no_schedule(caplog):
    caplog.set_level(logging.DEBUG, "schedules")
    open_site()
    alice = make_learner()
    api.learner_enrolled(alice.pk, "course-v1:No+Such+Course", enrolled_at=started(3), now=started(3))
    assert not Schedule.objects.exists()
    assert "the host knows no such course" in caplog.text


def test_an_inactive_enrollment_gets_its_schedule_when_it_becomes_active():
    open_site()
    alice, garden = make_learner(), make_course()
    enrollment = enroll(alice, garden, days_ago=30, is_active=False)
    assert not Schedule.objects.exists()
    before = datetime.now(UTC)
    enrollment.is_active = True
    enrollment.save()
    assert before <= schedule_of(alice, garden).start_date <= datetime.now(UTC)


def test_enrolling_again_sets_the_dates_anew_and_keeps_the_experience():
    open_site()
    enable_deadlines()
    alice, garden = make_learner(), make_course(price=49)
    enrollment = enroll(alice, garden, days_ago=300)
    ScheduleExperience.objects.update(experience_type=ExperienceType.COURSE_UPDATES)
    enrollment.is_active = False
    enrollment.save()
    assert schedule_of(alice, garden).start_date == started(300)
    enrollment.is_active = True
    enrollment.save()
    schedule = schedule_of(alice, garden)
    assert schedule.start_date > started(1)
    assert schedule.upgrade_deadline == schedule.start_date + timedelta(days=21)
    assert schedule.experience.experience_type == ExperienceType.COURSE_UPDATES


def test_without_configuration_nothing_is_created():
    Site.objects.get_or_create(domain="example.com")
    enroll(make_learner(), make_course())
    assert not Schedule.objects.exists()


def test_the_flag_alone_is_enough():
    open_site(create_schedules=False)
    garden = make_course()
    enroll(make_learner("alice"), garden)
    assert not Schedule.objects.exists()
    with override_flag(CREATE_SCHEDULES_FLAG, active=True):
        enroll(make_learner("bob"), garden)
    assert Schedule.objects.count() == 1


@pytest.mark.parametrize("is_on_everywhere", [True, False])
@pytest.mark.parametrize(
    ("org_choice", "course_choice", "expected"),
    [
        (None, None, "everywhere"),
        ("on", None, True),
        ("off", None, False),
        (None, "on", True),
        (None, "off", False),
        ("on", "off", False),
        ("off", "on", True),
    ],
)
def test_the_first_opinion_about_the_flag_wins(is_on_everywhere, org_choice, course_choice, expected):
    open_site(create_schedules=False)
    garden = make_course()
    if org_choice:
        WaffleFlagOrgOverride.objects.create(
            enabled=True, waffle_flag=CREATE_SCHEDULES_FLAG, org="MeadowX", override_choice=org_choice
        )
    if course_choice:
        WaffleFlagCourseOverride.objects.create(
            enabled=True, waffle_flag=CREATE_SCHEDULES_FLAG, course_id=str(garden.pk), override_choice=course_choice
        )
    with override_flag(CREATE_SCHEDULES_FLAG, active=is_on_everywhere):
        enroll(make_learner(), garden)
    assert Schedule.objects.exists() == (is_on_everywhere if expected == "everywhere" else expected)


def test_an_override_that_is_not_enabled_has_no_opinion():
    open_site(create_schedules=False)
    garden = make_course()
    keys = {"waffle_flag": CREATE_SCHEDULES_FLAG, "course_id": str(garden.pk), "override_choice": "off"}
    WaffleFlagCourseOverride.objects.create(enabled=True, **keys)
    WaffleFlagCourseOverride.objects.create(enabled=False, **keys)
    with override_flag(CREATE_SCHEDULES_FLAG, active=True):
        enroll(make_learner(), garden)
    assert Schedule.objects.exists()


def test_the_site_that_claims_the_organization_decides():
    open_site("example.com", create_schedules=False)
    harbor = open_site("harbor.example.org", create_schedules=True)
    SiteConfiguration.objects.create(site=harbor, enabled=True, site_values={"course_org_filter": "HarborX"})
    enroll(make_learner(), make_course(org="HarborX"))
    enroll(make_learner("bob"), make_course(org="MeadowX"))
    assert [schedule.org for schedule in Schedule.objects.all()] == ["HarborX"]


def test_the_requests_site_decides_first():
    open_site("example.com", create_schedules=True)
    harbor = open_site("harbor.example.org", create_schedules=False)
    alice, garden = make_learner(), make_course()
    api.learner_enrolled(alice.pk, str(garden.pk), enrolled_at=started(3), now=started(3), site_id=harbor.pk)
    assert not Schedule.objects.exists()


@pytest.mark.parametrize(("ratio", "held_back"), [(0, 0), (1, 20)])
def test_the_ratio_holds_back_nobody_or_everybody(ratio, held_back):
    open_site(hold_back_ratio=ratio)
    garden = make_course()
    for number in range(20):
        enroll(make_learner(f"learner{number}"), garden)
    assert (HoldBack.objects.count(), Schedule.objects.count()) == (held_back, 20 - held_back)


@pytest.mark.slow
def test_raising_the_ratio_only_adds_people():
    site = open_site()

    def held_back(ratio: float) -> set[int]:
        ScheduleConfig.objects.create(site=site, hold_back_ratio=ratio)
        return {user_id for user_id in range(2000) if creating.is_held_back(site, user_id)}

    few, more = held_back(0.1), held_back(0.3)
    assert few < more
    assert 140 < len(few) < 260
    assert 520 < len(more) < 680


def test_the_draw_differs_by_site_and_salt():
    near, far = open_site(hold_back_ratio=0.5), open_site("far.example.org", hold_back_ratio=0.5)
    draws = [[creating.is_held_back(site, user_id) for user_id in range(200)] for site in (near, far)]
    with override_settings(SCHEDULES={"HOLD_BACK_SALT": "other"}):
        draws.append([creating.is_held_back(near, user_id) for user_id in range(200)])
    assert draws[0] != draws[1] != draws[2] != draws[0]


def test_a_hold_back_keeps_what_the_schedule_would_have_been():
    open_site(hold_back_ratio=1)
    enable_deadlines()
    alice, garden = make_learner(), make_course(price=49, weeks=[["Dig"]])
    enroll(alice, garden, days_ago=3)
    row = HoldBack.objects.get()
    assert (row.user, row.course_id, row.site.domain) == (alice, str(garden.pk), "example.com")
    assert row.content_availability_date == started(3)
    assert row.upgrade_deadline == started(3) + timedelta(days=21)
    assert row.experience_type == ExperienceType.COURSE_UPDATES


def test_a_learner_with_a_schedule_is_no_longer_held_back():
    site = open_site(hold_back_ratio=1)
    alice, garden = make_learner(), make_course()
    enrollment = enroll(alice, garden, is_active=False)
    for ratio in (1, 0):
        ScheduleConfig.objects.create(site=site, create_schedules=True, hold_back_ratio=ratio)
        enrollment.is_active = False
        enrollment.save()
        enrollment.is_active = True
        enrollment.save()
    assert Schedule.objects.exists()
    assert not HoldBack.objects.exists()


def test_what_fails_here_never_spoils_the_enrollment(change_host, caplog):
    def break_the_database(answer, course_ids):
        with connection.cursor() as cursor:
            cursor.execute("SELECT * FROM no_such_table")

    open_site()
    alice, garden = make_learner(), make_course()
    change_host("verified_modes", break_the_database)
    with transaction.atomic():
        enroll(alice, garden)
    assert CourseEnrollment.objects.filter(user=alice).exists()
    assert not Schedule.objects.exists()
    assert f"No schedule for learner {alice.pk} in {garden.pk}" in caplog.text
    assert alice.email not in caplog.text


def test_a_broken_experience_leaves_no_half_a_schedule():
    open_site()
    with refusing(RuntimeError(), "INSERT", "schedules_scheduleexperience"):
        enroll(make_learner(), make_course())
    assert not Schedule.objects.exists()


def test_a_fact_that_nobody_knows_is_refused_and_logged(caplog):
    api.course_changed("c", facts=["color"], now=started(0))
    assert "c could not follow the course: ValueError" in caplog.text


@pytest.mark.parametrize(
    "erase", [api.learner_erased, lambda user_id: signals.learner_erased.send(sender=None, user_id=user_id)]
)
def test_erasing_a_learner_forgets_them(erase):
    open_site()
    alice, bob, garden = make_learner("alice"), make_learner("bob"), make_course()
    enroll(alice, garden)
    enroll(bob, garden)
    erase(alice.pk)
    assert [schedule.user for schedule in Schedule.objects.all()] == [bob]
