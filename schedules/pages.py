"""What all pages of the app have in common, those of a host too that wants it: what they refuse to look up.

No text of a URL reaches the database that some database refuses, or that is longer than any text there.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain
from typing import Any

from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse

from schedules.data import can_be_stored

__all__ = ["MAX_CHARACTERS", "CheckedAdmin", "can_be_looked_up", "can_be_stored", "check_input"]

#: Longer texts of a URL are looked up nowhere: SQLite compares no patterns of 50,000 characters, and Python reads no
#: numbers of more than 4,300 digits.
MAX_CHARACTERS = 2_000


def can_be_looked_up(text: str) -> bool:
    """Whether a database may be asked about a text that came from outside."""
    return len(text) <= MAX_CHARACTERS and can_be_stored(text)


def check_input(request: HttpRequest, *texts: Any) -> None:
    """Raises `Http404` for a query, or one of `texts`, that cannot be looked up."""
    query: Iterable[str] = chain.from_iterable((name, *values) for name, values in request.GET.lists())
    if not all(can_be_looked_up(text) for text in (*texts, *query) if isinstance(text, str)):
        raise Http404("There is no such page.")


#: As a type, its attributes would clash with those of whatever it is mixed into.
_ModelAdmin: Any = object


class CheckedAdmin(_ModelAdmin):
    """Mixed into an admin, before `ModelAdmin`: its pages and searches look up nothing that cannot be."""

    def changelist_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        check_input(request, *chain.from_iterable(values for _, values in request.POST.lists()))
        try:
            response: HttpResponse = super().changelist_view(request, *args, **kwargs)
        except OverflowError as error:  # Django's drill-down by date asks for the day after the calendar's last
            raise Http404("There is no such day.") from error
        return response

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        check_input(request, *args, *kwargs.values())
        response: HttpResponse = super().changeform_view(request, *args, **kwargs)
        return response

    def delete_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        check_input(request, *args, *kwargs.values())
        response: HttpResponse = super().delete_view(request, *args, **kwargs)
        return response

    def history_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        check_input(request, *args, *kwargs.values())
        response: HttpResponse = super().history_view(request, *args, **kwargs)
        return response

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Of the fields that complete what is typed, too."""
        if not can_be_looked_up(search_term):
            return queryset.none(), False
        found: tuple[QuerySet[Any], bool] = super().get_search_results(request, queryset, search_term)
        return found
