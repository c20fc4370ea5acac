"""What the app's admin pages share."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.auth import get_user_model
from django.db import models
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from schedules.pages import CheckedAdmin, can_be_looked_up


class LargeTableAdmin(CheckedAdmin, admin.ModelAdmin):
    """A list that may grow to millions of rows: nothing is counted that nobody asked for."""

    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    list_per_page = 50

    @admin.display(description=_("learner"))
    def learner(self, row: Any) -> str:
        return str(row.user.get_username())

    def get_search_results(
        self,
        request: HttpRequest,  # noqa: ARG002 - Django's signature
        queryset: models.QuerySet[Any],
        search_term: str,
    ) -> tuple[models.QuerySet[Any], bool]:
        """What was typed is looked up as `find()` says, and completed nowhere."""
        term = search_term.strip()
        if not can_be_looked_up(term):
            return queryset.none(), False
        return (self.find(queryset, term) if term else queryset), False

    def find(self, queryset: models.QuerySet[Any], term: str) -> models.QuerySet[Any]:
        """The rows that a search for `term`, which is not empty, shows."""
        raise NotImplementedError


class ReadOnlyAdmin(LargeTableAdmin):
    """Rows that only the app writes."""

    def has_add_permission(self, request: HttpRequest) -> bool:  # noqa: ARG002 - Django's signature
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002 - Django's signature
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Not on these pages; but where a learner is deleted, their rows may go too, for those who may do that."""
        match = request.resolver_match
        own_pages = f"{self.opts.app_label}_{self.opts.model_name}_"
        if match is None or (match.url_name or "").startswith(own_pages):
            return False
        return super().has_delete_permission(request, obj)


def learners(**username_lookup: str) -> models.QuerySet[Any]:
    """The ids of the learners with such a username (`exact=`, `startswith=`), as a subquery.

    Not a join, so that the list's own indexes stay in use.
    """
    user_model = get_user_model()
    lookups = {f"{user_model.USERNAME_FIELD}__{lookup}": term for lookup, term in username_lookup.items()}
    users = user_model._default_manager
    return users.filter(**lookups).values("pk")
