"""What the commands' arguments may be, each as a `type` for argparse."""

from __future__ import annotations

from argparse import ArgumentTypeError
from collections.abc import Callable
from contextlib import suppress
from datetime import date
from typing import Any, TypeVar

from schedules.conf import conf
from schedules.pages import can_be_looked_up
from schedules.values.addresses import is_for_channel

T = TypeVar("T")

# Calendar arithmetic needs room on both sides, and some databases keep no year before 1000.
FIRST_DATE, LAST_DATE = date(1000, 1, 1), date(9000, 1, 1)

SITE_HELP = "domain of the site, whatever its case"


def _type(read: Callable[[str], T], is_allowed: Callable[[T], bool], allowed: str) -> Callable[[Any], T]:
    """`read` raises `ValueError` for what is of another form."""

    def value_of(given: str) -> T:
        with suppress(ValueError):
            value = read(given)
            if is_allowed(value):
                return value
        raise ArgumentTypeError(f"{given[:100]!r} cannot be used; give {allowed}.")

    return value_of


def _iso_day(given: str) -> date:
    found = date.fromisoformat(str(given))
    if str(found) != str(given):  # Python reads 20260309 and 2026-W11-1 as well
        raise ValueError
    return found


#: Commands ask again for the days they were given, for `call_command` hands on text and dates as they are.
day = _type(
    _iso_day,
    lambda found: FIRST_DATE <= found <= LAST_DATE,
    f"a day of the calendar as YYYY-MM-DD, from {FIRST_DATE} to {LAST_DATE}, such as 2026-03-09",
)
address = _type(
    str, lambda text: is_for_channel(text, conf.default_channel), "one e-mail address, such as me@example.com"
)
course_id = _type(str, can_be_looked_up, "a course's id")


def whole_number(least: int, most: int) -> Callable[[str], int]:
    return _type(int, lambda number: least <= number <= most, f"a whole number from {least} to {most}")
