"""Until when a learner may upgrade: what is stored with a schedule, and what may be offered today."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from schedules.models import (
    CourseDynamicUpgradeDeadlineConfiguration,
    DynamicUpgradeDeadlineConfiguration,
    OrgDynamicUpgradeDeadlineConfiguration,
    Schedule,
)
from schedules.values.data import Course, CourseLinks, Enrollment, VerifiedMode

UPGRADABLE_MODES = frozenset({"audit", "honor"})


def deadline_days(orgs: Mapping[str, str]) -> dict[str, int | None]:
    """Course id -> days from start to deadline, `None` where there is none (behavior 2.1).

    `orgs`: course id -> organization. Three queries, however many courses.
    """
    platform = DynamicUpgradeDeadlineConfiguration.current()
    platform_days = platform.deadline_days if platform.enabled else None
    by_org = _days(OrgDynamicUpgradeDeadlineConfiguration, "org_id", orgs.values())
    by_course = _days(CourseDynamicUpgradeDeadlineConfiguration, "course_id", orgs)
    return {course_id: by_course.get(course_id, by_org.get(org, platform_days)) for course_id, org in orgs.items()}


def _days(model: Any, key: str, ids: Iterable[str]) -> dict[str, int | None]:
    rows = model.objects.current_set().filter(**{f"{key}__in": set(ids)}, enabled=True)
    return {getattr(row, key): None if row.opt_out else row.deadline_days for row in rows}


def upgrade_deadline(
    *, available_at: datetime, days: int | None, course_end: datetime | None, mode: VerifiedMode | None, now: datetime
) -> datetime | None:
    """The learner's own deadline, or `None` when there is none (behavior 2.2)."""
    if days is None or mode is None or (mode.expires_at is not None and mode.expires_at < now):
        return None
    bounds = (available_at + timedelta(days=days), mode.expires_at, course_end)
    return min(bound for bound in bounds if bound is not None)


def can_upgrade(
    *,
    schedule: Schedule,
    enrollment: Enrollment,
    mode: VerifiedMode | None,
    days: int | None,
    links: CourseLinks,
    as_of: datetime,
) -> bool:
    """Whether an upgrade may be offered at `as_of`: what ends at that very instant has not passed."""
    return (
        schedule.upgrade_deadline is not None
        and schedule.upgrade_deadline >= as_of
        and days is not None
        and enrollment.is_active
        and enrollment.mode in UPGRADABLE_MODES
        and mode is not None
        and (mode.expires_at is None or mode.expires_at >= as_of)
        and bool(links.upgrade)
    )


def has_ended(course: Course, as_of: datetime) -> bool:
    """Whether the course was over before `as_of`."""
    return course.end is not None and course.end < as_of
