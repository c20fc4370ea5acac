"""A day runs from midnight to midnight in a zone, also where clocks change."""

import itertools
from datetime import UTC, date, datetime, timedelta

import pytest
import pytz
from hypothesis import given, settings
from hypothesis import strategies as st

from schedules.values.days import day_bounds, day_of, last_day, start_of_day


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)


@pytest.mark.parametrize(
    ("zone", "day", "begins", "hours"),
    [
        ("UTC", date(2026, 3, 9), utc(2026, 3, 9), 24),
        ("Europe/Berlin", date(2026, 3, 29), utc(2026, 3, 28, 23), 23),
        ("Europe/Berlin", date(2026, 10, 25), utc(2026, 10, 24, 22), 25),
        # Midnight never came: clocks went from 23:59 to 01:00.
        ("America/Sao_Paulo", date(2018, 11, 4), utc(2018, 11, 4, 3), 23),
        # Midnight came twice: clocks went from 01:00 back to 00:00.
        ("America/Havana", date(2023, 11, 5), utc(2023, 11, 5, 4), 25),
        # Clocks went from midnight back to 23:00 of the day before.
        ("America/Sao_Paulo", date(2018, 2, 18), utc(2018, 2, 18, 3), 24),
        # The whole day was left out.
        ("Pacific/Apia", date(2011, 12, 30), utc(2011, 12, 30, 10), 0),
    ],
)
def test_it_covers_the_day_that_calendars_show(zone, day, begins, hours):
    assert day_bounds(day, pytz.timezone(zone)) == (begins, begins + timedelta(hours=hours))


@settings(max_examples=300)
@given(st.sampled_from(pytz.common_timezones), st.dates(date(1975, 1, 1), date(2036, 12, 31)))
def test_a_day_begins_at_its_first_instant(name, day):
    zone = pytz.timezone(name)
    begins = start_of_day(day, zone)
    assert day_of(begins, zone) >= day
    assert day_of(begins - timedelta(seconds=1), zone) < day


def test_days_leave_no_gap_between_them():
    zone = pytz.timezone("Africa/Cairo")
    days = [date(2026, 1, 1) + timedelta(days=number) for number in range(366)]
    bounds = [day_bounds(day, zone) for day in days]
    assert all(ends == begins for (_, ends), (begins, _) in itertools.pairwise(bounds))


@pytest.mark.parametrize(
    ("zone", "end", "day"),
    [
        ("UTC", utc(2026, 3, 11), date(2026, 3, 10)),
        ("UTC", utc(2026, 3, 10, 23, 59, 59), date(2026, 3, 10)),
        ("UTC", utc(2026, 3, 11, 0, 0, 1), date(2026, 3, 11)),
        ("Europe/Berlin", utc(2026, 3, 28, 23), date(2026, 3, 28)),
        ("Europe/Berlin", utc(2026, 3, 29), date(2026, 3, 29)),
        # Midnight never came: the day began at 01:00.
        ("America/Sao_Paulo", utc(2018, 11, 4, 3), date(2018, 11, 3)),
        # Midnight came twice: at the second the day was an hour old.
        ("America/Havana", utc(2023, 11, 5, 4), date(2023, 11, 4)),
        ("America/Havana", utc(2023, 11, 5, 5), date(2023, 11, 5)),
    ],
)
def test_a_midnight_is_the_end_of_the_day_before(zone, end, day):
    assert last_day(end, pytz.timezone(zone)) == day


@settings(max_examples=300)
@given(st.sampled_from(pytz.common_timezones), st.dates(date(1975, 1, 1), date(2036, 12, 31)))
def test_only_the_first_instant_of_a_day_ends_the_day_before(name, day):
    zone = pytz.timezone(name)
    begins = start_of_day(day, zone)
    assert last_day(begins, zone) < day <= last_day(begins + timedelta(microseconds=1), zone)
