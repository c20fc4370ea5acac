"""What it costs that a course's schedules follow it: python -m benchmarks.course_change [--schedules 8000]

Fills the database that DATABASE_URL names, which must be empty, with one course of the embedded LMS and so many
learners who are scheduled in it. Then moves the course's start, five times, and prints the seconds of saving the
course, of the task after it, and of one plain UPDATE of as many rows and the same columns, the best of each; and how
many times as long the first two take together.

    DATABASE_URL=sqlite:////tmp/schedules_bench.sqlite3 python -m benchmarks.course_change
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import django

ENROLLED_AT = datetime(2026, 1, 1, 12, tzinfo=UTC)
REPEATS = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--schedules", type=int, default=8000, help="how many learners are scheduled")
    options = parser.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "demo.settings")
    django.setup()
    from django.db import connection

    course = fill(options.schedules)
    takings = [measure(course, number) for number in range(1, REPEATS + 1)]
    saving, following, plain = (min(seconds) for seconds in zip(*takings, strict=True))
    print(
        f"{options.schedules:,} schedules on {connection.vendor}: saved in {saving:.3f}, followed in {following:.3f} s"
    )
    print(f"one UPDATE {plain:.3f} s; {(saving + following) / plain:.1f} times as long")


def fill(count: int) -> Any:
    """Returns the course. Ends the program where the database is not for this."""
    from django.contrib.auth.models import User
    from django.core.management import call_command
    from opaque_keys.edx.keys import CourseKey

    from schedules.contrib.lms.models import Course, CourseEnrollment, CourseMode
    from schedules.models import DynamicUpgradeDeadlineConfiguration, Schedule

    call_command("migrate", verbosity=0)
    if Schedule.objects.exists():
        sys.exit("That database is not empty; name a new one.")
    DynamicUpgradeDeadlineConfiguration.objects.create(enabled=True)
    course = Course.objects.create(
        id=CourseKey.from_string("course-v1:MeadowX+C1+2026"), display_name="A Garden in a Year", start=ENROLLED_AT
    )
    CourseMode.objects.create(course=course, mode_slug="verified", min_price=49)
    User.objects.bulk_create((User(username=f"learner{number}") for number in range(count)), batch_size=1000)
    learners = User.objects.order_by("pk")
    CourseEnrollment.objects.bulk_create(
        (CourseEnrollment(user=learner, course=course, created=ENROLLED_AT) for learner in learners), batch_size=1000
    )
    facts = {"course_id": str(course.pk), "org": course.org, "start_date": ENROLLED_AT}
    Schedule.objects.bulk_create((Schedule(user=learner, **facts) for learner in learners), batch_size=1000)
    return course


def measure(course: Any, number: int) -> tuple[float, float, float]:
    """The seconds of saving, of following, and of one UPDATE. The course moves to the next day each time."""
    from celery import current_app

    from schedules.models import Schedule
    from schedules.sending.tasks import follow_course

    start = ENROLLED_AT + timedelta(days=2 * number)
    course.start = start
    current_app.conf["CELERY_TASK_ALWAYS_EAGER"] = False  # what is queued waits, in memory
    saving = seconds(course.save)
    current_app.conf["CELERY_TASK_ALWAYS_EAGER"] = True
    following = seconds(lambda: follow_course(course_id=str(course.pk)))
    rows = Schedule.objects.filter(course_id=str(course.pk))
    deadline = start + timedelta(days=21)
    assert set(rows.values_list("start_date", "upgrade_deadline")) == {(start, deadline)}, "they did not follow"
    day = timedelta(days=1)
    changed = {"start_date": start + day, "upgrade_deadline": deadline + day, "modified": start}
    return saving, following, seconds(lambda: rows.update(**changed))


def seconds(act: Callable[[], Any]) -> float:
    begun = time.perf_counter()
    act()
    return time.perf_counter() - begun


if __name__ == "__main__":
    main()
