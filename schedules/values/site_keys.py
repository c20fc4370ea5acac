"""The names that the app reads among a site's configuration values, and what each of them may be.

A Django setting of the same name may be the same. `None` and an empty value say nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from email.utils import getaddresses
from typing import Any, NamedTuple

from django.utils.functional import Promise

from schedules.values.addresses import is_international, sendable
from schedules.values.links import ALLOWED_LINK, is_link
from schedules.values.text import can_be_stored
from schedules.values.typed import shown


class Shape(NamedTuple):
    """What a value may be. `faults`: where in a value that is not so the fault is, and what stands there."""

    allowed: str
    faults: Callable[[Any], Iterator[tuple[str, Any]]]


ORG_FILTER = "COURSE_ORG_FILTER"

_ADDRESS = re.compile(r"[^\r\n]*[^\s@]@[^\s@]+")


def _is_text(value: Any) -> bool:
    return isinstance(value, str | Promise)


def _is_link(value: Any) -> bool:
    return _is_text(value) and is_link(str(value))


def _is_link_or_address(value: Any) -> bool:
    return _is_text(value) and is_link(str(value), or_address=True)


def _is_sender(value: Any) -> bool:
    found = [address for _, address in getaddresses([str(value)])] if _is_text(value) else []
    return len(found) == 1 and sendable(found[0]) is not None and not is_international(found[0])


def _is_org_filter(value: Any) -> bool:
    orgs = [value] if isinstance(value, str) else value
    is_list = isinstance(orgs, Collection) and not isinstance(orgs, bytes | Mapping)
    return is_list and all(isinstance(org, str) and can_be_stored(org) for org in orgs)


def _each(allowed: str, is_usable: Callable[[Any], bool]) -> Shape:
    def faults(value: Any) -> Iterator[tuple[str, Any]]:
        if not is_usable(value):
            yield "", value

    return Shape(allowed, faults)


def _mapping(allowed: str, is_usable: Callable[[Any], bool], *, only: str = "") -> Shape:
    """A mapping whose values are usable, or the one under the key `only`."""

    def faults(value: Any) -> Iterator[tuple[str, Any]]:
        if not isinstance(value, Mapping):
            yield "", value
            return
        for key, entry in value.items():
            if (
                entry not in (None, "")
                and (not only or key == only)
                and not (isinstance(key, str) and is_usable(entry))
            ):
                yield f"[{key!r}]", entry

    return Shape(allowed, faults)


_TEXT = _each("text", _is_text)
_ADDRESS_TEXT = _each("an e-mail address", lambda value: _is_text(value) and bool(_ADDRESS.fullmatch(str(value))))
_LINK = _each(ALLOWED_LINK, _is_link)
_LINKS = _mapping(f"names, each with {ALLOWED_LINK}", _is_link)
_LINKS_AND_ADDRESSES = _mapping(f"names, each with {ALLOWED_LINK} or mailto:", _is_link_or_address)
_NUMBER = _each("text or a whole number", lambda value: _is_text(value) or type(value) is int)

#: Name, in upper case -> what it may be.
SHAPES: Mapping[str, Shape] = {
    ORG_FILTER: _each("an organization or a list of them", _is_org_filter),
    "PLATFORM_NAME": _TEXT,
    "HOMEPAGE_URL": _LINK,
    "DASHBOARD_URL": _LINK,
    "LOGO_URL": _LINK,
    "MKTG_URLS": _mapping(f"names, of which ROOT has {ALLOWED_LINK}", _is_link, only="ROOT"),
    "CONTACT_MAILING_ADDRESS": _TEXT,
    "CONTACT_EMAIL": _ADDRESS_TEXT,
    "EMAIL_FROM_ADDRESS": _each("one e-mail address, ASCII to the left of the @", _is_sender),
    "UNSUBSCRIBE_ADDRESS": _ADDRESS_TEXT,
    "SOCIAL_MEDIA_URLS": _LINKS_AND_ADDRESSES,
    "SOCIAL_MEDIA_FOOTER_URLS": _LINKS_AND_ADDRESSES,
    "MOBILE_STORE_URLS": _LINKS,
    "TEMPLATE_REVISION": _NUMBER,
    "COPYRIGHT_YEAR": _NUMBER,
    "LANGUAGE_CODE": _TEXT,
    "GOOGLE_ANALYTICS_ACCOUNT": _TEXT,
    "GOOGLE_ANALYTICS_TRACKING_ID": _TEXT,
    "GOOGLE_ANALYTICS_API_SECRET": _TEXT,
}

_SITE_ONLY = {ORG_FILTER, "HOMEPAGE_URL", "DASHBOARD_URL", "SOCIAL_MEDIA_URLS", "COPYRIGHT_YEAR"}

#: The names that are Django settings too.
SETTINGS = tuple(sorted(SHAPES.keys() - _SITE_ONLY))

_SECRET = frozenset({"GOOGLE_ANALYTICS_API_SECRET"})


class Problem(NamedTuple):
    """What is wrong with a value: its name, and the rest of the sentence."""

    name: str
    problem: str

    def __str__(self) -> str:
        return f"{self.name} {self.problem}"

    def of(self, domain: str) -> str:
        """The sentence about that site."""
        return f"{self.name} of {domain} {self.problem}"


def problem(name: str, value: Any) -> Problem | None:
    """What is wrong with the value of `name`, which the app reads; `None` if nothing is."""
    shape = SHAPES[name.upper()]
    if value is None or value == "":
        return None
    fault = next(shape.faults(value), None)
    if fault is None and can_be_stored(str(value) if isinstance(value, Promise) else value):
        return None
    place, found = fault or ("", value)
    what = "(hidden)" if name.upper() in _SECRET else shown(found)
    more = "" if fault else ", without NUL and halves of characters"
    return Problem(f"{name}{place}", f"is {what}; give {shape.allowed}{more}.")


def problems(values: Any, names: Collection[str] = SHAPES.keys()) -> list[Problem]:
    """What is wrong with a site's configuration values, those of these names. Empty when all is well."""
    if not isinstance(values, Mapping):
        return [Problem("The configuration", f"is {shown(values)}; it must map names to values.")]
    # A name is read in lower or in upper case.
    read = {spelled for name in names for spelled in (name.lower(), name)}
    return [found for key, value in values.items() if key in read and (found := problem(key, value))]


def organizations(values: Any) -> frozenset[str]:
    """The organizations that a site's values claim; of a claim that cannot be used, those that can be read in it."""
    claims = [values.get(name) for name in (ORG_FILTER.lower(), ORG_FILTER)] if isinstance(values, Mapping) else []
    claimed = next(filter(None, claims), ())
    orgs = [claimed] if isinstance(claimed, str) else claimed if isinstance(claimed, Collection) else ()
    return frozenset(org for org in orgs if isinstance(org, str) and can_be_stored(org))
