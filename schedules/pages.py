"""What pages of the app have in common, and those of a host that wants it: what they refuse, and what they may do.

No text of a URL reaches the database that some database refuses, or that is longer than any text there. A page loads
and runs nothing but its own, is framed nowhere, and tells no other site where its reader was.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterable
from functools import wraps
from itertools import chain
from typing import Any

from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.template.loader import render_to_string

from schedules.values.text import can_be_stored

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


View = Callable[..., HttpResponseBase]

#: For pages of the admin that show a message: its styles stand in its elements, its pictures anywhere on the web.
STAFF_POLICY = (
    "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: https:; object-src 'none'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)


def policy(*, styles: str = "", script: str = "", more: str = "frame-ancestors 'none'; form-action 'self'") -> str:
    """The Content Security Policy of a page by itself (https://www.w3.org/TR/CSP3/).

    `styles` and `script` name the templates whose text, as it stands, is the page's element `<style>` or `<script>`.
    `more`: the directives that a page in a file has no use for, or others.
    """
    parts = ["default-src 'none'", "img-src 'self' data:", "font-src 'self'", "base-uri 'none'"]
    parts += [f"style-src 'self' {_hash(styles)}"] if styles else []
    parts += [f"script-src {_hash(script)}"] if script else []
    return "; ".join([*parts, *filter(None, [more])])


def _hash(template: str) -> str:
    digest = hashlib.sha256(render_to_string(template).encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def set_headers(response: HttpResponseBase, content_policy: str, referrer_policy: str = "no-referrer") -> None:
    """The headers of a page that is nobody else's business. What its view set stays.

    Django takes a form of a page with `no-referrer` for forged, unless a `<meta>` of the page says `same-origin`.
    """
    response.headers.setdefault("Content-Security-Policy", content_policy)
    response.headers.setdefault("Referrer-Policy", referrer_policy)
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    response.headers.setdefault("X-Frame-Options", "DENY")


def secured(styles: str = "") -> Callable[[View], View]:
    """Decorates a view of a page for learners; `styles` as `policy()` has it."""

    def decorate(view: View) -> View:
        @wraps(view)
        def secured_view(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            response = view(request, *args, **kwargs)
            set_headers(response, policy(styles=styles))
            return response

        return secured_view

    return decorate


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
        except ValueError as error:  # and a filter for a year that no calendar has
            if not any(name.endswith("__year") for name in request.GET):
                raise
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
