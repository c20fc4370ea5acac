"""Where the shapes of a chart are: in its frame, and as far apart as their numbers."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schedules.reporting.geometry import (
    BAR_HEIGHT,
    DIGIT_WIDTH,
    MIN_BAR_LENGTH,
    WIDTH,
    bar_chart,
    line_chart,
    round_ticks,
    spread,
)

counts = st.integers(0, 10**12)
series = st.integers(1, 400).flatmap(
    lambda size: st.lists(st.lists(counts, min_size=size, max_size=size), min_size=1, max_size=4)
)


def write(number):
    return f"{number:,}"


# The scale ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("largest", "ticks"),
    [
        (0, [0, 1]),
        (1, [0, 1]),
        (5, [0, 1, 2, 3, 4, 5]),
        (6, [0, 2, 4, 6]),
        (11, [0, 5, 10, 15]),
        (100, [0, 20, 40, 60, 80, 100]),
        (101, [0, 50, 100, 150]),
        (159, [0, 50, 100, 150, 200]),
        (1_000_000_000, [0, 200_000_000, 400_000_000, 600_000_000, 800_000_000, 1_000_000_000]),
    ],
)
def test_the_scale_has_round_numbers(largest, ticks):
    assert round_ticks(largest) == ticks


@given(counts)
def test_the_scale_reaches_every_number_and_wastes_less_than_a_step(largest):
    ticks = round_ticks(largest)
    step = ticks[1]
    assert 2 <= len(ticks) <= 6
    assert str(step).rstrip("0") in {"1", "2", "5"}
    assert ticks == [step * number for number in range(len(ticks))]
    assert ticks[-2] < max(largest, 1) <= ticks[-1]


# Bars ---------------------------------------------------------------------------------------------


def test_bars_are_as_long_as_their_numbers():
    assert [bar.length for bar in bar_chart([400, 100, 0]).bars] == [WIDTH, WIDTH / 4, 0]


def test_one_of_a_million_can_be_told_from_none():
    assert [bar.length for bar in bar_chart([1_000_000, 1, 0]).bars] == [WIDTH, MIN_BAR_LENGTH, 0]


@pytest.mark.parametrize("values", [[], [0], [0, 0, 0]])
def test_bars_of_nothing_have_no_length(values):
    assert [bar.length for bar in bar_chart(values).bars] == [0] * len(values)


@given(st.lists(counts, max_size=9))
def test_bars_are_below_each_other_in_the_frame(values):
    chart = bar_chart(values)
    assert [bar.top for bar in chart.bars] == [BAR_HEIGHT * place for place in range(len(values))]
    assert chart.height == BAR_HEIGHT * len(values)
    assert all(0 <= bar.length <= WIDTH for bar in chart.bars)


# Lines --------------------------------------------------------------------------------------------


def test_points_are_as_high_as_their_numbers():
    chart = line_chart([[0, 5, 10]], write)
    bottom, middle, top = (y for _, y in chart.lines[0])
    assert middle == (bottom + top) / 2
    heights = {tick.label: tick.y for tick in chart.ticks}
    assert (heights["0"], heights["10"]) == (bottom, top)


def test_all_zeros_are_a_line_on_the_ground():
    chart = line_chart([[0, 0, 0]], write)
    assert [tick.label for tick in chart.ticks] == ["0", "1"]
    assert {y for _, y in chart.lines[0]} == {chart.ticks[0].y}


def test_a_single_day_is_in_the_middle():
    chart = line_chart([[3], [1]], write)
    ((x, anchor),) = chart.ends
    assert anchor == "middle"
    assert {point[0] for line in chart.lines for point in line} == {x}
    assert x == pytest.approx((chart.left + chart.right) / 2, abs=0.1)


@given(series)
def test_lines_are_in_the_frame_and_leave_room_for_the_numbers(series):
    chart = line_chart(series, write)
    assert max(len(tick.label) for tick in chart.ticks) * DIGIT_WIDTH < chart.left < chart.right < WIDTH
    assert 0 < chart.ticks[-1].y < chart.ticks[0].y < chart.height
    for values, line in zip(series, chart.lines, strict=True):
        places = [x for x, _ in line]
        assert len(places) == len(values)
        assert places == sorted(set(places))
        assert all(chart.left < x < chart.right for x in places)
        assert all(chart.ticks[-1].y <= y <= chart.ticks[0].y for _, y in line)


@given(st.integers(2, 400))
def test_the_names_of_the_first_and_the_last_day_have_half_of_the_width_each(length):
    chart = line_chart([[1_000_000] * length], write)
    (first, starts), (last, ends) = chart.ends
    assert (starts, ends) == ("start", "end")
    assert last - first > 2 * DIGIT_WIDTH * len("2026年12月31日")


@given(st.integers(2, 400))
def test_places_are_evenly_apart(number):
    places = spread(number, 0, 1000)
    assert (places[0], places[-1]) == (0, 1000)
    gaps = [after - before for before, after in pairwise(places)]
    assert max(gaps) - min(gaps) <= 0.21
