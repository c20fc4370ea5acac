"""Upgrade reminder: shortly before the deadline, what a verified certificate is good for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.utils.translation import gettext_lazy as _

from schedules.conf import conf
from schedules.gates.upgrade import CanUpgrade
from schedules.message_types.context import course_url, deadline_text, upsell_context
from schedules.message_types.resolver import DueCourse, Resolver
from schedules.values.data import ExperienceType


class UpgradeReminder(Resolver):
    """Who: learners whose upgrade deadline is near. One message for all their courses that can be upgraded."""

    key = "upgrade_reminder"
    label = _("upgrade reminder")
    # Translators: what learners call these e-mails; a heading where they stop them.
    title = _("Reminders to upgrade")
    date_field = "upgrade_deadline"
    experiences = (ExperienceType.DEFAULT,)
    gates = (CanUpgrade(),)
    placeholders = (*Resolver.placeholders, "deadline")
    page_links = (*Resolver.page_links, "course_links")
    is_once_per_episode = False  # another day of the deadline is news, and the same day has the same uuid

    @classmethod
    def day_offsets(cls) -> tuple[int, ...]:
        return (conf.upgrade_reminder_days,)

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
