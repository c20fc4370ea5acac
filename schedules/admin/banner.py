"""What somebody must look at, on top of the pages where staff look anyway."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.sites.models import Site
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _

from schedules.exceptions import ConfigurationError
from schedules.ledger.status import site_statuses
from schedules.message_types import usable_resolvers

#: As a type, its attributes would clash with those of whatever it is mixed into.
_ModelAdmin: Any = admin.ModelAdmin


class StatusBanner(_ModelAdmin):
    """Mixed into an admin: its list begins with each site's problems, for whoever may view the list."""

    change_list_template: Any = "admin/schedules/with_banner/change_list.html"

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        is_shown = self.has_view_or_change_permission(request)
        context = {"site_problems": site_problems() if is_shown else [], **(extra_context or {})}
        response: HttpResponse = super().changelist_view(request, context)
        return response


def site_problems() -> list[tuple[str, tuple[str, ...]]]:
    """(domain, problems) of each site that has any, by domain. A fixed number of queries."""
    try:
        statuses = site_statuses(list(Site.objects.order_by("domain")), timezone.now(), usable_resolvers())
    except ConfigurationError as error:
        return [(_("Settings"), (str(error),))]
    return [(status.site, status.problems) for status in statuses.values() if status.problems]
