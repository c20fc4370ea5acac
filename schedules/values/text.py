"""Texts that others wrote: fit for a line, for a database, for a log."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

# Words are tried at their beginning alone: at each of its letters, a long one would be read to its end.
_ENDS_ADDRESS = r"\s<>()\[\],;:'\""
_ADDRESS = re.compile(rf"(?<![^{_ENDS_ADDRESS}@])[^{_ENDS_ADDRESS}@]+@[^{_ENDS_ADDRESS}]+")
_WORD_AT_END = re.compile(rf"(?<![^{_ENDS_ADDRESS}])[^{_ENDS_ADDRESS}]+\Z")
#: Of what others say about a failure, no more is read.
MAX_DETAIL_CHARACTERS = 2_000
_LINE_BREAKS = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029\ud800-\udfff]+")
_NOT_STORED = re.compile(r"[\x00\ud800-\udfff]")


class QuietText(str):
    """A text that keeps itself to itself where a whole context is logged."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"<{len(self)} characters>"


def can_be_stored(value: Any) -> bool:
    """Whether every database takes a text, or JSON's values: none with a NUL, half a surrogate pair, or infinity."""
    match value:
        case str():
            return not _NOT_STORED.search(value)
        case float():
            return math.isfinite(value)
        case Mapping():
            return all(map(can_be_stored, (*value.keys(), *value.values())))
        case list() | tuple():
            return all(map(can_be_stored, value))
    return True


def one_line(text: str) -> str:
    """`text` with control characters and halves of characters as blanks, fit for a mail header (RFC 5322, 2.2)."""
    return _LINE_BREAKS.sub(" ", text).strip()


def without_addresses(text: str, *known: str) -> str:
    """`text` with e-mail addresses taken out; those that are `known` also where their name stands alone.

    It may be anybody's, such as a server's answer: a long one is cut between two words, so that no part of an
    address is left.
    """
    if len(text) > MAX_DETAIL_CHARACTERS:
        text = f"{_WORD_AT_END.sub('', text[:MAX_DETAIL_CHARACTERS])}…"
    text = _ADDRESS.sub("(address)", text)
    for address in known:
        name = address.partition("@")[0]
        if name:
            text = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", "(address)", text, flags=re.IGNORECASE)
    return text
