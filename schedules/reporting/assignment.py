"""The holdout: the learners of both groups, while they were assigned at random, page by page."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import accumulate, groupby
from operator import itemgetter
from typing import Any

from django.contrib.sites.models import Site
from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet
from django.db.models.functions import Coalesce

from schedules.conf import conf
from schedules.host import Host
from schedules.message_types import usable_resolvers
from schedules.models import HoldBack, Schedule, ScheduleConfig
from schedules.reporting import ReportScope
from schedules.sites import org_scope
from schedules.values.data import EnrollmentKey, ExperienceType
from schedules.values.days import day_bounds, day_of, start_of_day
from schedules.values.runs import BINS

#: About as many learners of a group are compared; of more, whole bins are left out.
MAX_LEARNERS = 20_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Span:
    """A time of assignment by one ratio: from `begins` until before `ends`, or until today (`None`)."""

    begins: datetime
    ends: datetime | None
    ratio: float

    def touches(self, begins: datetime, ends: datetime) -> bool:
        return self.begins < ends and (self.ends is None or begins < self.ends)


@dataclass(frozen=True, kw_only=True, slots=True)
class Enrolled:
    """An enrollment that is compared: since when, and from when on its learner may have come back."""

    key: EnrollmentKey
    began_at: datetime
    first_message_at: datetime


class Group:
    """One group: `rows`, one per enrollment, of learners who are in this group alone.

    Its learners are in the first `bin_count` bins: as many of `all_count` as are compared. `too_new_count`: further
    learners whose first message day has not passed.
    """

    def __init__(self, rows: QuerySet[Any], now: datetime) -> None:
        self._first_days = first_message_days()
        self._rows = rows
        self._old = _is_old(self._first_days, now)
        bins = self._count_bins()
        self.all_count = sum(old for old, _ in bins)
        self.too_new_count = sum(every - old for old, every in bins)
        self.bin_count, self.count = _fitting([old for old, _ in bins])

    def pages(self) -> Iterator[list[Enrolled]]:
        """The enrollments, whole learners at a time, by keyset pages: memory does not grow with the group."""
        size = conf.resolve_batch_size
        rows = self._rows.filter(self._old)
        some = rows.annotate(bin=F("user_id") % BINS).filter(bin__lt=self.bin_count) if self.bin_count < BINS else rows
        page = some.order_by("user_id").values_list("user_id", flat=True).distinct()
        user_ids = list(page[:size])
        while user_ids:
            mine = rows.filter(user_id__in=user_ids).order_by("user_id", "pk")
            yield [
                self._enrolled(*row) for row in mine.values_list("user_id", "course_id", "began_at", "experience_key")
            ]
            user_ids = list(page.filter(user_id__gt=user_ids[-1])[:size]) if len(user_ids) == size else []

    def _enrolled(self, user_id: int, course_id: str, began_at: datetime, experience: int) -> Enrolled:
        first_day = day_of(began_at, conf.time_zone) + timedelta(days=self._first_days[experience])
        first_message_at = start_of_day(first_day, conf.time_zone)
        return Enrolled(key=(user_id, course_id), began_at=began_at, first_message_at=first_message_at)

    def _count_bins(self) -> list[tuple[int, int]]:
        """Of each bin the learners who are compared, and all; both count a learner once."""
        bins = self._rows.annotate(bin=F("user_id") % BINS).values("bin")
        counted = bins.annotate(
            old_count=Count("user_id", distinct=True, filter=self._old), every=Count("user_id", distinct=True)
        )
        found = {number: (old, every) for number, old, every in counted.values_list("bin", "old_count", "every")}
        return [found.get(number, (0, 0)) for number in range(BINS)]


def assignment_spans(site: Site) -> list[Span]:
    """When learners were assigned on the site, oldest first: not while nobody or everybody is held back.

    The configuration keeps each change as a row; one that leaves the ratio as it was continues the span.
    """
    history = ScheduleConfig.objects.filter(site=site).order_by("pk").values_list("change_date", "hold_back_ratio")
    changes = [next(rows) for _, rows in groupby(history, key=itemgetter(1))]
    ends = [*(changed_at for changed_at, _ in changes[1:]), None]
    return [
        Span(begins=begins, ends=end, ratio=ratio)
        for (begins, ratio), end in zip(changes, ends, strict=False)  # without changes there is one end
        if 0 < ratio < 1
    ]


def first_message_days() -> dict[int, int]:
    """Experience -> days from the start to its first message that goes by the start; 0 where none does."""
    return {
        experience.value: min(
            (
                -offset
                for resolver in usable_resolvers().values()
                if experience in resolver.experiences and resolver.date_field == "start_date"
                for offset in resolver.day_offsets()
            ),
            default=0,
        )
        for experience in ExperienceType
    }


def groups(scope: ReportScope, spans: Sequence[Span], host: Host, now: datetime) -> tuple[Group, Group, int]:
    """The scheduled, the held back, and how many learners are left out for they are found on both sides."""
    begins, ends = day_bounds(scope.first_day, conf.time_zone)[0], day_bounds(scope.last_day, conf.time_zone)[1]
    while_drawn = Q()
    for span in spans:
        while_drawn |= Q(created__gte=span.begins) & (Q(created__lt=span.ends) if span.ends else Q())
    common = while_drawn & Q(began_at__gte=begins, began_at__lt=ends)
    if scope.course_id:
        common &= Q(course_id=scope.course_id)
    default = ExperienceType.DEFAULT.value
    scheduled = (
        Schedule.objects.filter(org_scope(host, scope.site).condition())
        .annotate(began_at=F("start_date"), experience_key=Coalesce("experience__experience_type", default))
        .filter(common)
    )
    held_back = (
        HoldBack.objects.filter(site=scope.site)
        .annotate(began_at=F("content_availability_date"), experience_key=F("experience_type"))
        .filter(common)
    )
    both_count = held_back.filter(_is_also_in(scheduled)).values("user_id").distinct().count()
    return (
        Group(scheduled.exclude(_is_also_in(held_back)), now),
        Group(held_back.exclude(_is_also_in(scheduled)), now),
        both_count,
    )


def _is_also_in(rows: QuerySet[Any]) -> Exists:
    return Exists(rows.filter(user_id=OuterRef("user_id")))


def _is_old(first_days: dict[int, int], now: datetime) -> Q:
    """The first message day of the enrollment has passed, to its end."""
    today, condition = day_of(now, conf.time_zone), Q()
    for experience, days in first_days.items():
        began_before = start_of_day(today - timedelta(days=days), conf.time_zone)
        condition |= Q(experience_key=experience, began_at__lt=began_before)
    return condition


def _fitting(counts: Sequence[int]) -> tuple[int, int]:
    """How many of the first bins fit, one at least, and the learners in them."""
    totals = list(accumulate(counts))
    fitting = max(1, bisect_right(totals, MAX_LEARNERS))
    return fitting, totals[fitting - 1]
