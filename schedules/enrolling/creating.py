"""An enrollment -> a Schedule and its ScheduleExperience, or a recorded hold-back."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.contrib.sites.models import Site
from django.utils import timezone

from schedules import toggles
from schedules.conf import conf
from schedules.database.clock import SHARED_CLOCK
from schedules.database.transactions import in_own_transaction
from schedules.enrolling.deadlines import deadline_days, has_ended, upgrade_deadline
from schedules.host import Host, get_host
from schedules.models import HoldBack, Schedule, ScheduleConfig, ScheduleExperience, database
from schedules.sites import enrollment_site
from schedules.values.data import Course, ExperienceType, weekly_sections

log = logging.getLogger(__name__)


def create_schedule(
    user_id: int, course_id: str, *, enrolled_at: datetime, now: datetime, site_id: int | None = None
) -> Schedule | None:
    """The learner's schedule in the course, new or set anew; `None` where there is to be none (behavior 1.1)."""
    host = get_host()
    course = host.courses([course_id]).get(course_id)
    site = Site.objects.filter(pk=site_id).first() if site_id is not None else None
    if site is None:
        site = enrollment_site(host, user_id, course_id, course.org if course else "")
    refusal = _refusal(site, course_id, course, now)
    if refusal or site is None or course is None or course.start is None:
        log.debug("No schedule for learner %s in %s: %s", user_id, course_id, refusal)
        return None
    available_at = max(enrolled_at, course.start)
    deadline = upgrade_deadline(
        available_at=available_at,
        days=deadline_days({course_id: course.org})[course_id],
        course_end=course.end,
        mode=host.verified_modes([course_id]).get(course_id),
        now=now,
    )
    dates = {"enrolled_at": enrolled_at, "available_at": available_at, "upgrade_deadline": deadline}
    return in_own_transaction(lambda: _store(host, site, course, user_id, dates), database())


def _store(host: Host, site: Site, course: Course, user_id: int, dates: Mapping[str, Any]) -> Schedule | None:
    """One learner's row in one course: the schedule that there is, set anew, or a new one, or a hold-back.

    Whoever comes second at the same time finds the unique key taken, and is to try again. No row is locked or deleted
    before it is known to be there: MariaDB would lock the gap, and bar the way for learners who have nothing to do
    with this one. News of an earlier enrollment that come late change nothing.
    """
    alias = database()
    schedules = Schedule.objects.using(alias).filter(user_id=user_id, course_id=course.id)
    held_back = HoldBack.objects.using(alias).filter(user_id=user_id, course_id=course.id)
    enrolled_at, available_at, deadline = dates["enrolled_at"], dates["available_at"], dates["upgrade_deadline"]
    common = {"enrolled_at": enrolled_at, "upgrade_deadline": deadline, "modified": timezone.now()}
    if schedules.exists():
        schedules.filter(enrolled_at__lte=enrolled_at).update(start_date=available_at, **common)
        return schedules.first()
    experience = _experience(host, course)
    if is_held_back(site, user_id):
        log.debug("No schedule for learner %s in %s: held back", user_id, course.id)
        facts = {
            "site": site,
            "experience_type": experience.value,
            "content_availability_date": available_at,
            "segment_due_at": SHARED_CLOCK if conf.segment_key else None,
        }
        if held_back.exists():
            held_back.filter(enrolled_at__lte=enrolled_at).update(**facts, **common)
        else:
            held_back.create(user_id=user_id, course_id=course.id, **facts, **common)
        return None
    if held_back.exists():
        held_back.delete()
    schedule = schedules.create(user_id=user_id, course_id=course.id, org=course.org, start_date=available_at, **common)
    ScheduleExperience.objects.create(schedule=schedule, experience_type=experience.value)
    return schedule


def is_held_back(site: Site, user_id: int) -> bool:
    """The assignment: the same for a learner and site at all times, so that raising the ratio only adds people."""
    ratio = ScheduleConfig.current(site).hold_back_ratio
    digest = hashlib.sha256(f"{conf.hold_back_salt}:{site.pk}:{user_id}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64 < ratio


def _refusal(site: Site | None, course_id: str, course: Course | None, now: datetime) -> str:
    """The first reason against a schedule, in the order of behavior 1.1; empty when there is none."""
    if site is None:
        return "there is no site"
    if not toggles.is_creating(site, course_id, course.org if course else ""):
        return "schedules are not created here"
    if course is None:
        return "the host knows no such course"
    if course.start is None:
        return "the course has no start date"
    if not course.is_self_paced:
        return "the course is not self-paced"
    return "the course has ended" if has_ended(course, now) else ""


def _experience(host: Host, course: Course) -> ExperienceType:
    sections = host.sections([course.id]).get(course.id, ()) if course.is_messaging_enabled else ()
    return ExperienceType.COURSE_UPDATES if weekly_sections(course, sections) else ExperienceType.DEFAULT
