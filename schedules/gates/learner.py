"""Is there a learner to write to?"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from schedules.finding.facts import Facts
from schedules.gates.base import Answer, Gate, no, yes
from schedules.models import Schedule


class LearnerKnown(Gate):
    """The host knows the learner, and calls them active."""

    reason = "learner-inactive"
    summary = gettext_lazy("The learner's account is not active.")
    remedy = gettext_lazy("Activate the learner's account in the learning platform.")
    is_silent = True

    def look(self, due: Schedule, facts: Facts, clock: datetime) -> Answer:
        learner = facts.learner(due)
        if learner is None:
            return no(is_known=False)
        return yes() if learner.is_active else no(is_known=True)

    def explain(self, seen: Mapping[str, Any]) -> str:
        if seen["is_known"]:
            return _("The learner's account is not active.")
        return _("The learning platform does not know the learner.")
