"""Each field of a host's value is what its annotation says: looked at once, where the value is made."""

from __future__ import annotations

import dataclasses
import functools
import types
import typing
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from django.utils.functional import Promise

from schedules.exceptions import HostError
from schedules.values.links import ALLOWED_LINK, is_link

_IDS = ("id", "user_id", "course_id")
_MAX_SHOWN = 60


class WrongTypeError(Exception):
    """The value is not of the type that was asked for."""


def check_fields(value: object) -> None:
    """Look at every field of a frozen dataclass, in its `__post_init__`. Raises `HostError` that names the field.

    A lazily translated text becomes text, and a text that claims to be safe HTML a plain one. Of a field, `metadata`
    may say: `if_none`, what stands for `None`; `is_link`; `is_personal`, and then no error shows what it was.
    """
    for name, exact, convert, allowed in _fields_of(type(value)):  # type: ignore[arg-type] # a class is hashable
        found = getattr(value, name)
        if type(found) in exact:
            continue
        try:
            object.__setattr__(value, name, convert(found))
        except WrongTypeError:
            raise HostError(f"{_subject(value)}: {name} is {_shown(value, name)}; give {allowed}.") from None


def as_text(value: Any) -> str:
    """Text as nothing but text. Raises `WrongTypeError` for what is none."""
    if isinstance(value, Promise):
        value = str(value)
    if isinstance(value, str):
        return str.__str__(value)  # `str()` would leave a `SafeString` as it is
    raise WrongTypeError


def shown(value: Any) -> str:
    """A value as an error shows it, cut where it is long."""
    text = repr(value)
    return text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}…"


class _Field(NamedTuple):
    """A field; values that are `exact`ly of these types need no further look."""

    name: str
    exact: frozenset[type]
    convert: Callable[[Any], Any]
    allowed: str


def _as_number(value: Any) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return int(value)
    raise WrongTypeError


def _as_aware(value: Any) -> datetime:
    if isinstance(value, datetime) and value.utcoffset() is not None:
        return value
    raise WrongTypeError


def as_link(value: Any) -> str:
    """A link as text. Raises `WrongTypeError` for what is none."""
    text = as_text(value)
    if is_link(text):
        return text
    raise WrongTypeError


def _as_sequence(value: Any) -> tuple[Any, ...]:
    """What stands in it is the class's own matter. A text is a sequence of letters, which nobody means."""
    if isinstance(value, Sequence) and not isinstance(value, str | bytes | bytearray):
        return tuple(value)
    raise WrongTypeError


def _refused(_: Any) -> Any:
    raise WrongTypeError


#: Type -> the exact types that will do as they are, how others are taken, and what to ask for.
_TYPES: dict[Any, tuple[set[type], Callable[[Any], Any], str]] = {
    str: ({str}, as_text, "text"),
    int: ({int}, _as_number, "a whole number"),
    bool: ({bool}, _refused, "True or False"),
    datetime: (set(), _as_aware, "an aware datetime in UTC"),
    tuple: (set(), _as_sequence, "a list or tuple of texts"),
}


@functools.cache
def _fields_of(cls: type) -> tuple[_Field, ...]:
    hints = typing.get_type_hints(cls)
    return tuple(_field(field, hints[field.name]) for field in dataclasses.fields(cls))


def _field(field: dataclasses.Field[Any], hint: Any) -> _Field:
    options = set(typing.get_args(hint)) if isinstance(hint, types.UnionType) else {hint}
    is_optional = type(None) in options
    (plain,) = options - {type(None)}
    exact, convert, allowed = _TYPES[typing.get_origin(plain) or plain]
    if field.metadata.get("is_link"):
        exact, convert, allowed = set(), as_link, ALLOWED_LINK
    if "if_none" in field.metadata:
        convert = _or_none(convert, field.metadata["if_none"])
        is_optional = True
    elif is_optional:
        exact = exact | {type(None)}
    return _Field(field.name, frozenset(exact), convert, f"{allowed} or None" if is_optional else allowed)


def _or_none(convert: Callable[[Any], Any], if_none: Any) -> Callable[[Any], Any]:
    return lambda value: if_none if value is None else convert(value)


def _subject(value: Any) -> str:
    ids = [f"{name}={getattr(value, name)!r}" for name in _IDS if hasattr(value, name)]
    return f"{type(value).__name__}({', '.join(ids)})" if ids else type(value).__name__


def _shown(value: Any, name: str) -> str:
    found = getattr(value, name)
    (field,) = (field for field in dataclasses.fields(value) if field.name == name)
    if field.metadata.get("is_personal"):
        return "None" if found is None else f"a value of class {type(found).__name__}"
    return shown(found)
