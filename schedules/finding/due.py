"""Whose day it is: the schedules whose date falls on a run's target day, by bins and pages."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS
from django.db.models import F, Q, QuerySet

from schedules.conf import conf
from schedules.database.transient import outlasting
from schedules.models import Schedule
from schedules.sites import OrgScope
from schedules.values.data import ExperienceType
from schedules.values.days import day_bounds
from schedules.values.runs import BINS, Run

READ_REPLICA = "read_replica"


@dataclass(frozen=True, kw_only=True, slots=True)
class DueSchedules:
    """The schedules of a run: those of a site's organizations and of some experiences, whose date is the target day.

    `date_field`: the date of a schedule that is compared. A schedule without an experience counts as the default one.
    """

    run: Run
    date_field: str
    experiences: Collection[ExperienceType]
    scope: OrgScope

    def batches(self, bin_number: int) -> Iterator[list[Schedule]]:
        """A bin's due schedules, whole learners at a time, by keyset pages: memory does not grow with the bin."""
        bin_of_day = self._rows().annotate(bin=F("user_id") % BINS).filter(bin=bin_number)
        page = bin_of_day.order_by("user_id").values_list("user_id", flat=True).distinct()
        user_ids = _first(page)
        while user_ids:
            yield self.of_learners(user_ids)
            user_ids = _first(page.filter(user_id__gt=user_ids[-1]))

    @outlasting
    def of_learners(self, user_ids: Collection[int]) -> list[Schedule]:
        """The due schedules of these learners."""
        return list(self._rows().filter(user_id__in=user_ids).order_by("user_id", "id"))

    def _rows(self) -> QuerySet[Schedule]:
        begins, ends = day_bounds(self.run.target_date, conf.time_zone)
        span = Q((f"{self.date_field}__gte", begins), (f"{self.date_field}__lt", ends))
        experience = Q(experience__experience_type__in=[wanted.value for wanted in self.experiences])
        if ExperienceType.DEFAULT in self.experiences:
            experience |= Q(experience=None)
        database = READ_REPLICA if READ_REPLICA in settings.DATABASES else DEFAULT_DB_ALIAS
        return Schedule.objects.using(database).filter(span & experience & self.scope.condition())


@outlasting
def _first(user_ids: QuerySet[Schedule, int]) -> list[int]:
    return list(user_ids[: conf.resolve_batch_size])
