"""Where a rule changes from yes to no: the very instant, the last of a list, the other of two settings."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

import pytest
from django.core import mail
from django.core.management import call_command

from schedules.contrib.lms.models import Course, CourseMode
from schedules.enrolling import deadlines
from schedules.models import Schedule
from schedules.values import data
from schedules.values.data import CourseLinks, Enrollment, VerifiedMode
from tests.emails import html_of, words_of
from tests.world import TODAY, enable_deadlines, enroll, make_course, make_learner, open_site, send_nudges

pytestmark = pytest.mark.django_db

MIDNIGHT = datetime.combine(TODAY, time.min, tzinfo=UTC)
BEFORE = MIDNIGHT - timedelta(microseconds=1)

FACTS = {
    "schedule": Schedule(upgrade_deadline=MIDNIGHT),
    "enrollment": Enrollment(user_id=1, course_id="c", mode="audit", is_active=True, created=MIDNIGHT),
    "mode": VerifiedMode(course_id="c"),
    "days": 21,
    "links": CourseLinks(home="/", upgrade="/upgrade"),
    "as_of": MIDNIGHT,
}


def enrolled(**fields):
    return Enrollment(
        **{"user_id": 1, "course_id": "c", "mode": "audit", "is_active": True, "created": MIDNIGHT, **fields}
    )


@pytest.mark.parametrize(
    ("changed", "can_upgrade"),
    [
        ({}, True),
        ({"schedule": Schedule(upgrade_deadline=BEFORE)}, False),
        ({"schedule": Schedule(upgrade_deadline=None)}, False),
        ({"mode": VerifiedMode(course_id="c", expires_at=MIDNIGHT)}, True),
        ({"mode": VerifiedMode(course_id="c", expires_at=BEFORE)}, False),
        ({"mode": None}, False),
        ({"enrollment": enrolled(mode="honor")}, True),
        ({"enrollment": enrolled(mode="verified")}, False),
        ({"enrollment": enrolled(mode="no-id-professional")}, False),
        ({"enrollment": enrolled(is_active=False)}, False),
        ({"days": 0}, True),
        ({"days": None}, False),
        ({"links": CourseLinks(home="/", upgrade="")}, False),
        ({"links": CourseLinks(home="/")}, False),
    ],
)
def test_an_upgrade_is_offered_until_the_very_instant_at_which_the_day_begins(changed, can_upgrade):
    assert deadlines.can_upgrade(**{**FACTS, **changed}) is can_upgrade


@pytest.mark.parametrize(("end", "has_ended"), [(None, False), (MIDNIGHT, False), (BEFORE, True)])
def test_a_course_that_ends_at_this_very_instant_has_not_ended(end, has_ended):
    course = data.Course(id="c", org="o", name="n", start=None, end=end)
    assert deadlines.has_ended(course, MIDNIGHT) is has_ended


@pytest.mark.parametrize(("expires_at", "has_deadline"), [(MIDNIGHT, True), (BEFORE, False)])
def test_a_mode_that_expires_at_this_very_instant_still_bounds_a_deadline(expires_at, has_deadline):
    deadline = deadlines.upgrade_deadline(
        available_at=MIDNIGHT,
        days=21,
        course_end=None,
        mode=VerifiedMode(course_id="c", expires_at=expires_at),
        now=MIDNIGHT,
    )
    assert deadline == (expires_at if has_deadline else None)


# In e-mails ---------------------------------------------------------------------------------------


def said_to_alice() -> str:
    send_nudges()
    (message,) = mail.outbox
    return words_of(html_of(message))


@pytest.fixture
def alice(email_channel):
    open_site()
    enable_deadlines()
    return make_learner()


@pytest.mark.parametrize(("mode", "is_offered"), [("audit", True), ("honor", True), ("verified", False)])
def test_the_modes_that_can_upgrade_are_audit_and_honor(alice, mode, is_offered):
    enroll(alice, make_course("Garden", price=49), mode=mode)
    assert ("verified certificate" in said_to_alice()) is is_offered


@pytest.mark.parametrize(
    ("deadline", "is_offered"),
    [(MIDNIGHT, True), (BEFORE, False)],
)
def test_a_deadline_at_the_first_instant_of_the_runs_day_has_not_passed(alice, deadline, is_offered):
    enroll(alice, make_course("Garden", price=49))
    Schedule.objects.update(upgrade_deadline=deadline)
    assert ("verified certificate" in said_to_alice()) is is_offered


def test_a_nudge_offers_the_upgrade_of_its_first_course_that_has_one(alice):
    """Courses stand by their names, so the first one is free."""
    enroll(alice, make_course("A free one"))
    for name, price in (("Bees", 49), ("Cheese", 49)):
        enroll(alice, make_course(name, price=price))
    Schedule.objects.filter(course_id__endswith="C2+2026").update(
        upgrade_deadline=datetime(2026, 3, 20, 12, tzinfo=UTC)
    )
    Schedule.objects.filter(course_id__endswith="C3+2026").update(
        upgrade_deadline=datetime(2026, 3, 30, 12, tzinfo=UTC)
    )
    said = said_to_alice()
    assert "March 20" in said
    assert "March 30" not in said


@pytest.mark.parametrize(
    ("zone", "when", "day"),
    [
        ("UTC", (20, 2), "March 20"),
        ("America/New_York", (20, 2), "March 19"),
        ("Asia/Tokyo", (20, 16), "March 21"),
        ("America/New_York", (20, 4), "March 19"),  # the midnight that ends it
    ],
)
def test_a_deadlines_day_is_that_of_the_zone(alice, settings, zone, when, day):
    settings.SCHEDULES = {**settings.SCHEDULES, "TIME_ZONE": zone}
    enroll(alice, make_course("Garden", price=49))
    Schedule.objects.update(upgrade_deadline=datetime(2026, 3, *when, tzinfo=UTC))
    assert f"{day}, 2026" in said_to_alice()


MARKETING = "https://www.meadow.example/"


@pytest.mark.parametrize(("is_enabled", "root"), [(False, MARKETING), (True, MARKETING), (True, "")])
def test_the_marketing_site_is_the_home_page_only_where_it_is_enabled(alice, settings, is_enabled, root):
    settings.FEATURES, settings.MKTG_URLS = {"ENABLE_MKTG_SITE": is_enabled}, {"ROOT": root}
    settings.SCHEDULES = {**settings.SCHEDULES, "TRACK_CLICKS": False}
    enroll(alice, make_course("Garden"))
    send_nudges()
    html = html_of(mail.outbox[0])
    homes = [home for home in (MARKETING, "https://example.com/") if f'href="{home}?utm_source=schedules' in html]
    assert homes == [MARKETING if is_enabled and root else "https://example.com/"]


def test_a_course_with_its_end_at_the_first_instant_of_the_day_is_still_due(alice):
    for name, end in (("Garden", MIDNIGHT), ("Ended", BEFORE)):
        course = make_course(name)
        enroll(alice, course)
        Course.objects.filter(pk=course.pk).update(end=end)  # past the signals: no date follows
    said = said_to_alice()
    assert "Garden" in said
    assert "Ended" not in said


def test_a_mode_that_expires_at_the_first_instant_of_the_day_can_still_be_bought(alice):
    enroll(alice, make_course("Garden", price=49))
    Schedule.objects.update(upgrade_deadline=datetime(2026, 3, 20, 12, tzinfo=UTC))
    CourseMode.objects.filter(mode_slug="verified").update(expiration_datetime=MIDNIGHT)
    assert "verified certificate" in said_to_alice()


def test_a_reminder_names_all_of_its_courses_and_an_update_all_highlights(alice, email_channel):
    names = [f"Course {number:02}" for number in range(12)]
    for name in names:
        enroll(alice, make_course(name, price=9), days_ago=19)
    highlights = [f"Highlight {number:02}" for number in range(12)]
    enroll(alice, make_course("Garden", weeks=[highlights]), days_ago=7)
    for command in ("send_upgrade_reminder", "send_course_update"):
        call_command(command, "example.com", date=TODAY.isoformat(), verbosity=0)
    reminder, update = email_channel
    for part in (reminder.body, html_of(reminder)):
        assert [name in part for name in names] == [True] * 12
    for part in (update.body, html_of(update)):
        assert [text in part for text in highlights] == [True] * 12
