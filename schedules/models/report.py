"""Reports: no table of their own, but a place in the admin and a permission."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from schedules.models.ledger import SendRun


class Report(SendRun):
    """Lets “Reports” stand in the admin's index, for those who have the permission to view them.

    Personal data: none.
    """

    class Meta:
        proxy = True
        default_permissions = ("view",)
        verbose_name = _("report")
        verbose_name_plural = _("reports")
