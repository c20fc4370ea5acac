"""Has the learner an address that mail can be sent to?"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from schedules.conf import conf
from schedules.finding.facts import Facts
from schedules.gates.base import Answer, Gate, no, yes
from schedules.models import Schedule
from schedules.values.addresses import is_for_channel
from schedules.values.outcomes import SkipReason


class HasAddress(Gate):
    """The host knows an address of the learner's."""

    reason = SkipReason.NO_ADDRESS
    summary = gettext_lazy("The learner has no e-mail address.")
    remedy = gettext_lazy("Enter the learner's e-mail address in the learning platform.")

    def look(self, due: Schedule, facts: Facts, clock: datetime) -> Answer:
        learner = facts.learner(due)
        return no() if learner is None or not learner.email.strip() else yes()


class UsableAddress(Gate):
    """It is one address, and one that the channel of the settings can write to (behavior 6.12)."""

    reason = SkipReason.BAD_ADDRESS
    summary = gettext_lazy("The learner's e-mail address cannot be used.")
    remedy = gettext_lazy("Correct the learner's e-mail address in the learning platform.")

    def look(self, due: Schedule, facts: Facts, clock: datetime) -> Answer:
        learner = facts.learner(due)
        channel = conf.default_channel
        is_usable = learner is not None and is_for_channel(learner.email, channel)
        return yes(channel=channel) if is_usable else no(channel=channel)

    def explain(self, seen: Mapping[str, Any]) -> str:
        return _("The channel %(channel)s cannot write to the learner's e-mail address.") % seen
