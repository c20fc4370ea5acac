"""Does the learner want such a message?"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from schedules.finding.facts import Facts
from schedules.gates.base import Answer, Gate, no, yes
from schedules.models import Schedule
from schedules.values.outcomes import SkipReason


class NotOptedOut(Gate):
    """The learner did not opt out of the course, the message type or all, with us or with the host (behavior 9)."""

    reason = SkipReason.OPTED_OUT
    summary = gettext_lazy("The learner has opted out of these messages.")
    remedy = gettext_lazy("Only the learner can change that, on the page that every message links to.")

    def look(self, due: Schedule, facts: Facts, clock: datetime) -> Answer:
        seen = {"course_id": due.course_id}
        return no(**seen) if facts.is_opted_out(due) else yes(**seen)

    def explain(self, seen: Mapping[str, Any]) -> str:
        if "course_id" in seen:
            return _("The learner has opted out of these messages about %(course_id)s.") % seen
        return _("The learner opted out with the delivery service.")
