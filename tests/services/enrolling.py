"""Learners who enroll at the same time, and a course that is followed: `python -m tests.services.enrolling enroll …`.

The environment says where, as for the rest of the suite; SERVICES_ISOLATION names MariaDB's isolation level.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import django

THREADS = 8


def set_up() -> None:
    from django.conf import settings

    if level := os.environ.get("SERVICES_ISOLATION"):
        settings.DATABASES["default"]["OPTIONS"] = {"isolation_level": level}
    settings.CELERY_TASK_ALWAYS_EAGER = "SERVICES_EAGER" in os.environ
    django.setup()


def migrate() -> None:
    from django.core.management import call_command

    call_command("migrate", verbosity=0)


def flush() -> None:
    """Each test begins with nothing."""
    from django.core.management import call_command

    call_command("flush", verbosity=0, interactive=False)


def enroll(learners: str) -> None:
    """New learners, each in a transaction of their own; prints how many calls returned, and what there is."""
    from django.contrib.auth.models import User
    from django.db import transaction

    from schedules.contrib.lms.models import CourseEnrollment
    from tests.world import make_course, open_site, started

    flush()
    open_site(hold_back_ratio=0.5)
    garden = make_course("A Garden in a Year", price=49, weeks=[["Dig"]])
    User.objects.bulk_create(User(username=f"learner{number}") for number in range(int(learners)))

    def one(learner: User) -> None:
        with transaction.atomic():
            CourseEnrollment.objects.create(user=learner, course=garden, created=started(3))

    _report(_at_once(one, User.objects.all()))


def signals(times: str) -> None:
    """One learner, of whom each thread says so often that they enrolled; and who leaves and comes back meanwhile."""
    from django.contrib.auth.models import User
    from django.db import transaction
    from django.utils import timezone

    from schedules import api
    from schedules.contrib.lms.models import CourseEnrollment
    from tests.world import make_course, open_site, started

    flush()
    open_site()
    garden, bees = make_course("A Garden in a Year", price=49), make_course("Bees & Wasps")
    alice = User.objects.create(username="alice")
    enrollment = CourseEnrollment.objects.create(user=alice, course=bees, created=started(3))

    def one(number: int) -> None:
        now = timezone.now()
        with transaction.atomic():
            api.learner_enrolled(alice.pk, str(garden.pk), enrolled_at=now, now=now)
            mine = CourseEnrollment.objects.get(pk=enrollment.pk)
            mine.is_active = not mine.is_active
            mine.save()
            User.objects.create(username=f"row{number}")  # the caller's own

    calls = _at_once(one, range(int(times) * THREADS))
    with transaction.atomic():
        mine = CourseEnrollment.objects.get(pk=enrollment.pk)
        mine.is_active = False
        mine.save()
        mine.is_active = True
        mine.save()
    _report(calls)


def fill(learners: str) -> None:
    """A course with so many learners, which was moved; the task that follows it is not begun."""
    from django.contrib.auth.models import User

    from schedules.enrolling import course_changes
    from schedules.models import Schedule
    from tests.world import make_course, open_site, started

    flush()
    open_site()
    garden = make_course("A Garden in a Year")
    User.objects.bulk_create(User(username=f"learner{number}") for number in range(int(learners)))
    facts = {"course_id": str(garden.pk), "org": garden.org, "start_date": started(30)}
    Schedule.objects.bulk_create(Schedule(user=user, **facts) for user in User.objects.all())
    type(garden).objects.update(start=started(10))
    course_changes.remember(str(garden.pk), ["start"], started(0))


def follow() -> None:
    """Follow it in small batches on a slow database, so that there is time to die."""
    from django.db import connection

    from schedules.enrolling import course_changes
    from schedules.models import CourseChange

    def slowly(execute: Any, sql: str, *more: Any) -> Any:
        if "FOR UPDATE" in sql:  # once for each batch
            time.sleep(0.2)
        return execute(sql, *more)

    with connection.execute_wrapper(slowly):
        course_changes.follow(CourseChange.objects.get().course_id, batch_size=10)


def recover() -> None:
    """What beat would do, once the time is over after which nobody answers for the change."""
    from schedules import api

    api.recover()


def ids(only: str = "") -> None:
    """What is said about ids that nearly are the same; and what the check says about the columns."""
    from schedules.checks import check_collations

    checks = [found.msg for found in check_collations(databases=["default"])]
    json.dump({"checks": checks, **({} if only else _told_about_ids())}, sys.stdout)


def _told_about_ids() -> dict[str, Any]:
    from django.contrib.auth.models import User

    from schedules.enrolling import deadlines
    from schedules.models import CourseDynamicUpgradeDeadlineConfiguration, OptOut, WaffleFlagCourseOverride
    from schedules.optouts import OptOutScope, opt_out, opted_out
    from tests.world import open_site

    flush()
    site, alice = open_site(), User.objects.create(username="alice")
    given = ["course-v1:CaseX+Intro+2026", "course-v1:casex+intro+2026", "course-v1:CáseX+Intro+2026", "C", "C "]
    for number, course_id in enumerate(given):
        opt_out(alice.pk, OptOutScope(site_id=site.pk, course_id=course_id))
        CourseDynamicUpgradeDeadlineConfiguration.objects.create(
            course_id=course_id, enabled=True, deadline_days=number + 1
        )
        WaffleFlagCourseOverride.objects.create(waffle_flag="flag", course_id=course_id, enabled=True)
    days = deadlines.deadline_days(dict.fromkeys(given, "CaseX"))
    alone = [opted_out([(alice.pk, one)], site_id=site.pk, message_type="") for one in given]
    assert alone == [{(alice.pk, one)} for one in given]
    return {
        "given": given,
        "opt_outs": [one for one in given if OptOut.objects.filter(course_id=one).count() == 1],
        "deadlines": [given[number - 1] for number in days.values() if number],
        "found_by_staff": [
            row.course_id for row in OptOut.objects.filter(course_id__icontains="CASEX+intro").order_by("pk")
        ],
        "overrides": [one for one in given if WaffleFlagCourseOverride.objects.filter(course_id=one).count() == 1],
    }


def _at_once(act: Callable[[Any], None], things: Iterable[Any]) -> dict[str, int]:
    from django.db import connection

    def carefully(thing: Any) -> str:
        try:
            act(thing)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is what the test is about
            return type(error).__name__
        finally:
            connection.close()
        return "returned"

    with ThreadPoolExecutor(THREADS) as pool:
        said = list(pool.map(carefully, things))
    return {word: said.count(word) for word in set(said)}


def _report(calls: dict[str, int]) -> None:
    from schedules.contrib.lms.models import CourseEnrollment
    from schedules.models import HoldBack, Schedule, ScheduleExperience

    kinds = (CourseEnrollment, Schedule, ScheduleExperience, HoldBack)
    json.dump({"calls": calls, **{kind.__name__: kind.objects.count() for kind in kinds}}, sys.stdout)


def main(name: str, *arguments: str) -> None:
    set_up()
    globals()[name](*arguments)


if __name__ == "__main__":
    main(*sys.argv[1:])
