"""Which gates a message of some type passes: those of all, its type's own, and the host's."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from typing import Any

from django.utils.functional import Promise

from schedules.conf import cached_until, conf
from schedules.exceptions import ConfigurationError
from schedules.gates import FOR_ALL, Gate
from schedules.message_types.importing import imported
from schedules.message_types.registry import usable_resolvers
from schedules.message_types.resolver import Resolver
from schedules.models import ScheduledMessage
from schedules.values.outcomes import FailReason, SkipReason

_REASON = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_MAX_REASON_CHARACTERS = ScheduledMessage._meta.get_field("reason").max_length or 0
#: Reasons that no gate may have, for the app gives them by itself.
_WITHOUT_GATE = {
    *FailReason,
    SkipReason.EXPIRED,
    SkipReason.NO_LONGER_DUE,
    SkipReason.POLICY,
    SkipReason.MESSAGE_TYPE_GONE,
}


def gates_of(resolver: type[Resolver]) -> list[Gate]:
    """In their order. Raises `ConfigurationError` where a gate of the settings or of a type cannot be used."""
    for problem in gate_problems():
        raise ConfigurationError(problem)
    hosts = [gate for gate in _of_host()[0] if not gate.message_types or resolver.key in gate.message_types]
    return [*FOR_ALL, *resolver.gates, *hosts]


def all_gates() -> dict[str, Gate]:
    """Reason -> gate: all that can be used, whatever the message type. Never raises for what the settings name."""
    try:
        hosts = _of_host()[0]
    except ConfigurationError:  # the setting itself is wrong; E001 says so
        hosts = []
    return {gate.reason: gate for gate in (*FOR_ALL, *_of_types()[0], *hosts)}


def gate_problems() -> list[str]:
    """What is wrong with the gates of the settings and of message types, a sentence each."""
    return [*_of_host()[1], *_of_types()[1]]


@cached_until("SCHEDULES")
def _of_types() -> tuple[list[Gate], list[str]]:
    """The gates of message types, which may share them, and a sentence on each that cannot be used."""
    gates = [gate for resolver in usable_resolvers().values() for gate in resolver.gates]
    return _sorted_out(gates, FOR_ALL, _WITHOUT_GATE)


@cached_until("SCHEDULES")
def _of_host() -> tuple[list[Gate], list[str]]:
    """The gates that `SCHEDULES["GATES"]` names, and a sentence on each that cannot be used."""
    made: list[Gate] = []
    problems: list[str] = []
    for path in conf.gates:
        try:
            gate = imported("GATES", path, Gate)  # type: ignore[type-abstract]
            if missing := sorted(getattr(gate, "__abstractmethods__", ())):
                problems.append(f"The gate {path} says nothing about {', '.join(missing)}.")
                continue
            made.append(gate())
        except ConfigurationError as error:
            problems.append(str(error))
        except Exception as error:  # noqa: BLE001 - whatever a host's code raises
            problems.append(f"SCHEDULES['GATES'] names {path!r}, which cannot be created: {type(error).__name__}.")
    found, more = _sorted_out(made, (*FOR_ALL, *_of_types()[0]), {*SkipReason, *FailReason})
    return found, [*problems, *more]


def _sorted_out(
    gates: Iterable[Gate], others: Iterable[Gate], reserved: Collection[str]
) -> tuple[list[Gate], list[str]]:
    """Those that can be used, and a sentence on each that cannot. A reason belongs to one class."""
    taken = {gate.reason: type(gate) for gate in others}
    found: list[Gate] = []
    problems: list[str] = []
    for gate in gates:
        problem = _problem(gate)
        if not problem and (gate.reason in reserved or taken.get(gate.reason, type(gate)) is not type(gate)):
            problem = _taken(gate, taken.get(gate.reason))
        if problem:
            problems.append(f"The gate {type(gate).__module__}.{type(gate).__qualname__} {problem}")
        else:
            taken[gate.reason] = type(gate)
            found.append(gate)
    return found, problems


def _problem(gate: Gate) -> str:
    """What keeps a gate from being used, the rest of a sentence about it; empty when nothing does."""
    try:
        return _texts_problem(gate) or _types_problem(gate)
    except Exception as error:  # noqa: BLE001 - whatever a host's class raises when it is asked
        return f"cannot be used: {type(error).__name__}: {error}"


def _texts_problem(gate: Gate) -> str:
    reason = getattr(gate, "reason", None)
    if not (isinstance(reason, str) and _REASON.fullmatch(reason) and len(reason) <= _MAX_REASON_CHARACTERS):
        return (
            f"has the reason {reason!r}; give words of small letters and digits, with hyphens between them, "
            f"{_MAX_REASON_CHARACTERS} characters at most."
        )
    missing = [name for name in ("summary", "remedy") if not _is_text(getattr(gate, name, None))]
    return f"says nothing about {' and '.join(missing)}." if missing else ""


def _is_text(value: Any) -> bool:
    return isinstance(value, str | Promise) and bool(str(value).strip())


def _types_problem(gate: Gate) -> str:
    is_silent, look = getattr(gate, "is_silent", None), getattr(gate, "look", None)
    if not (isinstance(is_silent, bool) and callable(look)):
        return f"has is_silent {is_silent!r} and look {look!r}; give True or False, and a method."
    keys: Any = gate.message_types
    if not isinstance(keys, tuple | list | set | frozenset):
        return f"has the message_types {keys!r}; give a tuple of keys of message types."
    unknown = [key for key in keys if key not in usable_resolvers()]
    known = ", ".join(usable_resolvers())
    return f"is about the message type {unknown[0]!r}. Message types: {known}." if unknown else ""


def _taken(gate: Gate, by: type[Gate] | None) -> str:
    whose = f"{by.__module__}.{by.__qualname__} has" if by else "the app uses"
    return f"has the reason {gate.reason!r}, which {whose} already; give it one of its own."
