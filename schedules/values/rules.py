"""What a key of `SCHEDULES` is: its default, the rule that its value has to keep, and what it means."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar, overload
from urllib.parse import urlsplit

import pytz
from django.conf import settings
from django.utils.crypto import salted_hmac
from pytz.tzinfo import BaseTzInfo

from schedules.exceptions import ConfigurationError

T = TypeVar("T")

#: A day that is further from today may lie outside of the calendar.
MAX_DAYS = 10_000

#: The last week of a course that may be sent.
MAX_WEEKS = 520


def own_settings() -> Mapping[str, Any]:
    own = getattr(settings, "SCHEDULES", {})
    if not isinstance(own, Mapping):
        raise ConfigurationError(f"SCHEDULES is {own!r}; give a dict.")
    return own


@dataclass(frozen=True, slots=True)
class Rule(Generic[T]):
    """What a value has to be: `allowed` says it, `accepts` sees it. `made`: what the app gets of it, if not itself."""

    allowed: str
    accepts: Callable[[Any], bool]
    made: Callable[[Any], T] | None = None


class Setting(Generic[T]):
    """One key of `SCHEDULES`.

    `unit`: of numbers; `doc`: what it means, in reStructuredText; one that is secret is never shown.
    Raises `ConfigurationError`, when it is read, for a value that cannot be used.
    """

    def __init__(self, default: Any, rule: Rule[T], doc: str, *, unit: str = "", is_secret: bool = False) -> None:
        self.default, self.rule, self.doc, self.unit, self.is_secret = default, rule, doc, unit, is_secret
        self.key = ""

    def __set_name__(self, owner: type, name: str) -> None:
        self.key = name.upper()

    @overload
    def __get__(self, instance: None, owner: type) -> Setting[T]: ...
    @overload
    def __get__(self, instance: object, owner: type) -> T: ...
    def __get__(self, instance: object | None, owner: type) -> Setting[T] | T:
        if instance is None:
            return self
        value = own_settings().get(self.key, self.default)
        if not self.rule.accepts(value):
            shown = "(hidden)" if self.is_secret else repr(value)
            raise ConfigurationError(f"SCHEDULES[{self.key!r}] is {shown}; allowed: {self.rule.allowed}.")
        made: T = self.rule.made(value) if self.rule.made else value
        return made


# Rules --------------------------------------------------------------------------------------------


def number(least: int = 1, most: int = 10_000_000) -> Rule[int]:
    return Rule(f"a whole number from {least} to {most}", lambda value: type(value) is int and least <= value <= most)


def _is_web_url(value: Any) -> bool:
    try:
        parts = urlsplit(value)
    except (AttributeError, TypeError, ValueError):
        return False
    labels = (parts.hostname or "").rstrip(".").split(".")
    return isinstance(value, str) and parts.scheme in ("http", "https") and all(0 < len(label) < 64 for label in labels)


def _are_different(rule: Callable[[Any], bool]) -> Callable[[Any], bool]:
    def are(values: Any) -> bool:
        return isinstance(values, list | tuple) and all(map(rule, values)) and len(set(values)) == len(values)

    return are


def _by_name(rule: Callable[[Any], bool]) -> Callable[[Any], bool]:
    def are(values: Any) -> bool:
        return isinstance(values, Mapping) and all(isinstance(key, str) and rule(values[key]) for key in values)

    return are


def _is_path(value: Any) -> bool:
    return isinstance(value, str) and "." in value


def _derived_salt(salt: str) -> str:
    return salt or salted_hmac("schedules.hold_back", "salt", algorithm="sha256").hexdigest()


_DAY = number(most=MAX_DAYS)

PATH: Rule[str] = Rule("a dotted path to a class", _is_path)
PATHS: Rule[tuple[str, ...]] = Rule("a list of different dotted paths to classes", _are_different(_is_path), tuple)
SWITCH: Rule[bool] = Rule("True or False", lambda value: isinstance(value, bool))
WEB_URL: Rule[str] = Rule("a URL that begins with https:// or http://", _is_web_url)
DAYS: Rule[tuple[int, ...]] = Rule(
    f"a list of different whole numbers from 1 to {MAX_DAYS}", _are_different(_DAY.accepts), tuple
)
ZONE: Rule[BaseTzInfo] = Rule(
    "a name in pytz.all_timezones",
    lambda name: isinstance(name, str) and name in pytz.all_timezones_set,
    pytz.timezone,
)
RATE: Rule[Mapping[str, float]] = Rule(
    "names of channels, each with a number from 0.001 to 10000",
    _by_name(lambda rate: type(rate) in (int, float) and 0.001 <= rate <= 10_000),
)
DAYS_BY_TYPE: Rule[Mapping[str, int]] = Rule(
    f"a dict of message types and whole numbers from 1 to {MAX_DAYS}", _by_name(_DAY.accepts)
)
SHARE: Rule[float] = Rule("a number from 0 to 1", lambda share: type(share) in (int, float) and 0 <= share <= 1, float)
DIRECTORY: Rule[Path] = Rule("the path of a directory", lambda path: isinstance(path, str | Path) and bool(path), Path)
SCHEME: Rule[str] = Rule("'https' or 'http'", lambda value: value in ("https", "http"))
SALT: Rule[str] = Rule("text", lambda value: isinstance(value, str), _derived_salt)
