"""A believable school: organizations, courses, learners, and enrollments due for every message on one day.

All of it is made up, the same each time; only the day to which the dates refer is given.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from itertools import cycle, islice

from django.apps import apps
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
from schedules.messages import ExperienceType, Schedule

SITE_DOMAIN = "example.com"
OTHER_SITE_DOMAIN = "harbor.example.org"
LEARNERS = 320
#: They took part in an experiment, of which one in three was held back. None of them is due on the demo's days.
EXPERIMENT_LEARNERS = 480
#: Those of the app; a type of one's own is switched on by hand.
MESSAGE_TYPES = ("recurring_nudge", "upgrade_reminder", "course_update")

# What staff would enter in the admin, and what an experiment of weeks ago has left behind.
ScheduleConfig, DynamicUpgradeDeadlineConfiguration, HoldBack, ScheduleExperience = (
    apps.get_model("schedules", name)
    for name in ("ScheduleConfig", "DynamicUpgradeDeadlineConfiguration", "HoldBack", "ScheduleExperience")
)
STAFF_NAME = STAFF_PASSWORD = "admin"  # noqa: S105 - everybody may know it


def is_filled() -> bool:
    return Course.objects.exists()


def fill(today: date, learner_count: int = LEARNERS) -> None:
    """Fill an empty LMS. Enrollments are spread over the days before `today` that matter to some message.

    In two transactions: schedules follow the commit of their enrollments, and must find courses as they were then.
    """
    chance = random.Random(20260309)  # noqa: S311 - the same school each time, nothing secret
    with transaction.atomic():
        _make_sites()
        _switch_everything_on(today)
        courses = [_make_course(row, today) for row in catalog.COURSES]
        learners = list(_make_learners(learner_count, chance))
        User.objects.create_superuser(STAFF_NAME, "", STAFF_PASSWORD)
        _enroll(learners, courses, today, chance)
    with transaction.atomic():
        _live_on(courses, today)
        rows = zip(courses, catalog.COURSES, strict=True)
        _experiment([course for course, row in rows if row.org == "RiverX" and row.price and not row.ends_now], today)


def _make_sites() -> None:
    home, _ = Site.objects.update_or_create(pk=1, defaults={"domain": SITE_DOMAIN, "name": "Meadow University"})
    SiteConfiguration.objects.create(site=home, enabled=True, site_values={"email_from_address": "hello@example.com"})
    harbor = Site.objects.create(domain=OTHER_SITE_DOMAIN, name="Harbor Academy")
    SiteConfiguration.objects.create(
        site=harbor,
        enabled=True,
        site_values={"course_org_filter": ["HarborX"], "PLATFORM_NAME": "Harbor Academy", "LANGUAGE_CODE": "es"},
    )


def _switch_everything_on(today: date) -> None:
    before = ScheduleConfig.objects.create(site=Site.objects.get(domain=SITE_DOMAIN), hold_back_ratio=0.33)
    ScheduleConfig.objects.filter(pk=before.pk).update(change_date=_at(today, days=-90))
    stages = {f"{stage}_{key}": True for stage in ("enqueue", "deliver") for key in MESSAGE_TYPES}
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


def _make_learners(count: int, chance: random.Random) -> Iterator[User]:
    for number in range(count):
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
    updated = [course for course, row in zip(courses, catalog.COURSES, strict=True) if row.sections]
    others = [course for course in courses if course not in updated]
    # Day 19 is that of the upgrade reminder: two days before a deadline of 21 days.
    nudges = [(others, days) for days in (3, 10, 19)]
    plan = cycle([*nudges, *((updated, 7 * week) for week in range(1, 12)), *nudges, *nudges])
    for learner, (choice, days) in zip(learners, islice(plan, len(learners)), strict=True):
        for course in chance.sample(list(choice), k=chance.choices([1, 2, 3], [6, 3, 1])[0]):
            CourseEnrollment.objects.create(user=learner, course=course, created=_at(today, days=-days))
        CourseEnrollment.objects.get_or_create(
            user=learner,
            course=chance.choice(courses),
            defaults={"created": _at(today, days=-chance.choice([1, 5, 12, 40]))},
        )


def _live_on(courses: Sequence[Course], today: date) -> None:
    """What happened since: some came back, upgraded, opted out or left, and one course ended."""
    chance = random.Random(20260310)  # noqa: S311 - nothing secret
    for number, enrollment in enumerate(CourseEnrollment.objects.order_by("pk")):
        if number % 9 == 4 and CourseMode.objects.filter(course=enrollment.course, mode_slug="verified").exists():
            enrollment.mode = "verified"
            enrollment.save()
        elif number % 17 == 6:
            enrollment.is_active = False
            enrollment.save()
        elif number % 13 == 3:
            CourseEmailOptout.objects.create(user=enrollment.user, course=enrollment.course)
    now = _at(today, days=0)
    enrollments = list(CourseEnrollment.objects.all())
    for enrollment in enrollments:
        since = max(timedelta(), now - enrollment.created)
        enrollment.last_active_at = enrollment.created + since * chance.random()
        if enrollment.mode == "verified":
            enrollment.upgraded_at = enrollment.created + since * chance.random()
        if since > timedelta(days=30) and chance.random() < 0.2:
            enrollment.completed_at = enrollment.last_active_at
    CourseEnrollment.objects.bulk_update(enrollments, ["last_active_at", "upgraded_at", "completed_at"], batch_size=200)
    ended = courses[[row.ends_now for row in catalog.COURSES].index(True)]
    ended.end = _at(today, days=-1)
    ended.save()


def _experiment(courses: Sequence[Course], today: date) -> None:
    """Learners of the last weeks who were scheduled or held back by a draw, and what became of both.

    They began so long ago, in courses without highlights, that no message is due to them any more. Written in bulk: the
    LMS tells of nobody, so nothing else is made for them.
    """
    chance = random.Random(20260313)  # noqa: S311 - nothing secret
    site = Site.objects.get(domain=SITE_DOMAIN)
    names = [f"experiment{number}" for number in range(EXPERIMENT_LEARNERS)]
    User.objects.bulk_create(User(username=name, email=f"{name}@learners.example.com") for name in names)
    enrollments, schedules, held_back = [], [], []
    for learner in User.objects.filter(username__in=names).order_by("pk"):
        is_held_back = chance.random() < 0.33
        course, began_at = chance.choice(courses), _at(today, days=-chance.randint(24, 44))
        enrollments.append(_lived(learner, course, began_at, chance, is_held_back=is_held_back))
        facts = {"user": learner, "course_id": str(course.pk), "created": began_at}
        if is_held_back:
            experience = ExperienceType.DEFAULT.value
            row = HoldBack(**facts, site=site, experience_type=experience, content_availability_date=began_at)
            held_back.append(row)
        else:
            schedules.append(Schedule(**facts, org=course.org, start_date=began_at))
    CourseEnrollment.objects.bulk_create(enrollments)
    HoldBack.objects.bulk_create(held_back)
    Schedule.objects.bulk_create(schedules)
    without = Schedule.objects.filter(experience=None)
    ScheduleExperience.objects.bulk_create(ScheduleExperience(schedule=row) for row in without)


def _lived(
    learner: User, course: Course, began_at: datetime, chance: random.Random, *, is_held_back: bool
) -> CourseEnrollment:
    """An enrollment of weeks ago: more of the scheduled came back, about as many upgraded, and hardly any finished."""
    came_back = chance.random() < (0.35 if is_held_back else 0.55)
    has_upgraded, has_completed = chance.random() < 0.12, chance.random() < 0.006
    last_active_at = began_at + timedelta(days=chance.randint(4, 25) if came_back else chance.randint(0, 2))
    return CourseEnrollment(
        user=learner,
        course=course,
        created=began_at,
        mode="verified" if has_upgraded else "audit",
        last_active_at=last_active_at,
        upgraded_at=began_at + timedelta(days=chance.randint(1, 20)) if has_upgraded else None,
        completed_at=last_active_at if has_completed else None,
    )


def _at(today: date, *, days: int) -> datetime:
    return datetime.combine(today + timedelta(days=days), time(9, 30), tzinfo=UTC)
