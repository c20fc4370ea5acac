"""Where the shapes of a chart stand: arithmetic alone, in the units of the SVG's `viewBox`, in which y grows downward.

Nobody knows the reader's font, so nothing is measured: a number has the room that the widest common font needs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count

#: Of a chart; the page makes the whole of it as wide as its column, down to 290 pixels on a phone.
WIDTH = 480

#: Of a digit, in the largest letters that `static/schedules/reports.css` sets (18 units). DejaVu Sans, the widest of
#: the common fonts, needs 11.5.
DIGIT_WIDTH = 12

#: Of a bar with two lines of text above it and some air below.
BAR_HEIGHT = 92

#: Of a chart of lines, with the days below them.
LINES_HEIGHT = 290

#: Of a bar that is not zero: shorter ones cannot be seen.
MIN_BAR_LENGTH = 2

_MAX_INTERVALS = 5
_TOP, _BOTTOM = 14, 262  # of the lines: above is half of the scale's highest number, below are the days
_RIGHT = WIDTH - 1
_GAP = 8  # between the scale's numbers and its guides
_DOT = 5  # beside the first and the last point

Point = tuple[float, float]


@dataclass(frozen=True, kw_only=True, slots=True)
class Bar:
    """`top`: of the room for the bar and its text."""

    top: float
    length: float


@dataclass(frozen=True, kw_only=True, slots=True)
class BarChart:
    """Bars in the order of their values, from the top downward."""

    height: float
    bars: tuple[Bar, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Tick:
    """A number of the scale, as the page writes it, with the height of its guide."""

    label: str
    y: float


@dataclass(frozen=True, kw_only=True, slots=True)
class LineChart:
    """`left`, `right`: the ends of the guides. `ticks`: from zero upward. `lines`: the points of each series.

    `ends`: where the names of the first and the last point are, each with its `text-anchor`; a single point has one.
    """

    height: float
    left: float
    right: float
    ticks: tuple[Tick, ...]
    lines: tuple[tuple[Point, ...], ...]
    ends: tuple[tuple[float, str], ...]


def bar_chart(values: Sequence[int]) -> BarChart:
    """Bars below each other; the largest value has the whole width, zero none."""
    largest = max(values, default=0)
    lengths = [max(round(WIDTH * value / largest, 1), MIN_BAR_LENGTH) if value else 0 for value in values]
    return BarChart(
        height=BAR_HEIGHT * len(values),
        bars=tuple(Bar(top=BAR_HEIGHT * place, length=length) for place, length in enumerate(lengths)),
    )


def round_ticks(largest: int) -> list[int]:
    """Two to six whole numbers from 0 up to `largest` or just above, spaced by 1, 2 or 5 times a power of ten."""
    steps = (factor * 10**exponent for exponent in count() for factor in (1, 2, 5))
    step = next(step for step in steps if step * _MAX_INTERVALS >= largest)
    return list(range(0, max(largest, 1) + step, step))


def spread(number: int, first: float, last: float) -> list[float]:
    """`number` places from `first` to `last`, evenly apart; a single one is in the middle."""
    if number == 1:
        return [round((first + last) / 2, 1)]
    return [round(first + (last - first) * place / (number - 1), 1) for place in range(number)]


def line_chart(series: Sequence[Sequence[int]], write: Callable[[int], str]) -> LineChart:
    """Lines on one scale, of series that are equally long and not empty.

    `write`: a number as the reader's language has it. The name of the first point begins below it and that of the last
    one ends there, so each has half of the width: neither leaves the chart nor meets the other.
    """
    numbers = round_ticks(max(max(values) for values in series))
    labels = [write(number) for number in numbers]
    left = DIGIT_WIDTH * max(map(len, labels)) + _GAP
    places = spread(len(series[0]), left + _DOT, _RIGHT - _DOT)

    def height(value: int) -> float:
        return round(_BOTTOM - (_BOTTOM - _TOP) * value / numbers[-1], 1)

    return LineChart(
        height=LINES_HEIGHT,
        left=left,
        right=_RIGHT,
        ticks=tuple(Tick(label=label, y=height(number)) for label, number in zip(labels, numbers, strict=True)),
        lines=tuple(tuple(zip(places, map(height, values), strict=True)) for values in series),
        ends=((places[0], "start"), (places[-1], "end")) if len(places) > 1 else ((places[0], "middle"),),
    )
