"""Upgrade reminder: shortly before the deadline, what a verified certificate is good for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.utils.translation import gettext_lazy as _

from schedules.conf import conf
from schedules.exceptions import SkipRecipient
from schedules.finding.resolving import DueCourse, Resolver
from schedules.message_types.base import ScheduleMessageType, course_url, deadline_text, upsell_context
from schedules.values.data import ExperienceType
from schedules.values.outcomes import SkipReason


class UpgradeReminder(ScheduleMessageType):
    """What is said."""


class UpgradeReminderResolver(Resolver):
    """Who: learners whose upgrade deadline is near. One message for all their courses that can be upgraded."""

    key = "upgrade_reminder"
    label = _("upgrade reminder")
    # Translators: what learners call these e-mails; a heading where they stop them.
    title = _("Reminders to upgrade")
    date_field = "upgrade_deadline"
    experience_type = ExperienceType.DEFAULT
    placeholders = (*Resolver.placeholders, "deadline")
    page_links = (*Resolver.page_links, "course_links")
    is_once_per_episode = False  # another day of the deadline is news, and the same day has the same uuid

    @classmethod
    def day_offsets(cls) -> tuple[int, ...]:
        return (conf.upgrade_reminder_days,)

    @classmethod
    def message_name(cls, day_offset: int) -> str:  # noqa: ARG003 - one name for every day
        return "upgradereminder"

    def message_type(self) -> UpgradeReminder:
        return UpgradeReminder.for_run(self.run)

    def select(self, courses: tuple[DueCourse, ...]) -> tuple[DueCourse, ...]:
        upgradable = tuple(due for due in courses if due.can_upgrade)
        if not upgradable:
            raise SkipRecipient(SkipReason.NOTHING_TO_UPGRADE)
        return upgradable

    def context(self, courses: Sequence[DueCourse]) -> dict[str, Any]:
        return {
            "course_links": [
                {"url": course_url(self, due), "name": due.course.name, "upgrade_deadline": deadline_text(due)}
                for due in courses
            ],
            "first_course_name": courses[0].course.name,
            "course_ids": [due.course.id for due in courses],
            "has_several_courses": len(courses) > 1,
            **upsell_context(self, courses[0]),
        }
