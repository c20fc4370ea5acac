"""Can the course be upgraded?"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from schedules.finding.facts import Facts
from schedules.gates.base import Answer, Gate, day_text, no, yes
from schedules.models import Schedule
from schedules.values.outcomes import SkipReason


class CanUpgrade(Gate):
    """An upgrade may be offered: deadline, configuration, enrollment, mode and link allow it (behavior 2.4, 6.4)."""

    reason = SkipReason.NOTHING_TO_UPGRADE
    summary = gettext_lazy("There is no course that can be upgraded.")
    remedy = gettext_lazy(
        "Check the learner's deadline and mode, and the course's verified mode and deadline settings."
    )

    def look(self, due: Schedule, facts: Facts, clock: datetime) -> Answer:
        enrollment = facts.enrollment(due)
        seen = {
            "course_id": due.course_id,
            "deadline": due.upgrade_deadline,
            "mode": enrollment.mode if enrollment else None,
        }
        return yes(**seen) if facts.can_upgrade(due, clock) else no(**seen)

    def explain(self, seen: Mapping[str, Any]) -> str:
        text = _("The course %(course_id)s cannot be upgraded: mode %(mode)s, deadline %(deadline)s.")
        return text % {**seen, "mode": seen["mode"] or "—", "deadline": day_text(seen["deadline"])}
