"""Recurring nudge: some days after the start, an invitation to go on learning."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.utils.translation import gettext_lazy as _

from schedules.conf import conf
from schedules.message_types.context import course_url, upsell_context
from schedules.message_types.resolver import DueCourse, Resolver
from schedules.values.data import ExperienceType


class RecurringNudge(Resolver):
    """Who: learners who started so many days ago. One message for all their courses of that day."""

    key = "recurring_nudge"
    label = _("recurring nudge")
    # Translators: what learners call these e-mails; a heading where they stop them.
    title = _("Reminders to keep learning")
    experiences = (ExperienceType.DEFAULT,)
    further_day_offsets = (-19,)

    @classmethod
    def day_offsets(cls) -> tuple[int, ...]:
        return tuple(-days for days in conf.recurring_nudge_days)

    @classmethod
    def message_name(cls, day_offset: int) -> str:
        return f"recurringnudge_day{-day_offset}"

    def context(self, courses: Sequence[DueCourse]) -> dict[str, Any]:
        return {
            "course_name": courses[0].course.name,
            "course_url": course_url(self, courses[0]),
            "course_ids": [due.course.id for due in courses],
            "has_several_courses": len(courses) > 1,
            **upsell_context(self, next((due for due in courses if due.can_upgrade), None)),
        }
