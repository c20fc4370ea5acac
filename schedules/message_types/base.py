"""What messages of all types share: the edx-ace classes, the language and the base context."""

from __future__ import annotations

import logging
import re
import sys
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Self

import attr
from django.contrib.sites.models import Site
from django.utils import formats, timezone
from edx_ace.message import Message, MessageType
from edx_ace.recipient import Recipient

from schedules import languages, toggles
from schedules.conf import conf
from schedules.data import Course, Learner, QuietText, Run, one_line
from schedules.days import last_day
from schedules.ledger import Entry
from schedules.links import absolute_url, changed_links, site_root
from schedules.resolving import Decision, DueCourse, Resolver
from schedules.sites import SiteValues, google_analytics_id, google_analytics_secret
from schedules.tracking import TrackedMessage, first_party
from schedules.tracking.ga4 import is_ga4
from schedules.tracking.pixel import is_universal, pixel_url
from schedules.tracking.utm import utm_parameters, with_parameters
from schedules.unsubscribe import Token, page_path

#: Raised with each change of the templates that matters to those who measure them.
TEMPLATE_REVISION = 2

#: A longer name is no greeting, but room for an advertisement.
MAX_NAME_LENGTH = 64

# What a mail program makes a link of (an address of any kind, or a telephone's number), and what Sailthru fills in: no
# greeting is to carry either. A domain's labels are parted by these two dots, once it is in its simplest form (UTS 46).
_NO_NAME = re.compile(r"[@/\\:<>{}]|\w[.。]\w{2,}|\bwww\b|(?:\d[\s()+.-]*){6}", re.IGNORECASE)

# They turn the order of letters around, so that one reads what is not written (UAX 9).
_OVERRIDES = re.compile(r"[\u202a-\u202e\u2066-\u2069]")

# Nobody sees them; but some languages write names with the two joiners and with variation selectors.
_FILLERS = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
_JOINERS = frozenset(map(chr, (0x200C, 0x200D, *range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0))))


class QuietRecipient(Recipient):
    """A recipient who keeps their address to themselves: Django logs a template's whole context, at DEBUG."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}(lms_user_id={self.lms_user_id})"


#: edx-ace would sleep in the worker for as long as a message has to live; waiting is the queue's work.
MAX_NAP = timedelta(seconds=5)


class ScheduleMessage(Message):
    """A message that keeps what edx-ace reports about it: `ace.send()` itself never says why nothing was sent."""

    @property
    def expiration_time(self) -> datetime:
        """From now on, not from when it was made: edx-ace asks when a message is rendered, however long that took."""
        return timezone.now() + MAX_NAP

    @expiration_time.setter
    def expiration_time(self, _: datetime | None) -> None:
        """What edx-ace would set is not asked for."""

    def report(self, key: str, value: Any) -> None:
        self.__dict__.setdefault("reports", {})[key] = value
        self.__dict__["error"] = sys.exception()  # of an error edx-ace reports the text alone, and no cause
        super().report(key, value)

    def take_error(self) -> BaseException | None:
        """What edx-ace was handling when it last reported; its causes say what a channel met with. It is not kept.

        The frames of its traceback hold the message, and what a channel had open.
        """
        error: BaseException | None = self.__dict__.pop("error", None)
        return error

    @property
    def reports(self) -> Mapping[str, Any]:
        """Key -> value, as edx-ace reported to monitoring."""
        reports: Mapping[str, Any] = self.__dict__.get("reports", {})
        return reports


class ScheduleMessageType(MessageType):
    """A message type of this app. Its uuid is the run's, so that it becomes each message's `send_uuid`."""

    APP_LABEL = "schedules"

    @classmethod
    def for_run(cls, run: Run, **fields: Any) -> Self:
        message_type = cls(log_level=logging.DEBUG if toggles.is_debugging() else None, **fields)
        message_type.uuid = run.uuid
        return message_type

    def personalize(self, recipient: Recipient, language: str, user_context: Mapping[str, Any]) -> ScheduleMessage:
        """As edx-ace does, with options of the message's own: edx-ace would share one dict among all."""
        message = super().personalize(recipient, language, user_context)
        fields = {one.name: getattr(message, one.name) for one in attr.fields(Message) if one.init}
        return ScheduleMessage(**{**fields, "options": dict(message.options)})


def message_language(course: Course, learner: Learner, site: SiteValues) -> str:
    """The course's language, else the learner's, else the site's: the first that has a near one (SPEC 7.3)."""
    codes = (course.language, learner.language, site.get("LANGUAGE_CODE"))
    return next(filter(None, map(languages.nearest, codes)), languages.SOURCE)


def base_context(resolver: Resolver) -> dict[str, Any]:
    """What every template may use (SPEC 7.4): JSON primitives, new at each call."""
    site, domain = resolver.site_values, resolver.site.domain
    marketing_root = (site.get("MKTG_URLS") or {}).get("ROOT") if conf.is_marketing_site_enabled else ""
    social_media_urls = site.own("social_media_urls")
    if social_media_urls is None:
        social_media_urls = site.get("SOCIAL_MEDIA_FOOTER_URLS")
    return {
        "homepage_url": absolute_url(domain, str(site.own("homepage_url") or marketing_root or "")),
        "dashboard_url": absolute_url(domain, resolver.dashboard_url),
        "platform_name": one_line(str(site.get("PLATFORM_NAME") or resolver.site.name)),
        "contact_mailing_address": str(site.get("CONTACT_MAILING_ADDRESS") or ""),
        "contact_email": str(site.get("CONTACT_EMAIL") or ""),
        "logo_url": absolute_url(domain, str(logo)) if (logo := site.get("LOGO_URL")) else "",
        "social_media_urls": _whole_urls(domain, social_media_urls),
        "mobile_store_urls": _whole_urls(domain, site.get("MOBILE_STORE_URLS")),
        "template_revision": site.get("TEMPLATE_REVISION", TEMPLATE_REVISION),
        "copyright_year": site.own("copyright_year") or resolver.run.today.year,
    }


def _whole_urls(domain: str, urls: Mapping[str, Any] | None) -> dict[str, str]:
    """Those of the entries that have a URL."""
    return {key: absolute_url(domain, str(url)) for key, url in (urls or {}).items() if url}


def personal_context(site: Site, learner: Learner, courses: Sequence[DueCourse]) -> dict[str, Any]:
    """What is said to this learner, whatever the message type: their name, and the picture of a single course."""
    image_url = courses[0].course.image_url if len(courses) == 1 else None
    return {
        "learner_name": greeting_name(learner.name),
        "course_image_url": absolute_url(site.domain, image_url) if image_url else "",
    }


def greeting_name(name: str) -> str:
    """The name to greet with, in one line; empty where what was entered might be an advertisement or a placeholder.

    It is looked at as a mail program might read it: full-width letters as plain ones, and without what nobody sees.
    """
    if _OVERRIDES.search(name):
        return ""
    name = one_line("".join(letter for letter in name if letter in _JOINERS or not _is_invisible(letter)))
    read = unicodedata.normalize("NFKC", "".join(letter for letter in name if letter not in _JOINERS))
    return "" if len(name) > MAX_NAME_LENGTH or not read or _NO_NAME.search(read) else QuietText(name)


def _is_invisible(letter: str) -> bool:
    return unicodedata.category(letter) == "Cf" or letter in _FILLERS


def upsell_context(resolver: Resolver, due: DueCourse | None) -> dict[str, Any]:
    """The upgrade that is offered with a message: that of `due`, or none."""
    if due is None or not due.can_upgrade or due.links.upgrade is None:
        return {"show_upsell": False}
    return {
        "show_upsell": True,
        "upsell_course_name": due.course.name,
        "upsell_link": absolute_url(resolver.site.domain, due.links.upgrade),
        "user_schedule_upgrade_deadline_time": deadline_text(due),
    }


def deadline_text(due: DueCourse) -> str:
    """The last day of the upgrade, in the format of the language that is active."""
    deadline = due.schedule.upgrade_deadline
    return formats.date_format(last_day(deadline, conf.time_zone), "DATE_FORMAT") if deadline else ""


def unsubscribe_url(resolver: Resolver, learner: Learner, decision: Decision, language: str) -> str:
    """The page where the learner leaves, without signing in; empty where the project does not include it."""
    token = Token(
        user_id=learner.id,
        site_id=resolver.site.pk,
        message_type=resolver.key,
        language=language,
        course_ids=tuple(due.course.id for due in decision.courses),
        is_test=resolver.run.is_test,
        message_uuid=decision.entry.uuid,
    )
    path = page_path(token)
    return absolute_url(resolver.site.domain, path) if path else ""


def tracked(resolver: Resolver, entry: Entry) -> TrackedMessage:
    """The message as those who measure know it. In a test it is the learner's, too (SPEC 4.3)."""
    return TrackedMessage(
        app_label=ScheduleMessageType.APP_LABEL,
        name=entry.name,
        uuid=entry.uuid,
        send_uuid=resolver.run.uuid,
        site_domain=resolver.site.domain,
        course_ids=entry.course_ids,
    )


def tracking_context(resolver: Resolver, entry: Entry, context: Mapping[str, Any]) -> dict[str, Any]:
    """The links of `context` that lead to pages of the platform, with UTM parameters and by our redirect; and pixels.

    Links that a course's or site's own words hold stay as they were written. To leave is no click.
    """
    message = tracked(resolver, entry)
    domain, parameters = resolver.site.domain, utm_parameters(message)
    clicks = first_party.ClickLinks(message.uuid, domain)

    def counted(url: str) -> str:
        path = clicks.path(url) if conf.track_clicks else ""
        return f"{site_root(domain)}{path}" if path else url

    tagged = changed_links(context, resolver.page_links, lambda url: with_parameters(url, parameters))
    to_pages = [name for name in tagged if name != "unsubscribe_url"]
    return {
        **tagged,
        **changed_links(tagged, to_pages, counted),
        "tracking_pixel_urls": list(_pixels(resolver.site_values, message)),
    }


def _pixels(site: SiteValues, message: TrackedMessage) -> Iterator[str]:
    """Google's own, for Universal Analytics; and ours, where opens are noted or Analytics 4 is to hear of them."""
    tracking_id = google_analytics_id(site)
    if is_universal(tracking_id):
        yield pixel_url(tracking_id, message)
    is_told = is_ga4(tracking_id) and google_analytics_secret(site)
    path = first_party.open_path(message.uuid) if conf.track_opens or is_told else ""
    if path:
        yield absolute_url(message.site_domain, path)


def course_url(resolver: Resolver, due: DueCourse) -> str:
    """The course home page: no redirect in between, so that tracking parameters survive."""
    return absolute_url(resolver.site.domain, due.links.home)
