"""A ledger to report on, row by row, and two groups of learners to compare."""

from __future__ import annotations

import uuid
from datetime import UTC, date, datetime, timedelta
from typing import Any

from django.contrib.auth.models import User
from django.contrib.sites.models import Site
from opaque_keys.edx.keys import CourseKey

from schedules.contrib.lms.models import Course, CourseEnrollment
from schedules.models import HoldBack, Schedule, ScheduleConfig, ScheduledMessage, SendRun

BOTANY = "course-v1:Meadow+Botany+2026"
CHESS = "course-v1:Meadow+Chess+2026"
FIRST, LAST = date(2026, 3, 1), date(2026, 3, 5)
THEN = datetime(2026, 3, 20, 9, tzinfo=UTC)

#: What marks a message that was opened, clicked, or whose learner opted out by it.
DONE = {"opened": "opened_at", "clicked": "clicked_at", "opted_out": "opted_out_at"}

_TYPES = {
    "recurringnudge_day3": ("recurring_nudge", -3),
    "recurringnudge_day10": ("recurring_nudge", -10),
    "recurringnudge_day4": ("recurring_nudge", -4),
    "courseupdate": ("course_update", -7),
}


def message(
    site: Site,
    name: str = "recurringnudge_day3",
    status: str = "sent",
    *,
    day: date = FIRST,
    learner: str = "alice",
    done: tuple[str, ...] = (),
    **fields: Any,
) -> ScheduledMessage:
    """A message of the run for `day`. `done`: keys of `DONE`."""
    message_type, day_offset = _TYPES[name]
    at = _at(day)
    values = {"site": site, "message_type": message_type, "date": day, "day_offset": day_offset}
    run = SendRun.objects.get_or_create(**values, defaults={"started_at": at})[0]
    return ScheduledMessage.objects.create(
        uuid=uuid.uuid4(),
        run=run,
        site=site,
        user=User.objects.get_or_create(username=learner)[0],
        name=name,
        day_offset=day_offset,
        status=status,
        **{"target_date": day, "created": at, "course_ids": [BOTANY], **{DONE[one]: THEN for one in done}, **fields},
    )


def two_groups(site: Site, *, scheduled: int = 1900, held_back: int = 200) -> None:
    """Learners who started botany on the first day, as the draw put them, and what became of them.

    Of those with a schedule 240 came back and 3 upgraded, of the others 16 came back.
    """
    ScheduleConfig.objects.create(site=site, hold_back_ratio=0.1)
    ScheduleConfig.objects.update(change_date=_at(FIRST) - timedelta(days=30))
    course = Course.objects.create(id=CourseKey.from_string(BOTANY), org="Meadow", display_name="Botany")
    groups = {"scheduled": (scheduled, 240, 3), "held_back": (held_back, 16, 0)}
    for group, (count, came_back, upgraded) in groups.items():
        learners = User.objects.bulk_create(User(username=f"{group}{number}") for number in range(count))
        CourseEnrollment.objects.bulk_create(
            CourseEnrollment(
                user=learner,
                course=course,
                created=_at(FIRST),
                last_active_at=THEN if number < came_back else None,
                upgraded_at=THEN if number < upgraded else None,
            )
            for number, learner in enumerate(learners)
        )
        started = {"course_id": BOTANY, "created": _at(FIRST)}
        if group == "scheduled":
            Schedule.objects.bulk_create(
                Schedule(user=learner, org="Meadow", start_date=_at(FIRST), **started) for learner in learners
            )
        else:
            HoldBack.objects.bulk_create(
                HoldBack(user=learner, site=site, experience_type=0, content_availability_date=_at(FIRST), **started)
                for learner in learners
            )


def _at(day: date) -> datetime:
    return datetime.combine(day, datetime.min.time(), tzinfo=UTC)
