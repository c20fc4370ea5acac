"""What the templates of the e-mails need beyond Django's tags."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import Any

from django import template
from django.utils.translation import get_language_bidi

register = template.Library()

#: A list in an e-mail ends after so many entries; the rest is counted.
MOST_LISTED = 8

_FIRST_STRONG_ISOLATE, _POP_DIRECTIONAL_ISOLATE = "\u2068", "\u2069"


@register.filter
def listed(entries: Sequence[Any]) -> Sequence[Any]:
    """The entries that a list shows."""
    return entries[:MOST_LISTED]


@register.filter
def unlisted_count(entries: Sequence[Any]) -> int:
    """How many more there are."""
    return max(len(entries) - MOST_LISTED, 0)


@register.filter
def isolated(text: str) -> str:
    """A name in plain text, whose direction is kept apart from the sentence's where they differ (Unicode UAX #9)."""
    foreign = {"L"} if get_language_bidi() else {"R", "AL"}
    if foreign.isdisjoint(map(unicodedata.bidirectional, text)):
        return text
    return f"{_FIRST_STRONG_ISOLATE}{text}{_POP_DIRECTIONAL_ISOLATE}"
