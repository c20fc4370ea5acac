"""Course update: each week, the highlights of the section that is next."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.utils.translation import gettext_lazy as _

from schedules.conf import conf
from schedules.exceptions import SkipRecipient
from schedules.finding.resolving import DueCourse, Resolver
from schedules.message_types.base import ScheduleMessageType, course_url, upsell_context
from schedules.values.data import ExperienceType, Section, weekly_sections
from schedules.values.outcomes import SkipReason

DAYS_IN_WEEK = 7


class CourseUpdate(ScheduleMessageType):
    """What is said."""


class CourseUpdateResolver(Resolver):
    """Who: learners who started a whole number of weeks ago. One message per course."""

    key = "course_update"
    label = _("course update")
    # Translators: what learners call these e-mails; a heading where they stop them.
    title = _("Weekly course news")
    date_field = "start_date"
    experience_type = ExperienceType.COURSE_UPDATES
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
    def message_name(cls, day_offset: int) -> str:  # noqa: ARG003 - one name for every week
        return "courseupdate"

    @classmethod
    def message_key(cls, day_offset: int) -> str:
        """All weeks of a schedule have one name and one target day, its start; so the week is part of the key."""
        return f"{cls.message_name(day_offset)}_week{cls.week_of(day_offset)}"

    @classmethod
    def week_of(cls, day_offset: int) -> int:
        """1 for the week that begins seven days after the start."""
        return -day_offset // DAYS_IN_WEEK

    @property
    def week(self) -> int:
        """The week of this run."""
        return self.week_of(self.run.day_offset)

    def message_type(self) -> CourseUpdate:
        return CourseUpdate.for_run(self.run)

    def select(self, courses: tuple[DueCourse, ...]) -> tuple[DueCourse, ...]:
        if self._section(courses[0]) is None:
            raise SkipRecipient(SkipReason.NO_HIGHLIGHTS)
        return courses

    def context(self, courses: Sequence[DueCourse]) -> dict[str, Any]:
        due = courses[0]
        section = self._section(due)
        if section is None:
            raise SkipRecipient(SkipReason.NO_HIGHLIGHTS)
        return {
            "course_name": due.course.name,
            "course_url": course_url(self, due),
            "week_num": self.week,
            "section_name": section.name,
            "week_highlights": list(section.highlights),
            "course_ids": [due.course.id],
            **upsell_context(self, due),
        }

    def _section(self, due: DueCourse) -> Section | None:
        """The week's section: only those that have something to say to learners use up a week (SPEC 3.2)."""
        sections = weekly_sections(due.course, due.sections)
        return sections[self.week - 1] if self.week <= len(sections) else None
