"""The filter that lists the schedules with one of the known mistakes."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from django.contrib import admin, messages
from django.db import models
from django.db.models import Case, F, Min, Value, When
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from schedules.exceptions import redacted_traceback
from schedules.host import get_host
from schedules.models import Schedule
from schedules.values.data import Course

log = logging.getLogger(__name__)

Schedules = models.QuerySet[Schedule]


class ProblemFilter(admin.SimpleListFilter):
    """Known mistakes. The host is asked, once for all courses in the list, only where a mistake is about a course."""

    title = _("known problem")
    parameter_name = "problem"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:  # noqa: ARG002
        return [
            ("start-before-course", _("Starts before its course")),
            ("deadline-before-start", _("Upgrade deadline before the start")),
            ("no-experience", _("No experience row")),
            ("unknown-course", _("Course unknown to the LMS")),
            ("not-self-paced", _("Course no longer self-paced")),
        ]

    def queryset(self, request: HttpRequest, queryset: Schedules) -> Schedules:
        match self.value():
            case "deadline-before-start":
                return queryset.filter(upgrade_deadline__lt=F("start_date"))
            case "no-experience":
                return queryset.filter(experience__isnull=True)
            case "start-before-course" | "unknown-course" | "not-self-paced" as problem:
                return self._by_course(problem, request, queryset)
        return queryset

    def _by_course(self, problem: str, request: HttpRequest, queryset: Schedules) -> Schedules:
        """Schedules with a mistake that only the host can tell; none, with a message, when it does not answer."""
        first_starts = dict(
            queryset.order_by().values("course_id").annotate(first=Min("start_date")).values_list("course_id", "first")
        )
        try:
            courses = get_host().courses(list(first_starts))
        except Exception as error:  # noqa: BLE001 - a host may raise anything
            log.error(
                "The host could not say what it knows of %d courses: %s", len(first_starts), redacted_traceback(error)
            )
            messages.error(request, _("The LMS did not answer, so its courses cannot be compared. Try again later."))
            return queryset.none()
        if problem == "unknown-course":
            return queryset.filter(course_id__in=[id_ for id_ in first_starts if id_ not in courses])
        if problem == "not-self-paced":
            return queryset.filter(course_id__in=[id_ for id_, course in courses.items() if not course.is_self_paced])
        return _starting_before_their_course(queryset, first_starts, courses)


def _starting_before_their_course(
    queryset: Schedules, first_starts: Mapping[str, Any], courses: Mapping[str, Course]
) -> Schedules:
    """One CASE over the courses that have such a schedule: an OR of so many conditions nests too deep for SQLite."""
    starts = {
        id_: course.start
        for id_, course in courses.items()
        if course.start is not None and id_ in first_starts and first_starts[id_] < course.start
    }
    if not starts:
        return queryset.none()
    course_start = Case(
        *[When(course_id=id_, then=Value(start)) for id_, start in starts.items()], output_field=models.DateTimeField()
    )
    return queryset.filter(course_id__in=list(starts), start_date__lt=course_start)
