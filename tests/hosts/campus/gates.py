from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from schedules.messages import Gate, no, yes
from tests.hosts.campus.models import PartnerLearner


class NotAPartners(Gate):
    """Does not write to learners of partner X."""

    reason = "partners-learner"
    summary = gettext_lazy("The learner's partner writes to them itself.")
    remedy = gettext_lazy("Remove the learner from the partner's list.")

    def read(self, facts):
        rows = PartnerLearner.objects.filter(user_id__in=facts.user_ids)
        return dict(rows.values_list("user_id", "partner"))

    def look(self, due, facts, clock):
        partner = facts.read(self).get(due.user_id)
        return no(partner=partner) if partner else yes()

    def explain(self, seen):
        return _("%(partner)s writes to this learner itself.") % seen
