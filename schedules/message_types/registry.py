"""The message types there are: those that `SCHEDULES["MESSAGE_TYPES"]` names, in that order."""

from __future__ import annotations

import re

from django.contrib.sites.models import Site
from django.utils.functional import Promise

from schedules.conf import cached_until, conf
from schedules.database.transient import outlasting
from schedules.exceptions import ConfigurationError
from schedules.gates import Gate
from schedules.message_types.importing import imported
from schedules.message_types.resolver import Resolver
from schedules.models import ScheduledMessage, SendRun
from schedules.values.data import ExperienceType
from schedules.values.rules import MAX_DAYS
from schedules.values.runs import Run

_KEY = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
_MAX_KEY_CHARACTERS = SendRun._meta.get_field("message_type").max_length or 0
_NAME = re.compile(r"[a-z][a-z0-9_]*")
_MAX_NAME_CHARACTERS = ScheduledMessage._meta.get_field("name").max_length or 0
_DATE_FIELDS = ("start_date", "upgrade_deadline")
#: What a class says as a tuple, and what that holds.
_TUPLES = {"experiences": ExperienceType, "gates": Gate, "placeholders": str, "page_links": str}


class MessageTypeGoneError(ConfigurationError):
    """No setting names a message type of that key (any more)."""


def resolvers() -> dict[str, type[Resolver]]:
    """Key -> resolver class, in the order of the settings. Raises `ConfigurationError` where one cannot be used."""
    for problem in message_type_problems():
        raise ConfigurationError(problem)
    return usable_resolvers()


def usable_resolvers() -> dict[str, type[Resolver]]:
    """Those that can be used, whatever is wrong with others: for pages, which must not fail for them."""
    try:
        return _load()[0]
    except ConfigurationError:  # the setting itself is wrong; E001 says so
        return {}


def message_type_problems() -> list[str]:
    """What is wrong with the message types of the settings, a sentence each."""
    return _load()[1]


def resolver_for(key: str) -> type[Resolver]:
    """The resolver of one message type. Raises `MessageTypeGoneError` that names those there are."""
    try:
        return resolvers()[key]
    except KeyError:
        known = ", ".join(resolvers()) or "none"
        raise MessageTypeGoneError(f"There is no message type {key!r}. Message types: {known}.") from None


@outlasting
def resolver_of(run: Run) -> Resolver:
    """The resolver of a run, for its site. Raises as `resolver_for()`, and what the site or the host is refused by."""
    return resolver_for(run.message_type)(run, Site.objects.get(pk=run.site_id))


def messages() -> dict[str, tuple[type[Resolver], int]]:
    """Message name -> its resolver class and a day offset at which it is due, also if no setting asks for it."""
    found: dict[str, tuple[type[Resolver], int]] = {}
    for resolver in usable_resolvers().values():
        for offset in (*resolver.day_offsets(), *resolver.further_day_offsets):
            found.setdefault(resolver.message_name(offset), (resolver, offset))
    return found


def message_names() -> list[str]:
    """Every message name that the settings ask for; each needs templates."""
    return sorted(
        {resolver.message_name(offset) for resolver in resolvers().values() for offset in resolver.day_offsets()}
    )


@cached_until("SCHEDULES")
def _load() -> tuple[dict[str, type[Resolver]], list[str]]:
    found: dict[str, type[Resolver]] = {}
    names: dict[str, str] = {}
    problems: list[str] = []
    for path in conf.message_types:
        try:
            resolver = imported("MESSAGE_TYPES", path, Resolver)  # type: ignore[type-abstract]
            problem = _problem(path, resolver, found, names)
        except ConfigurationError as error:
            problem = str(error)
        except Exception as error:  # noqa: BLE001 - whatever a host's class raises when it is asked
            problem = f"The message type {path} cannot be used: {type(error).__name__}: {error}"
        if problem:
            problems.append(problem)
            continue
        found[resolver.key] = resolver
        names |= dict.fromkeys(_names(resolver), resolver.key)
    return found, problems


def _problem(path: str, resolver: type[Resolver], found: dict[str, type[Resolver]], names: dict[str, str]) -> str:
    """What keeps a message type from being used; empty when nothing does."""
    missing = [name for name in ("key", "label", "title") if not hasattr(resolver, name)]
    missing += sorted(getattr(resolver, "__abstractmethods__", ()))
    if missing:
        return f"The message type {path} says nothing about {', '.join(missing)}."
    key = resolver.key
    if not (isinstance(key, str) and _KEY.fullmatch(key) and len(key) <= _MAX_KEY_CHARACTERS):
        return (
            f"The message type {path} has the key {key!r}; give small letters and digits, with single underscores "
            f"between words, {_MAX_KEY_CHARACTERS} characters at most."
        )
    if key in found:
        other = f"{found[key].__module__}.{found[key].__qualname__}"
        return f"The message type {path} has the key {key!r}, which {other} has already."
    # Each says the rest of the sentence.
    problem = _texts_problem(resolver) or _offsets_problem(resolver) or _names_problem(resolver, names)
    return f"The message type {key!r} {problem}" if problem else ""


def _texts_problem(resolver: type[Resolver]) -> str:
    if resolver.date_field not in _DATE_FIELDS:
        return f"counts from {resolver.date_field!r}; give {' or '.join(_DATE_FIELDS)}."
    for name in ("label", "title"):
        text = getattr(resolver, name)
        if not (isinstance(text, str | Promise) and str(text).strip()):
            return f"has the {name} {text!r}; give a text that is not empty."
    for name, cls in _TUPLES.items():
        values = getattr(resolver, name)
        if not (isinstance(values, tuple | list) and all(isinstance(value, cls) for value in values)):
            return f"has the {name} {values!r}; give a tuple of instances of {cls.__name__}."
    return ""


def _offsets_problem(resolver: type[Resolver]) -> str:
    offsets = resolver.day_offsets()
    for name, days in (("day offsets", offsets), ("further day offsets", resolver.further_day_offsets)):
        if not (isinstance(days, tuple | list) and all(map(_is_offset, days)) and len(set(days)) == len(days)):
            return f"has the {name} {days!r}; give a tuple of different whole numbers from -{MAX_DAYS} to {MAX_DAYS}."
    if not offsets:
        return f"The message type {resolver.key!r} has no day offsets; give one at least, such as (-1,)."
    if 0 in offsets and resolver.date_field == "start_date":
        return (
            "is due on the day of the start (day offset 0): whoever enrolls after that day's run would never get it. "
            "Give -1, the day after."
        )
    return ""


def _is_offset(value: object) -> bool:
    return type(value) is int and -MAX_DAYS <= value <= MAX_DAYS


def _names_problem(resolver: type[Resolver], names: dict[str, str]) -> str:
    for name in _names(resolver):
        if not (isinstance(name, str) and _NAME.fullmatch(name) and len(name) <= _MAX_NAME_CHARACTERS):
            return (
                f"has the message name {name!r}; give small letters, digits and underscores, "
                f"{_MAX_NAME_CHARACTERS} characters at most."
            )
        if name in names:
            return f"has the message name {name!r}, which {names[name]!r} has already; give it one of its own."
    return ""


def _names(resolver: type[Resolver]) -> list[str]:
    offsets = (*resolver.day_offsets(), *resolver.further_day_offsets)
    return list(dict.fromkeys(resolver.message_name(offset) for offset in offsets))
