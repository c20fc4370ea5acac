"""Has the week something to say?"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from schedules.finding.facts import Facts
from schedules.gates.base import Answer, Gate, no, yes
from schedules.models import Schedule
from schedules.values.data import weekly_sections
from schedules.values.days import week_of
from schedules.values.outcomes import SkipReason


class HasHighlights(Gate):
    """The course has sections with highlights, for as many weeks as have passed (behavior 3.2)."""

    reason = SkipReason.NO_HIGHLIGHTS
    summary = gettext_lazy("There is no section with highlights for the week.")
    remedy = gettext_lazy("Write highlights for the course's next section, and see that messaging is on.")

    def look(self, due: Schedule, facts: Facts, clock: datetime) -> Answer:
        course = facts.course(due)
        count = len(weekly_sections(course, facts.sections(due))) if course else 0
        week = week_of(facts.run.day_offset)
        seen = {"course_id": due.course_id, "week": week, "sections": count}
        return yes(**seen) if week <= count else no(**seen)

    def explain(self, seen: Mapping[str, Any]) -> str:
        text = _("The course %(course_id)s has no section with highlights for week %(week)s; it has %(sections)s.")
        return text % seen
