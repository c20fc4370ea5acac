"""Upgrade deadlines (behavior 2): whose opinion counts, what bounds them, and how they follow the course."""

from datetime import UTC, datetime, timedelta

import pytest

from schedules.contrib.lms.models import CourseMode
from schedules.enrolling import course_changes, deadlines
from schedules.models import (
    CourseDynamicUpgradeDeadlineConfiguration as CourseConfiguration,
)
from schedules.models import (
    DynamicUpgradeDeadlineConfiguration as PlatformConfiguration,
)
from schedules.models import HoldBack, Schedule, ScheduleConfig
from schedules.models import (
    OrgDynamicUpgradeDeadlineConfiguration as OrgConfiguration,
)
from schedules.values.data import VerifiedMode
from tests.world import enable_deadlines, enroll, make_course, make_learner, open_site, schedule_of, started

pytestmark = pytest.mark.django_db

ON, OFF, OUT = {"enabled": True}, {"enabled": False}, {"enabled": True, "opt_out": True}


@pytest.mark.parametrize(
    ("platform", "org", "course", "days"),
    [
        (None, None, None, None),
        (OFF, None, None, None),
        (ON, None, None, 21),
        (ON, {**ON, "deadline_days": 14}, None, 14),
        (ON, OUT, None, None),
        (ON, {**OUT, "enabled": False}, None, 21),
        (ON, {**ON, "deadline_days": 14}, {**ON, "deadline_days": 7}, 7),
        (ON, OUT, {**ON, "deadline_days": 7}, 7),
        (ON, {**ON, "deadline_days": 14}, OUT, None),
        (ON, {**ON, "deadline_days": 14}, {**OUT, "enabled": False}, 14),
        (OFF, {**ON, "deadline_days": 14}, None, 14),
        (OFF, None, {**ON, "deadline_days": 7}, 7),
        (OFF, OUT, ON, 21),
    ],
)
def test_course_beats_organization_beats_platform(platform, org, course, days):
    if platform is not None:
        PlatformConfiguration.objects.create(**platform)
    if org is not None:
        OrgConfiguration.objects.create(org_id="MeadowX", **org)
    if course is not None:
        CourseConfiguration.objects.create(course_id="c1", **course)
    assert deadlines.deadline_days({"c1": "MeadowX", "c2": "OtherX"})["c1"] == days


def test_only_the_newest_row_counts():
    PlatformConfiguration.objects.create(enabled=True, deadline_days=10)
    PlatformConfiguration.objects.create(enabled=True, deadline_days=11)
    OrgConfiguration.objects.create(org_id="MeadowX", enabled=True, deadline_days=12)
    assert deadlines.deadline_days({"c1": "MeadowX", "c2": "OtherX"}) == {"c1": 12, "c2": 11}
    OrgConfiguration.objects.create(org_id="MeadowX", enabled=False)
    assert deadlines.deadline_days({"c1": "MeadowX"}) == {"c1": 11}


def test_it_asks_the_database_as_often_for_fifty_courses(django_assert_num_queries):
    with django_assert_num_queries(3):
        deadlines.deadline_days({"c1": "MeadowX"})
    with django_assert_num_queries(3):
        deadlines.deadline_days({f"c{number}": f"Org{number}" for number in range(50)})


NOW = datetime(2026, 3, 1, tzinfo=UTC)
SOON, LATER = datetime(2026, 3, 15, 8, 30, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("mode", "end", "days", "deadline"),
    [
        (VerifiedMode(course_id="c"), None, 21, NOW + timedelta(days=21)),
        (VerifiedMode(course_id="c"), None, None, None),
        (None, None, 21, None),
        (VerifiedMode(course_id="c", expires_at=SOON), None, 21, SOON),
        (VerifiedMode(course_id="c", expires_at=LATER), SOON, 21, SOON),
        (VerifiedMode(course_id="c", expires_at=LATER), LATER, 21, NOW + timedelta(days=21)),
        (VerifiedMode(course_id="c", expires_at=NOW - timedelta(seconds=1)), None, 21, None),
    ],
)
def test_the_earliest_bound_is_the_deadline(mode, end, days, deadline):
    assert deadlines.upgrade_deadline(available_at=NOW, days=days, course_end=end, mode=mode, now=NOW) == deadline


def test_schedules_follow_the_courses_start_each_by_its_own_enrollment():
    open_site()
    enable_deadlines()
    alice, bob, garden = make_learner("alice"), make_learner("bob"), make_course(price=49)
    enroll(alice, garden, days_ago=50)
    enroll(bob, garden, days_ago=5)
    garden.start = started(20)
    garden.save()
    assert schedule_of(alice, garden).start_date == started(20)
    assert schedule_of(alice, garden).upgrade_deadline == started(20) + timedelta(days=21)
    assert schedule_of(bob, garden).start_date == started(5)
    garden.start = started(400)
    garden.save()
    assert schedule_of(alice, garden).start_date == started(50)


def test_deadlines_follow_the_courses_end_and_mode():
    open_site()
    enable_deadlines()
    alice, garden = make_learner(), make_course(price=49)
    enroll(alice, garden, days_ago=3)
    garden.end = started(-7)
    garden.save()
    assert schedule_of(alice, garden).upgrade_deadline == garden.end
    far_away = datetime(2200, 1, 1, tzinfo=UTC)
    garden.end = far_away
    garden.save()
    assert schedule_of(alice, garden).upgrade_deadline == started(3) + timedelta(days=21)
    CourseMode.objects.get(mode_slug="verified").delete()
    assert schedule_of(alice, garden).upgrade_deadline is None
    CourseMode.objects.create(course=garden, mode_slug="verified", min_price=10, currency="usd")
    assert schedule_of(alice, garden).upgrade_deadline == started(3) + timedelta(days=21)


def test_a_configuration_row_conjures_no_deadline_for_schedules_that_exist():
    open_site()
    alice, garden = make_learner(), make_course(price=49)
    enroll(alice, garden, days_ago=3)
    enable_deadlines()
    garden.self_paced = False
    garden.save()
    assert schedule_of(alice, garden).upgrade_deadline is None
    garden.end = datetime(2200, 1, 1, tzinfo=UTC)
    garden.save()
    assert schedule_of(alice, garden).upgrade_deadline == started(3) + timedelta(days=21)


def test_a_start_that_moves_nobody_conjures_no_deadline():
    open_site()
    alice, garden = make_learner(), make_course(price=49)
    enroll(alice, garden, days_ago=3)
    enable_deadlines()
    garden.start = started(100)
    garden.save()
    assert schedule_of(alice, garden).upgrade_deadline is None


def test_who_is_held_back_follows_the_course_as_the_scheduled_do():
    site = open_site(hold_back_ratio=1)
    enable_deadlines()
    alice, bob, garden = make_learner(), make_learner("bob"), make_course(price=49)
    enroll(alice, garden, days_ago=30)
    ScheduleConfig.objects.create(site=site, create_schedules=True, hold_back_ratio=0)
    enroll(bob, garden, days_ago=30)
    for start, began in ((started(20), 20), (started(400), 30)):
        garden.start = start
        garden.save()
        row, schedule = HoldBack.objects.get(user=alice), schedule_of(bob, garden)
        assert row.content_availability_date == schedule.start_date == started(began)
        assert row.upgrade_deadline == schedule.upgrade_deadline == started(began) + timedelta(days=21)
    garden.end = started(-1)
    garden.save()
    assert HoldBack.objects.get().upgrade_deadline == schedule_of(bob, garden).upgrade_deadline


def test_a_course_that_loses_its_start_leaves_schedules_as_they_are():
    open_site()
    alice, garden = make_learner(), make_course()
    enroll(alice, garden, days_ago=3)
    garden.start = None
    garden.save()
    assert schedule_of(alice, garden).start_date == started(3)


def test_a_large_course_is_recomputed_in_batches(broker):
    open_site()
    garden = make_course()
    for number in range(5):
        enroll(make_learner(f"learner{number}"), garden, days_ago=30)
    garden.start = started(10)
    garden.save()
    assert course_changes.follow(str(garden.pk), batch_size=2) == 5
    assert {schedule.start_date for schedule in Schedule.objects.all()} == {started(10)}
