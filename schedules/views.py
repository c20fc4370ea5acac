"""What a monitor asks, the page where learners leave, and what notes clicks and opens.

Not there unless the project includes `schedules.urls`. Nobody has to sign in: the tokens in the URLs say who it is.
"""

from __future__ import annotations

import base64
import logging
from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from django.contrib.auth.decorators import login_not_required
from django.contrib.sites.models import Site
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect, JsonResponse
from django.shortcuts import render
from django.urls import is_valid_path
from django.utils import timezone, translation
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_safe

from schedules.conf import conf
from schedules.exceptions import ConfigurationError, redacted_traceback
from schedules.host import get_host
from schedules.ledger.status import site_status
from schedules.message_types import usable_resolvers
from schedules.pages import secured
from schedules.sending import tasks
from schedules.sites import dashboard_url, site_at, site_values
from schedules.tracking import engagement, first_party
from schedules.unsubscribe.choices import Choice, Choices, Link
from schedules.values import languages
from schedules.values.data import Engagement
from schedules.values.text import without_addresses

log = logging.getLogger(__name__)

_NO_ROBOTS = "noindex, nofollow"

#: A GIF of one transparent pixel.
_PIXEL = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")


@secured()
@login_not_required
@never_cache
@require_safe
def health(request: HttpRequest, site_domain: str) -> JsonResponse:  # noqa: ARG001 - Django's signature
    """As `schedules_status --json`: 200 when all is well, 503 with `problems`, 404 for a site that is not there."""
    try:
        conf.validate()
        site = site_at(site_domain)
        if site is None:
            return JsonResponse({"problems": ["There is no such site."]}, status=404)
        with translation.override(languages.SOURCE):  # programs read it
            status = site_status(site, timezone.now(), usable_resolvers())
    except ConfigurationError as error:  # anybody may read this page; what is wrong is for the log
        log.error("The health page cannot answer: %s", without_addresses(str(error)))
        return JsonResponse({"problems": ["The settings cannot be used; manage.py check says why."]}, status=503)
    return JsonResponse(status.as_dict(), status=503 if status.problems else 200)


# A mail client posts without cookies or a CSRF token (RFC 8058, 3.2). What a forger lacks is the signed token in the
# URL, and the page knows of no session. What the host does about a wish is no part of its transaction: the wish stands.
@secured("schedules/unsubscribe/styles.css")
@login_not_required
@transaction.non_atomic_requests
@csrf_exempt
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def unsubscribe(request: HttpRequest, token: str) -> HttpResponse:
    """Where a learner stops e-mails and takes that back. Looking changes nothing: mail scanners follow links.

    A POST does what it says; one click (RFC 8058), which says nothing of ours, ends the link's message type.
    A link that is not ours, and one whose learner or site is no more, get the same page with status 400.
    """
    link = Link.of(token)
    if link is None:
        return _unsubscribe_page(request, "no_link", {}, status=400)
    with translation.override(link.language):
        context = _act(link, request) if request.method == "POST" else {"choices": link.choices()}
        if context is None:
            return _unsubscribe_page(request, "no_link", {}, status=400)
        return _unsubscribe_page(request, "choices", {"link": link, **context})


def _act(link: Link, request: HttpRequest) -> dict[str, Any] | None:
    """Do what was posted; returns what to say of it, or `None` if the link has no such choice."""
    posted = request.POST
    is_one_click = "List-Unsubscribe" in posted or not ("stop" in posted or "again" in posted)
    is_wanted = not is_one_click and "again" in posted
    value = f":{link.token.message_type}" if is_one_click else posted["again" if is_wanted else "stop"]
    choice = link.choices().find(value)
    if choice is None:
        return None
    link.choose(choice, is_wanted=is_wanted, now=timezone.now())
    choices = link.choices()
    choice = choices.find(value) or choice
    return {"result": _result(link, choice, choices, is_wanted), "choice": choice, "choices": choices}


def _result(link: Link, choice: Choice, choices: Choices, is_wanted: bool) -> str:
    """How it ended: a word that the template knows."""
    if link.token.is_test:
        return "test"
    if not is_wanted:
        return "stopped"
    if choices.all.is_stopped and choice.value != choices.all.value:
        return "all"
    return "hosts" if choice.is_hosts else "again"


def _unsubscribe_page(request: HttpRequest, name: str, context: dict[str, Any], status: int = 200) -> HttpResponse:
    """A page that no search engine lists. Its address is a key, which goes to no other site, either."""
    response = render(request, f"schedules/unsubscribe/{name}.html", context, status=status)
    response["X-Robots-Tag"] = _NO_ROBOTS
    response["Content-Language"] = translation.get_language()
    return response


class Afterwards(HttpResponseBase):
    """A response that does something once the web server has passed all of it on: then nobody waits any more.

    It does so when it is closed, before Django gives back the connection to the database.
    """

    act: Callable[[], None] | None = None

    def close(self) -> None:
        act, self.act = self.act, None
        try:
            if act is not None:
                act()
        finally:
            super().close()


class RedirectAndRecord(Afterwards, HttpResponseRedirect):
    """On to a page; what that means for a message is recorded afterwards."""


class PixelAndRecord(Afterwards, HttpResponse):
    """A picture; likewise."""


# An answer has gone out before its hit is recorded, which is no part of any transaction of the request's.
@secured()
@login_not_required
@transaction.non_atomic_requests
@never_cache
@require_safe
def click(request: HttpRequest, token: str, page_path: str) -> HttpResponse:
    """On to the page that a link in a message leads to, by way of the ledger.

    A token that is not ours, or damaged, counts for nothing and still leads on, to a page of this site alone: the one
    that the link names, or the dashboard where that is none. So nobody can make of it a link to elsewhere.
    """
    found = first_party.read_click(token)
    path = first_party.landing_path(page_path)
    query = f"?{query}" if (query := request.META.get("QUERY_STRING")) else ""
    if found is None and not is_valid_path(path, getattr(request, "urlconf", None)):
        path, query = _dashboard_url(request), ""
    response = RedirectAndRecord(f"{found.origin if found else ''}{path}{query}")
    response["X-Robots-Tag"] = _NO_ROBOTS
    if found and not _is_guess(request):
        response.act = partial(_record, found.uuid, Engagement.CLICKED, timezone.now())
    return response


@secured()
@login_not_required
@transaction.non_atomic_requests
@never_cache
@require_safe
def open_pixel(request: HttpRequest, token: str) -> HttpResponse:
    """The pixel of a message, also for a token that is not ours: mail programs would show a broken picture."""
    response = PixelAndRecord(_PIXEL, content_type="image/gif")
    response["X-Robots-Tag"] = _NO_ROBOTS
    found = first_party.read_open(token)
    if found and not _is_guess(request):
        response.act = partial(_record, found.uuid, Engagement.OPENED, timezone.now())
    return response


def _dashboard_url(request: HttpRequest) -> str:
    """Of the site that was visited, else of the first; the root where nobody can say."""
    site = site_at(request.get_host()) or Site.objects.order_by("pk").first()
    try:
        return dashboard_url(get_host(), site_values(get_host(), site)) if site else "/"
    except Exception as error:  # noqa: BLE001 - a host may raise anything, and the learner is to land somewhere
        log.error(
            "A click leads to the first page, for the host does not name the dashboard: %s", redacted_traceback(error)
        )
        return "/"


def _record(uuid: UUID, action: Engagement, now: datetime) -> None:
    """Also while the database is away: the queue has the time that a web server's worker has not."""
    if not engagement.record(uuid, action, now):
        try:
            tasks.record_engagement_later(uuid, action, now)
        except Exception as error:  # noqa: BLE001 - the broker may be away too
            log.error("Message %s was %s, which could not be recorded: %s", uuid, action, redacted_traceback(error))


def _is_guess(request: HttpRequest) -> bool:
    """Whether nobody has asked for it yet: a program looks whether it is there, or fetches it in advance."""
    purpose = request.headers.get("Sec-Purpose", request.headers.get("Purpose", ""))
    return request.method == "HEAD" or "prefetch" in purpose
