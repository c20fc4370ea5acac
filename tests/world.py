"""A small school for tests: everything that a test does not mention is in order.

`TODAY` is the day that is run. `started(3)` is an instant three days before it.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import uuid4

from celery import current_app
from django.contrib.auth.models import User
from django.contrib.sites.models import Site
from django.core.management import call_command
from opaque_keys.edx.keys import CourseKey

from schedules.contrib.lms.models import Course, CourseEnrollment, CourseMode, LearnerProfile, Section
from schedules.message_types import resolver_for
from schedules.message_types.resolver import Resolver
from schedules.models import DynamicUpgradeDeadlineConfiguration, Schedule, ScheduleConfig
from schedules.values.runs import Run, RunOrigin

TODAY = date(2026, 3, 9)
ALL_ON = {
    f"{stage}_{key}": True
    for stage in ("enqueue", "deliver")
    for key in ("recurring_nudge", "upgrade_reminder", "course_update")
}


def started(days: int, hour: int = 12) -> datetime:
    return datetime.combine(TODAY - timedelta(days=days), time(hour), tzinfo=UTC)


def open_site(domain: str = "example.com", **config: Any) -> Site:
    """A site with everything switched on, but for what `config` says."""
    site = Site.objects.filter(domain=domain).first() or Site.objects.create(domain=domain, name=domain)
    ScheduleConfig.objects.create(site=site, **{"create_schedules": True, **ALL_ON, **config})
    return site


def make_course(name: str = "A Garden in a Year", *, org: str = "MeadowX", number: str = "", **fields: Any) -> Course:
    """A self-paced course that is under way. `price`: it sells a verified certificate."""
    price = fields.pop("price", 0)
    weeks: Sequence[Sequence[str]] = fields.pop("weeks", ())
    number = number or f"C{Course.objects.count() + 1}"
    course = Course.objects.create(
        id=CourseKey.from_string(f"course-v1:{org}+{number}+2026"),
        org=org,
        display_name=name,
        **{
            "start": started(400),
            "self_paced": True,
            "highlights_enabled_for_messaging": bool(weeks),
            **fields,
        },
    )
    for position, highlights in enumerate(weeks, start=1):
        Section.objects.create(
            course=course, position=position, display_name=f"Section {position}", highlights=list(highlights)
        )
    if price:
        CourseMode.objects.create(course=course, mode_slug="verified", min_price=price, currency="usd")
    return course


def make_learner(name: str = "alice", *, language: str = "", **fields: Any) -> User:
    user = User.objects.create(username=name, **{"email": f"{name}@learners.example.com", **fields})
    LearnerProfile.objects.create(user=user, name=name.title(), language=language)
    return user


def enroll(learner: User, course: Course, days_ago: int = 3, **fields: Any) -> CourseEnrollment:
    return CourseEnrollment.objects.create(user=learner, course=course, **{"created": started(days_ago), **fields})


def enable_deadlines(days: int = 21) -> None:
    DynamicUpgradeDeadlineConfiguration.objects.create(enabled=True, deadline_days=days)


def send_nudges(**options: Any) -> None:
    """Run the nudges of `TODAY`."""
    call_command("send_recurring_nudge", "example.com", date=TODAY.isoformat(), verbosity=0, **options)


def schedule_of(learner: User, course: Course) -> Schedule:
    return Schedule.objects.get(user=learner, course_id=str(course.pk))


def resolver(site: Site, message_type: str, day_offset: int, origin: RunOrigin = RunOrigin.DAILY) -> Resolver:
    """Of a run of `TODAY`."""
    run = Run(
        message_type=message_type, site_id=site.pk, today=TODAY, day_offset=day_offset, uuid=uuid4(), origin=origin
    )
    return resolver_for(message_type)(run, site)


def free_port() -> int:
    """A port at 127.0.0.1 on which nobody listens."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        return int(unused.getsockname()[1])


def perform(queued: Iterable[tuple[str, dict[str, Any]]]) -> None:
    """Do what a worker would do with tasks that the fixture `broker` took."""
    for name, arguments in queued:
        current_app.tasks[name](**arguments)


def why(row):
    """A ledger row's reason and, after it, what was said about it."""
    said = row.detail.get("answer", "")
    return f"{row.reason}: {said}" if said else row.reason
