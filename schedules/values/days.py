"""Pure date arithmetic: what instants a calendar day covers. No clock is read here."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, tzinfo

from pytz.tzinfo import BaseTzInfo


def start_of_day(day: date, zone: BaseTzInfo) -> datetime:
    """The first instant, in UTC, at which calendars in `zone` show `day` (or, had it been left out, a later day).

    Midnight may come twice or never where clocks change; pytz answers for both readings of the clock
    (pytz documentation, "Problems with Localtime"), and the earliest that is not still the day before wins.
    """
    midnight = datetime.combine(day, time.min)
    readings = [zone.normalize(zone.localize(midnight, is_dst=is_dst)) for is_dst in (True, False)]
    return min(reading for reading in readings if reading.date() >= day).astimezone(UTC)


def day_bounds(day: date, zone: BaseTzInfo) -> tuple[datetime, datetime]:
    """The half-open span [first instant of `day`, first instant of the next day), both in UTC."""
    return start_of_day(day, zone), start_of_day(day + timedelta(days=1), zone)


def day_of(instant: datetime, zone: tzinfo) -> date:
    """The calendar day in `zone` to which `instant` belongs."""
    return instant.astimezone(zone).date()


def last_day(end: datetime, zone: tzinfo) -> date:
    """The day by which people know an end: the last of which anything lies before it.

    A midnight, the first instant of a day, is the end of the day before; any other instant has its own day.
    """
    return day_of(end - timedelta(microseconds=1), zone)


DAYS_IN_WEEK = 7


def week_of(day_offset: int) -> int:
    """The week that begins so many days after a start (a negative offset): 1 after seven days."""
    return -day_offset // DAYS_IN_WEEK
