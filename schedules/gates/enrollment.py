"""Is the learner enrolled in the course?"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from schedules.finding.facts import Facts
from schedules.gates.base import Answer, Gate, no, yes
from schedules.models import Schedule


class Enrolled(Gate):
    """The learner has an active enrollment."""

    reason = "not-enrolled"
    summary = gettext_lazy("The learner is not enrolled in the course.")
    remedy = gettext_lazy("Enroll the learner again in the learning platform.")
    is_silent = True

    def look(self, due: Schedule, facts: Facts, clock: datetime) -> Answer:
        enrollment = facts.enrollment(due)
        is_enrolled = enrollment is not None and enrollment.is_active
        return yes(course_id=due.course_id) if is_enrolled else no(course_id=due.course_id)

    def explain(self, seen: Mapping[str, Any]) -> str:
        return _("The learner is not enrolled in %(course_id)s.") % seen
