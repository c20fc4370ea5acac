"""What every message may say, whatever its type: of the site, and of the learner; and in which language."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

from django.contrib.sites.models import Site

from schedules.conf import conf
from schedules.message_types.resolver import DueCourse, Resolver
from schedules.sites import SiteValues
from schedules.values import languages
from schedules.values.data import Course, Learner
from schedules.values.links import absolute_url
from schedules.values.text import QuietText, one_line

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


def message_language(course: Course, learner: Learner, site: SiteValues) -> str:
    """The course's language, else the learner's, else the site's: the first that has a near one (behavior 7.3)."""
    codes = (course.language, learner.language, site.get("LANGUAGE_CODE"))
    return next(filter(None, map(languages.nearest, codes)), languages.SOURCE)


def base_context(resolver: Resolver) -> dict[str, Any]:
    """What every template may use (behavior 7.4): JSON primitives, new at each call."""
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
