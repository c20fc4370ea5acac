"""Is the course one that learners take at their own pace, and is it still running?"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from schedules.enrolling import deadlines
from schedules.finding.facts import Facts
from schedules.gates.base import Answer, Gate, day_text, no, yes
from schedules.models import Schedule


class SelfPaced(Gate):
    """The host knows the course, and learners take it at their own pace."""

    reason = "not-self-paced"
    summary = gettext_lazy("The course is not self-paced.")
    remedy = gettext_lazy("Make the course self-paced in the learning platform.")
    is_silent = True

    def look(self, due: Schedule, facts: Facts, clock: datetime) -> Answer:
        course = facts.course(due)
        is_self_paced = course is not None and course.is_self_paced
        seen = {"course_id": due.course_id, "is_known": course is not None}
        return yes(**seen) if is_self_paced else no(**seen)

    def explain(self, seen: Mapping[str, Any]) -> str:
        if seen["is_known"]:
            return _("The course %(course_id)s is not self-paced.") % seen
        return _("The learning platform does not know the course %(course_id)s.") % seen


class CourseRunning(Gate):
    """The course has not ended (behavior 6.1, 6.10)."""

    reason = "course-ended"
    summary = gettext_lazy("The course has ended.")
    remedy = gettext_lazy("Move the course's end in the learning platform.")
    is_silent = True

    def look(self, due: Schedule, facts: Facts, clock: datetime) -> Answer:
        course = facts.course(due)
        if course is None:
            return no(course_id=due.course_id, end=None)
        seen = {"course_id": due.course_id, "end": course.end}
        return no(**seen) if deadlines.has_ended(course, clock) else yes(**seen)

    def explain(self, seen: Mapping[str, Any]) -> str:
        return _("The course %(course_id)s ended on %(end)s.") % {**seen, "end": day_text(seen["end"])}
