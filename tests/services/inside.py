"""What the suite does inside Django, each in a process of its own: `python -m tests.services.inside fill 2000 20`."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from typing import Any

import django

DUE_DOMAIN = "learners.example.com"


def fill(learners: int, refused: int) -> None:
    """A school: `learners` are due, the mail server refuses `refused` of these, and twenty are not due.

    Every seventh is due in two courses, which make one message, and every tenth was due a week later.
    """
    from django.contrib.auth.models import User

    from schedules.contrib.lms.models import CourseEnrollment
    from schedules.models import Schedule
    from tests.services.mail import REFUSED_DOMAIN
    from tests.world import make_course, open_site, started

    open_site()
    courses = [make_course("A Garden in a Year", price=49), make_course("Bees & Wasps")]
    idle = 20
    users = [
        User(
            username=f"learner{number}",
            email=f"learner{number}@{REFUSED_DOMAIN if number < refused else DUE_DOMAIN}",
            password="!",
        )
        for number in range(learners)
    ]
    users += [
        User(username=f"idle{number}", email=f"idle{number}@{DUE_DOMAIN}", password="!") for number in range(idle)
    ]
    User.objects.bulk_create(users, batch_size=1000)
    enrolled = []
    for number, user in enumerate(User.objects.order_by("pk")):
        days = 5 if user.username.startswith("idle") else 10 if number % 10 == 9 else 3
        enrolled += [(user, course, started(days)) for course in courses[: 2 if number % 7 == 6 else 1]]
    CourseEnrollment.objects.bulk_create(
        [CourseEnrollment(user=user, course=course, created=start) for user, course, start in enrolled],
        batch_size=1000,
    )
    Schedule.objects.bulk_create(
        [
            Schedule(user=user, course_id=str(course.pk), org=course.org, start_date=start)
            for user, course, start in enrolled
        ],
        batch_size=1000,
    )


def report() -> None:
    """Print who is due, the ledger's rows and the runs, as JSON; Segment hears the rest before that."""
    from django.contrib.auth.models import User

    from schedules.database.clock import SHARED_CLOCK
    from schedules.ledger import totals_of
    from schedules.models import ScheduledMessage, SendRun
    from schedules.tracking import outbox

    # As when the leases of those who were killed while they told have ended.
    ScheduledMessage.objects.filter(segment_due_at__isnull=False).update(segment_due_at=SHARED_CLOCK)
    outbox.flush()

    def rows() -> Iterator[dict[str, Any]]:
        for row in ScheduledMessage.objects.order_by().select_related("user"):
            reason = f"{row.reason}: {row.detail.get('answer', '')}"
            address = row.user.email
            yield {"uuid": str(row.pk), "to": address, "status": row.status, "reason": reason, "attempts": row.attempts}

    runs = [
        {"finished": run.finished_at is not None, "stored": run.counts, "totals": totals_of(run).as_dict()}
        for run in SendRun.objects.all()
    ]
    due = list(User.objects.filter(username__startswith="learner").values_list("email", flat=True))
    json.dump({"due": due, "rows": list(rows()), "runs": runs}, sys.stdout)


def recover(seconds_fast: float) -> None:
    """Recover every second or so, as a host would whose clock is fast; also while the database is away."""
    from django.core.management import call_command
    from django.utils import timezone

    right = timezone.now
    timezone.now = lambda: right() + timedelta(seconds=seconds_fast)  # the clock is an edge: the host's, not ours
    while True:
        with suppress(Exception):
            call_command("recover_messages", verbosity=0)
        time.sleep(1)


def main(name: str, *arguments: str) -> None:
    django.setup()
    match name:
        case "fill":
            fill(*map(int, arguments))
        case "report":
            report()
        case "recover":
            recover(*map(float, arguments))


if __name__ == "__main__":
    main(*sys.argv[1:])
