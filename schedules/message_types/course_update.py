"""Course update: each week, the highlights of the section that is next."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.utils.translation import gettext_lazy as _

from schedules.conf import conf
from schedules.gates.highlights import HasHighlights
from schedules.message_types.context import course_url, upsell_context
from schedules.message_types.resolver import DueCourse, Resolver
from schedules.values.data import ExperienceType, weekly_sections
from schedules.values.days import DAYS_IN_WEEK, week_of


class CourseUpdate(Resolver):
    """Who: learners who started a whole number of weeks ago. One message per course."""

    key = "course_update"
    label = _("course update")
    # Translators: what learners call these e-mails; a heading where they stop them.
    title = _("Weekly course news")
    experiences = (ExperienceType.COURSE_UPDATES,)
    gates = (HasHighlights(),)
    is_per_course = True
    needs_sections = True
    placeholders = (*Resolver.placeholders, "week")

    @classmethod
    def day_offsets(cls) -> tuple[int, ...]:
        return cls.day_offsets_of(conf.course_update_weeks)

    @classmethod
    def day_offsets_of(cls, weeks: int) -> tuple[int, ...]:
        """The offsets of weeks 1 to `weeks`."""
        return tuple(-DAYS_IN_WEEK * week for week in range(1, weeks + 1))

    @classmethod
    def message_key(cls, day_offset: int) -> str:
        """All weeks of a schedule have one name and one target day, its start; so the week is part of the key."""
        return f"{cls.message_name(day_offset)}_week{week_of(day_offset)}"

    def context(self, courses: Sequence[DueCourse]) -> dict[str, Any]:
        (due,) = courses
        week = week_of(self.run.day_offset)
        section = weekly_sections(due.course, due.sections)[week - 1]  # there is one, says the gate
        return {
            "course_name": due.course.name,
            "course_url": course_url(self, due),
            "week_num": week,
            "section_name": section.name,
            "week_highlights": list(section.highlights),
            "course_ids": [due.course.id],
            **upsell_context(self, due),
        }
