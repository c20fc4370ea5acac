"""A believable school: organizations, courses, learners, and enrollments due for every message on one day.

All of it is made up, the same each time; only the day to which the dates refer is given.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from itertools import cycle, islice

from django.contrib.auth.models import User
from django.contrib.sites.models import Site
from django.db import transaction
from opaque_keys.edx.keys import CourseKey

from demo import catalog
from schedules.contrib.lms.models import (
    Course,
    CourseEmailOptout,
    CourseEnrollment,
    CourseMode,
    LearnerProfile,
    Section,
    SiteConfiguration,
)
from schedules.message_types import resolvers
from schedules.models import DynamicUpgradeDeadlineConfiguration, ScheduleConfig

SITE_DOMAIN = "example.com"
OTHER_SITE_DOMAIN = "harbor.example.org"
LEARNERS = 320
STAFF_NAME = STAFF_PASSWORD = "admin"  # noqa: S105 - everybody may know it


def is_filled() -> bool:
    return Course.objects.exists()


@transaction.atomic
def fill(today: date) -> None:
    """Fill an empty LMS. Enrollments are spread over the days before `today` that matter to some message."""
    chance = random.Random(20260309)  # noqa: S311 - the same school each time, nothing secret
    _make_sites()
    _switch_everything_on()
    courses = [_make_course(row, today) for row in catalog.COURSES]
    learners = list(_make_learners(chance))
    User.objects.create_superuser(STAFF_NAME, "", STAFF_PASSWORD)
    _enroll(learners, courses, today, chance)
    _live_on(courses, today)


def _make_sites() -> None:
    home, _ = Site.objects.update_or_create(pk=1, defaults={"domain": SITE_DOMAIN, "name": "Meadow University"})
    SiteConfiguration.objects.create(site=home, enabled=True, site_values={"email_from_address": "hello@example.com"})
    harbor = Site.objects.create(domain=OTHER_SITE_DOMAIN, name="Harbor Academy")
    SiteConfiguration.objects.create(
        site=harbor,
        enabled=True,
        site_values={"course_org_filter": ["HarborX"], "PLATFORM_NAME": "Harbor Academy", "LANGUAGE_CODE": "es"},
    )


def _switch_everything_on() -> None:
    stages = {f"{stage}_{key}": True for stage in ("enqueue", "deliver") for key in resolvers()}
    for site in Site.objects.all():
        ScheduleConfig.objects.create(site=site, create_schedules=True, **stages)
    DynamicUpgradeDeadlineConfiguration.objects.create(enabled=True)


def _make_course(row: catalog.Row, today: date) -> Course:
    course = Course.objects.create(
        id=CourseKey.from_string(f"course-v1:{row.org}+{row.number}+2026"),
        display_name=row.name,
        org=row.org,
        start=_at(today, days=-200),
        end=_at(today, days=row.ends_in_days) if row.ends_in_days else None,
        self_paced=row.is_self_paced,
        language=row.language,
        highlights_enabled_for_messaging=bool(row.sections),
    )
    for position, (name, highlights) in enumerate(row.sections, start=1):
        Section.objects.create(course=course, position=position, display_name=name, highlights=list(highlights))
    CourseMode.objects.create(course=course, mode_slug="audit", min_price=0, currency="usd")
    if row.price:
        CourseMode.objects.create(course=course, mode_slug="verified", min_price=row.price, currency="usd")
    return course


def _make_learners(chance: random.Random) -> Iterator[User]:
    for number in range(LEARNERS):
        first, last = chance.choice(catalog.FIRST_NAMES), chance.choice(catalog.LAST_NAMES)
        username = f"{first}.{last}{number}".lower()
        has_address = number % 40 != 7
        learner = User(username=username, first_name=first, last_name=last, is_active=number % 53 != 5)
        learner.email = f"{username}@learners.example.com" if has_address else ""
        learner.set_unusable_password()
        learner.save()
        language = chance.choices(["", "en", "es", "he"], [6, 2, 1, 1])[0]
        LearnerProfile.objects.create(user=learner, name=f"{first} {last}", language=language)
        yield learner


def _enroll(learners: Sequence[User], courses: Sequence[Course], today: date, chance: random.Random) -> None:
    """Two days in three matter to a message; some learners began two or three courses on one day."""
    telling = [course for course, row in zip(courses, catalog.COURSES, strict=True) if row.sections]
    others = [course for course in courses if course not in telling]
    # Day 19 is that of the upgrade reminder: two days before a deadline of 21 days.
    nudges = [(others, days) for days in (3, 10, 19)]
    plan = cycle([*nudges, *((telling, 7 * week) for week in range(1, 12)), *nudges, *nudges])
    for learner, (choice, days) in zip(learners, islice(plan, len(learners)), strict=True):
        for course in chance.sample(list(choice), k=chance.choices([1, 2, 3], [6, 3, 1])[0]):
            CourseEnrollment.objects.create(user=learner, course=course, created=_at(today, days=-days))
        CourseEnrollment.objects.get_or_create(
            user=learner,
            course=chance.choice(courses),
            defaults={"created": _at(today, days=-chance.choice([1, 5, 12, 40]))},
        )


def _live_on(courses: Sequence[Course], today: date) -> None:
    """What happened since: some upgraded, opted out or left, and one course ended."""
    for number, enrollment in enumerate(CourseEnrollment.objects.order_by("pk")):
        if number % 9 == 4 and CourseMode.objects.filter(course=enrollment.course, mode_slug="verified").exists():
            enrollment.mode = "verified"
            enrollment.save()
        elif number % 17 == 6:
            enrollment.is_active = False
            enrollment.save()
        elif number % 13 == 3:
            CourseEmailOptout.objects.create(user=enrollment.user, course=enrollment.course)
    ended = courses[[row.ends_now for row in catalog.COURSES].index(True)]
    ended.end = _at(today, days=-1)
    ended.save()


def _at(today: date, *, days: int) -> datetime:
    return datetime.combine(today + timedelta(days=days), time(9, 30), tzinfo=UTC)
