"""Which days a daily run does, from what is remembered of the runs before it."""

from datetime import UTC, date, datetime, time, timedelta

import pytest
import pytz

from schedules.ledger.catch_up import PastRun, last_day, missed_days

TODAY = date(2026, 3, 9)
ROME = pytz.timezone("Europe/Rome")


def day(days_ago):
    return TODAY - timedelta(days=days_ago)


def past(days_ago, *, started=None, hour=6, is_finished=True, day_offset=-3):
    """A run for the day so many days ago, begun on that day unless `started` says how many days ago it was."""
    began_on = day(days_ago if started is None else started)
    return PastRun(
        date=day(days_ago),
        day_offset=day_offset,
        started_at=datetime.combine(began_on, time(hour), tzinfo=UTC),
        is_finished=is_finished,
    )


def missed(runs, catch_up_days=3, last_run_day=None):
    last_run_day = last_run_day or last_day(runs, pytz.utc)
    return [(TODAY - one).days for one in missed_days(runs, last_run_day, day(catch_up_days), TODAY)]


@pytest.mark.parametrize(
    ("runs", "days_ago"),
    [
        pytest.param([], [], id="the first run ever catches nothing up"),
        pytest.param([past(1)], [], id="yesterday was run"),
        pytest.param([past(3)], [2, 1], id="two days were missed, oldest first"),
        pytest.param([past(1, is_finished=False), past(3)], [2, 1], id="a day that was not finished was missed"),
        pytest.param([past(1), past(2, is_finished=False)], [2], id="a day before the last day that was not finished"),
        pytest.param([past(1, is_finished=False)], [1], id="the first run ever was not finished"),
        pytest.param([past(1), past(2, is_finished=False), past(2)], [], id="a second run finished the day"),
        pytest.param(
            [past(1, day_offset=-10, is_finished=False), past(1)], [1], id="one of the day's offsets was not finished"
        ),
        pytest.param([past(1, started=0), past(3)], [2, 1], id="a run for a past day does not move the last day"),
        pytest.param([past(1, started=4), past(3)], [2, 1], id="a run for a day to come does not move the last day"),
        pytest.param([past(2, started=1)], [], id="a run for a past day is not the last day"),
    ],
)
def test_the_days_that_were_missed(runs, days_ago):
    assert missed(runs) == days_ago


def test_no_day_before_the_window_is_done():
    assert missed([], last_run_day=day(50)) == [3, 2, 1]
    assert missed([], last_run_day=day(50), catch_up_days=0) == []


def test_the_day_of_a_run_is_that_of_the_calendar_in_the_zone():
    late = past(1, started=2, hour=23)
    assert last_day([late], ROME) == day(1)
    assert last_day([late], pytz.utc) is None
