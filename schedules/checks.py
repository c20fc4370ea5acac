"""System checks: what `manage.py check` says before anything goes wrong at night."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from functools import wraps
from typing import Any
from uuid import UUID

from django.apps import apps
from django.conf import settings
from django.contrib.sites.models import Site
from django.core.checks import CheckMessage, Error, Tags, Warning, register  # noqa: A004 - Django's name for it
from django.template import TemplateDoesNotExist, TemplateSyntaxError
from django.template.loader import get_template

from schedules.conf import SETTINGS, conf
from schedules.exceptions import ConfigurationError
from schedules.host import get_host, site_value_problems
from schedules.message_types import message_names, message_type_problems
from schedules.message_types.gates import gate_problems
from schedules.models.collations import folding_columns
from schedules.sending.translated import FILES, template_source
from schedules.sites import default_google_analytics_id, setting_problems
from schedules.tracking.first_party import open_path
from schedules.tracking.ga4 import is_ga4
from schedules.tracking.pixel import is_universal
from schedules.unsubscribe.links import Token, page_path
from schedules.values.links import domain_problem

_WORDS = re.compile(r"schedules/edx_ace/(\w+)/email/words\.txt")


def _check(*tags: str) -> Callable[[Callable[..., Iterator[CheckMessage]]], Callable[..., list[CheckMessage]]]:
    """Registers a check that yields its messages. It ends where a setting cannot be used, for E001 says so."""

    def decorate(check: Callable[..., Iterator[CheckMessage]]) -> Callable[..., list[CheckMessage]]:
        @register(*tags)
        @wraps(check)
        def listed(**options: Any) -> list[CheckMessage]:
            found: list[CheckMessage] = []
            with suppress(ConfigurationError):
                found.extend(check(**options))
            return found

        return listed

    return decorate


@_check()
def check_settings(**_: Any) -> Iterator[CheckMessage]:
    """Keys of `SCHEDULES` that nothing reads, and values that cannot be used."""
    try:
        unknown = conf.unknown_keys().values()
    except ConfigurationError as error:
        yield Error(str(error), id="schedules.E001")
        return
    for problem in unknown:
        yield Warning(problem, hint="Correct or remove the key.", id="schedules.W001")
    for key in SETTINGS:
        try:
            getattr(conf, key.lower())
        except ConfigurationError as error:
            yield Error(str(error), id="schedules.E001")


@_check()
def check_plugins(**_: Any) -> Iterator[CheckMessage]:
    """Every message type and every gate that the settings name can be used."""
    types, gates = message_type_problems(), gate_problems()
    for problem in types:
        yield Error(problem, hint="Correct SCHEDULES['MESSAGE_TYPES'].", id="schedules.E009")
    for problem in gates:
        yield Error(problem, hint="Correct the gate, or SCHEDULES['GATES'].", id="schedules.E010")


@_check()
def check_templates(**_: Any) -> Iterator[CheckMessage]:
    """Every message name that the settings ask for has its templates, and they are correct."""
    names = message_names()
    for path, name in {f"schedules/edx_ace/{name}/email/{file}": name for name in names for file in FILES}.items():
        problem = _template_problem(path)
        if problem:
            text = f"The template {path} is not correct: {problem}"
            yield Error(text, hint="Correct the template.", id="schedules.E002")
        elif problem is None and not path.endswith("/words.txt"):  # E006 asks for the words
            yield Error(
                f"The message {name!r} has no template {path}.",
                hint="Write it, or take its message type or day out of SCHEDULES.",
                id="schedules.E002",
            )


@_check()
def check_words(**_: Any) -> Iterator[CheckMessage]:
    """Every message name that the settings ask for says words of its own, also one whose folder was copied."""
    for name in message_names():
        folder = f"schedules/edx_ace/{name}/email"
        if _template_problem(f"{folder}/words.txt") is None:
            yield Error(
                f"The message {name!r} has no words of its own: there is no template {folder}/words.txt.",
                hint="Copy that of a neighbor, such as recurringnudge_day3, and write the message's sentences.",
                id="schedules.E006",
            )
        for path in (f"{folder}/body.txt", f"{folder}/body.html"):
            for other in sorted(set(_WORDS.findall(template_source(path))) - {name}):
                yield Error(
                    f"The message {name!r} says the words of {other!r}: {path} includes them.",
                    hint='Include "schedules/edx_ace/common/message.txt" in their place; it finds the message\'s own.',
                    id="schedules.E006",
                )


@_check()
def check_host(**_: Any) -> Iterator[CheckMessage]:
    """The host can be loaded."""
    try:
        get_host()
    except ConfigurationError as error:
        yield Error(str(error), id="schedules.E003")


@_check()
def check_sites(**_: Any) -> Iterator[CheckMessage]:
    """Each site's domain is a host's name, and what the host says of each site can be used.

    While there is no database yet, or the host is away, nothing is known, and nothing is said.
    """
    for problem in setting_problems():
        yield Error(problem, hint="Correct the setting.", id="schedules.E007")
    if check_host():  # E003 says so
        return
    try:
        values = get_host().site_values()
        sites = list(Site.objects.order_by("pk"))
    except ConfigurationError as error:
        yield Error(str(error), id="schedules.E008")
        return
    except Exception:  # noqa: BLE001 - a check must not break where there is nothing to look at
        return
    for site in sites:
        for found in site_value_problems(values.get(site.pk, {})):
            hint = "Correct it where the site's values are kept."
            yield Warning(found.of(site.domain), hint=hint, id="schedules.W012")
        if problem := domain_problem(site.domain):
            yield Warning(problem, id="schedules.W013")


@_check()
def check_ace(**_: Any) -> Iterator[CheckMessage]:
    """edx-ace has a channel for our e-mails and obeys opt-outs."""
    enabled = getattr(settings, "ACE_ENABLED_CHANNELS", [])
    if conf.default_channel not in enabled:
        yield Error(
            f"ACE_CHANNEL_DEFAULT_EMAIL is {conf.default_channel!r}, ACE_ENABLED_CHANNELS is {enabled!r}.",
            hint="Name a channel, such as 'django_email', in both.",
            id="schedules.E004",
        )
    if conf.default_channel == "file_email":
        yield Warning(
            "ACE_CHANNEL_DEFAULT_EMAIL is 'file_email', which prints every message, addresses included, and makes no "
            "list of them.",
            hint="Name 'schedules_file_email' there and in ACE_ENABLED_CHANNELS.",
            id="schedules.W011",
        )
    if not apps.is_installed("edx_ace"):
        yield Error(
            "edx_ace is not installed; the e-mails use its template tags.",
            hint="Add 'edx_ace' to INSTALLED_APPS.",
            id="schedules.E005",
        )
    if "bulk_email_optout" not in getattr(settings, "ACE_ENABLED_POLICIES", []):
        yield Warning(
            "The policy 'bulk_email_optout' is not enabled.",
            hint="Add it to ACE_ENABLED_POLICIES, so that other apps' messages obey opt-outs too.",
            id="schedules.W002",
        )
    if hasattr(settings, "ACE_ENABLED_CHANNEL"):
        yield Warning(
            "ACE_ENABLED_CHANNEL is set, which nothing reads.",
            hint="The setting is ACE_ENABLED_CHANNELS.",
            id="schedules.W003",
        )


@_check()
def check_rates(**_: Any) -> Iterator[CheckMessage]:
    """Every channel whose rate is limited is one that may be used; a limit by another name would limit nothing."""
    enabled: list[str] = list(getattr(settings, "ACE_ENABLED_CHANNELS", []))
    for name in conf.messages_per_second:
        if name not in enabled:
            near = difflib.get_close_matches(name, enabled, n=1, cutoff=0)
            yield Warning(
                f"SCHEDULES['MESSAGES_PER_SECOND'] names {name!r}, which is not an enabled channel.",
                hint=f"Did you mean {near[0]!r}?" if near else "Enable it in ACE_ENABLED_CHANNELS.",
                id="schedules.W004",
            )


@_check()
def check_urls(**_: Any) -> Iterator[CheckMessage]:
    """Learners can leave; clicks and opens that are to be recorded have their pages."""
    if not page_path(Token(user_id=0, site_id=0, message_type="", language="")):
        yield Warning(
            "The project's URLs have no page to unsubscribe, so messages have no link to it.",
            hint="Add path('schedules/', include('schedules.urls')); that page alone is 'schedules.urls.unsubscribe'.",
            id="schedules.W005",
        )
    if (_is_on("track_clicks") or _is_on("track_opens")) and not open_path(UUID(int=0)):
        yield Warning(
            "The project's URLs have no pages for clicks and opens, so none is recorded.",
            hint="Add path('schedules/', include('schedules.urls')); those pages alone are 'schedules.urls.tracking'. "
            "Or set SCHEDULES['TRACK_CLICKS'] and ['TRACK_OPENS'] to False.",
            id="schedules.W009",
        )


@_check()
def check_google_analytics(**_: Any) -> Iterator[CheckMessage]:
    """The property that sites without one of their own are counted in still counts, and can be written to."""
    tracking_id = default_google_analytics_id()
    has_secret = bool(conf.lms("GOOGLE_ANALYTICS_API_SECRET", ""))
    if is_universal(tracking_id):
        yield Warning(
            f"{tracking_id!r} is a property of Universal Analytics, which stopped collecting on July 1, 2023, and for "
            "customers of Analytics 360 on July 1, 2024: opens are counted nowhere.",
            hint="Take GOOGLE_ANALYTICS_ACCOUNT and GOOGLE_ANALYTICS_TRACKING_ID out, unless a service of your own "
            "answers for www.google-analytics.com.",
            id="schedules.W006",
        )
    elif tracking_id and not is_ga4(tracking_id):
        yield Warning(
            f"{tracking_id!r} is not the id of a property in Google Analytics, which hears of no opens.",
            hint="Such an id is G-<letters and digits> or, of Universal Analytics, UA-<digits>-<digits>.",
            id="schedules.W007",
        )
    elif has_secret != bool(tracking_id) and (has_secret or _is_on("track_opens")):
        yield Warning(
            "Opens are not told to Google Analytics 4, which takes an id and a secret.",
            hint="Set both GOOGLE_ANALYTICS_ACCOUNT, as G-…, and GOOGLE_ANALYTICS_API_SECRET; or only one of them in "
            "the settings and the other in each site's values, and silence this check.",
            id="schedules.W010",
        )


@_check()
def check_segment(**_: Any) -> Iterator[CheckMessage]:
    """The write key is one that a request can carry."""
    if re.search(r"[^!-~]", conf.segment_key):
        yield Warning(
            "LMS_SEGMENT_KEY has a blank or a character that is not ASCII, so Segment hears of nothing.",
            hint="Copy the write key of the source from Segment.",
            id="schedules.W008",
        )


@_check(Tags.database)
def check_collations(databases: Collection[str] | None = None, **_: Any) -> Iterator[CheckMessage]:
    """Ids and organizations are compared byte for byte. Asks the database, so Django does only where told which."""
    for alias in databases or ():
        for model, column, collation, folds in folding_columns(alias):
            yield Warning(
                f"The column {column} of {model._meta.db_table} takes {folds} (collation {collation}), so what a "
                "learner says about one course may be taken for another's.",
                hint="Migrate, where that was not done; or give the column the collation that its migration gives it.",
                obj=model,
                id="schedules.W014",
            )


def _is_on(switch: str) -> bool:
    try:
        return bool(getattr(conf, switch))
    except ConfigurationError:  # E001 says so
        return False


def _template_problem(path: str) -> str | None:
    """What is wrong with a template; empty: nothing, `None`: there is none."""
    try:
        get_template(path)
    except TemplateDoesNotExist:
        return None
    except TemplateSyntaxError as error:
        return str(error)
    return ""
