"""The interval of a difference: published values, and what must hold of every one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schedules.reporting.statistics import difference, score_interval

#: Newcombe (1998), table II, the line of method 10: two rates, and the ends of the 95 % interval of their difference.
PUBLISHED = [
    ((56, 70), (48, 80), 0.0524, 0.3339),
    ((9, 10), (3, 10), 0.1705, 0.8090),
    ((6, 7), (2, 7), 0.0582, 0.8062),
    ((5, 56), (0, 29), -0.0381, 0.1926),
    ((0, 10), (0, 20), -0.1611, 0.2775),
    ((0, 10), (0, 10), -0.2775, 0.2775),
    ((10, 10), (0, 20), 0.6791, 1.0000),
    ((10, 10), (0, 10), 0.6075, 1.0000),
]


@pytest.mark.parametrize(("one", "other", "low", "high"), PUBLISHED)
def test_the_interval_is_the_one_that_was_published(one, other, low, high):
    found = difference(*one, *other)
    assert (round(found.low, 4), round(found.high, 4)) == (low, high)
    assert found.value == one[0] / one[1] - other[0] / other[1]


def test_more_confidence_makes_it_wider():
    usual, careful = difference(56, 70, 48, 80), difference(56, 70, 48, 80, confidence=0.99)
    assert careful.low < usual.low
    assert careful.high > usual.high
    assert (usual.may_be_none, careful.may_be_none) == (False, False)
    assert difference(5, 56, 0, 29).may_be_none


rates = st.integers(1, 50_000).flatmap(lambda of: st.tuples(st.integers(0, of), st.just(of)))


@given(rates, rates)
def test_it_holds_the_difference_and_stays_within_what_is_possible(one, other):
    found = difference(*one, *other)
    assert -1 <= found.low <= found.value <= found.high <= 1
    assert found.low < found.high


@given(rates, rates)
def test_the_other_way_around_it_is_the_mirror(one, other):
    found, mirrored = difference(*one, *other), difference(*other, *one)
    assert (mirrored.low, mirrored.value, mirrored.high) == pytest.approx((-found.high, -found.value, -found.low))


@given(rates)
def test_what_is_the_same_in_both_groups_may_be_no_difference(rate):
    found = difference(*rate, *rate)
    assert found.may_be_none
    assert found.low == pytest.approx(-found.high)


@given(rates, rates)
def test_more_learners_make_it_narrower(one, other):
    found = difference(*one, *other)
    four_times = difference(*(4 * number for number in one), *(4 * number for number in other))
    assert four_times.high - four_times.low < found.high - found.low


@given(rates)
def test_the_interval_of_a_rate_holds_it(rate):
    low, high = score_interval(*rate)
    assert 0 <= low <= rate[0] / rate[1] <= high <= 1


@pytest.mark.parametrize("no_rate", [(0, 0), (-1, 5), (6, 5), (0, -1)])
def test_what_is_no_rate_is_refused(no_rate):
    with pytest.raises(ValueError, match="is no rate; count from 0 to all of one or more"):
        difference(*no_rate, 1, 2)
    with pytest.raises(ValueError, match="is no rate"):
        difference(1, 2, *no_rate)
