"""Is this message type sent on this site?"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from schedules.finding.facts import Facts, Moment
from schedules.gates.base import Answer, Gate, no, yes
from schedules.models import Schedule
from schedules.values.outcomes import SkipReason


class DeliveryEnabled(Gate):
    """The switch of the site. It is asked when the message's turn comes, not before (behavior 5.3)."""

    reason = SkipReason.DELIVERY_DISABLED
    summary = gettext_lazy("Sending was switched off.")
    remedy = gettext_lazy("Switch sending on under Schedule configurations, and run the day again.")

    def look(self, due: Schedule | None, facts: Facts, clock: datetime) -> Answer:
        if facts.moment is Moment.FINDING or facts.is_delivering:
            return yes()
        return no(message_type=facts.run.message_type, site=facts.site.domain)

    def explain(self, seen: Mapping[str, Any]) -> str:
        return _("Sending %(message_type)s was switched off for %(site)s.") % seen
