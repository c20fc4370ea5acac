"""Was it said before?"""

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


class NotAlreadyTold(Gate):
    """No such message named the course to the learner since they enrolled there (behavior 6.11)."""

    reason = SkipReason.ALREADY_TOLD
    summary = gettext_lazy("The learner got this message before.")
    remedy = gettext_lazy("Nothing needs to be done: a date moved, and the learner knows already.")

    def look(self, due: Schedule, facts: Facts, clock: datetime) -> Answer:
        sent = [row.sent_at for row in facts.earlier(due) if row.sent_at is not None and row.is_about(due)]
        return no(course_id=due.course_id, sent_at=max(sent)) if sent else yes()

    def explain(self, seen: Mapping[str, Any]) -> str:
        if "sent_at" not in seen:
            return _("Another worker is sending the same message.")
        text = _("The learner got this message about %(course_id)s on %(sent_at)s.")
        return text % {**seen, "sent_at": day_text(seen["sent_at"])}
