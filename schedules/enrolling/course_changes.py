"""A course changes, and its schedules follow: set by set, batch by batch, in transactions of their own.

What is yet to be done is a row of `CourseChange`, so it outlives a worker and a broker. Hold-backs follow alike, so
that both groups go on to differ in nothing but their e-mails.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.db.models import F, Q, QuerySet
from django.utils import timezone

from schedules.conf import conf
from schedules.database.transactions import in_own_transaction
from schedules.database.transient import outlasting
from schedules.enrolling.deadlines import deadline_days, upgrade_deadline
from schedules.host import get_host
from schedules.models import CourseChange, HoldBack, Schedule, database
from schedules.values.data import Course, CourseFact

log = logging.getLogger(__name__)

#: Rows of each table in one transaction.
BATCH_SIZE = 2000

#: A change of one of these may give a deadline to a schedule that was stored without.
_MAY_GIVE_DEADLINES = {CourseFact.END.value, CourseFact.VERIFIED_MODE.value}

#: What keeps the last row that followed, of each table.
_POSITIONS: tuple[tuple[type[Schedule] | type[HoldBack], str], ...] = (
    (Schedule, "last_schedule_id"),
    (HoldBack, "last_hold_back_id"),
)


@dataclass(frozen=True, kw_only=True)
class _Change:
    """What one version of a change asks for, with the host's facts as they were after it."""

    version: int
    course: Course
    start: datetime
    days: int | None
    has_deadlines: bool
    last_deadline: datetime | None
    may_give_deadlines: bool


def remember(course_id: str, facts: Collection[CourseFact], now: datetime) -> None:
    """Keep that the course changed. Where an earlier change is under way, its facts count, too, and all begins anew."""
    changed_facts = {CourseFact(fact).value for fact in facts}
    # Not counted: a worker may still have in mind a change that is done and gone.
    new = {"version": secrets.randbelow(2**31), "leased_until": now + timedelta(seconds=conf.lease_seconds)}

    def store() -> None:
        rows = CourseChange.objects.using(database()).filter(pk=course_id)
        # No lock on what is not there: MariaDB would lock the gap.
        row = rows.select_for_update().first() if rows.exists() else None
        if row is None:
            rows.create(course_id=course_id, facts=sorted(changed_facts), **new)
        else:
            rows.update(facts=sorted(changed_facts | set(row.facts)), last_schedule_id=0, last_hold_back_id=0, **new)

    in_own_transaction(store, database())


def release(course_id: str, now: datetime) -> None:
    """Nobody answers for the change, for the queue did not take it: the next recovery does."""
    CourseChange.objects.filter(pk=course_id).update(leased_until=now)


@outlasting
def reclaim(now: datetime) -> list[str]:
    """Ids of the courses whose change nobody answers for any more; two who ask at once get different ones."""
    lease = now + timedelta(seconds=conf.lease_seconds)
    stranded = CourseChange.objects.filter(leased_until__lte=now)
    course_ids = stranded.order_by("pk").values_list("pk", flat=True)
    return [course_id for course_id in course_ids if stranded.filter(pk=course_id).update(leased_until=lease)]


def follow(course_id: str, batch_size: int = BATCH_SIZE) -> int:
    """Set the dates of a course's schedules and hold-backs anew; returns how many changed. Twice at once does no harm.

    Each batch commits together with the place where to go on. Whoever finds that the course has changed meanwhile asks
    the host again, so the last change is the one that is followed. Raises what the host raises; the rest stays to do.
    """
    changed, change = 0, None
    while row := CourseChange.objects.using(database()).filter(pk=course_id).first():
        if change is None or change.version != row.version:
            change = _ask(row)
        if change is None:
            log.warning("The schedules in %s keep their dates: the course is unknown or has no start date", course_id)
            CourseChange.objects.filter(pk=course_id, version=row.version).delete()
            continue
        changed += in_own_transaction(partial(_follow_batch, change, batch_size, timezone.now()), database())
    return changed


def _ask(row: CourseChange) -> _Change | None:
    host = get_host()
    course = host.courses([row.course_id]).get(row.course_id)
    if course is None or course.start is None:
        return None
    mode = host.verified_modes([row.course_id]).get(row.course_id)
    days = deadline_days({row.course_id: course.org})[row.course_id]
    now = timezone.now()
    deadline = upgrade_deadline(available_at=course.start, days=days, course_end=course.end, mode=mode, now=now)
    bounds = [bound for bound in (course.end, mode.expires_at if mode else None) if bound is not None]
    return _Change(
        version=row.version,
        course=course,
        start=course.start,
        days=days,
        has_deadlines=deadline is not None,
        last_deadline=min(bounds, default=None),
        may_give_deadlines=not _MAY_GIVE_DEADLINES.isdisjoint(row.facts),
    )


def _follow_batch(change: _Change, batch_size: int, now: datetime) -> int:
    """The next rows of each table, and where they end; where there are none, the change is done."""
    changes = CourseChange.objects.using(database()).select_for_update()
    row = changes.filter(pk=change.course.id, version=change.version).first()
    if row is None:  # done by others, or to be begun anew
        return 0
    changed, is_done = 0, True
    for model, position in _POSITIONS:
        rows = model._default_manager.using(database()).filter(course_id=row.course_id, pk__gt=getattr(row, position))
        ids = rows.order_by("pk").values_list("pk", flat=True)
        if last := ids[batch_size - 1 : batch_size].first() or ids.last():
            changed += _update(rows.filter(pk__lte=last), model.START_FIELD, change, now)
            setattr(row, position, last)
            is_done = False
    if is_done:
        row.delete()
    else:
        row.leased_until = now + timedelta(seconds=conf.lease_seconds)
        row.save(update_fields=[*dict(_POSITIONS).values(), "leased_until"])
    return changed


def _update(rows: QuerySet[Any], start_field: str, change: _Change, now: datetime) -> int:
    """A few statements, however many rows: each row's start is the later of its enrollment and the course's start.

    A row stored without a deadline gets one only if its start moves or a fact changed that decides about deadlines: not
    because a configuration row was added in the meantime.
    """
    changed = 0
    for those, start, deadline in _cases(change):
        has_deadline = Q(upgrade_deadline__isnull=False)
        is_other = has_deadline if deadline is None else ~Q(upgrade_deadline=deadline) | ~has_deadline
        may_change = Q() if change.may_give_deadlines else has_deadline
        stale = ~Q((start_field, start)) | (is_other & may_change)
        changed += rows.filter(those & stale).update(**{start_field: start}, upgrade_deadline=deadline, modified=now)
    if rows.model is Schedule:
        changed += rows.exclude(org=change.course.org).update(org=change.course.org, modified=now)
    return changed


def _cases(change: _Change) -> Iterator[tuple[Q, Any, Any]]:
    """Which rows, their start and their deadline: each set has one value or one sum, so SQL needs no CASE."""
    early, late = Q(enrolled_at__lte=change.start), Q(enrolled_at__gt=change.start)
    enrolled_at = F("enrolled_at")
    if not change.has_deadlines or change.days is None:
        yield early, change.start, None
        yield late, enrolled_at, None
        return
    span, last = timedelta(days=change.days), change.last_deadline
    by_days = change.start + span
    yield early, change.start, by_days if last is None else min(by_days, last)
    if last is None:
        yield late, enrolled_at, enrolled_at + span
    else:
        yield late & Q(enrolled_at__lte=last - span), enrolled_at, enrolled_at + span
        yield late & Q(enrolled_at__gt=last - span), enrolled_at, last
