"""Is a difference more than chance? Pure arithmetic: no database and no words."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist

CONFIDENCE = 0.95


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """Of two rates, the first less the second, from -1 to 1, with the ends of its interval."""

    value: float
    low: float
    high: float

    @property
    def may_be_none(self) -> bool:
        """The interval includes 0."""
        return self.low <= 0 <= self.high


def difference(count: int, of: int, other_count: int, other_of: int, *, confidence: float = CONFIDENCE) -> Difference:
    """`count` out of `of` less `other_count` out of `other_of`, two independent groups, neither of them empty.

    Newcombe's hybrid score interval, his method 10: it holds its level for small groups and for rates near 0 and 1.

    Source: R. G. Newcombe, Interval estimation for the difference between independent proportions, Statistics in
    Medicine 17 (1998), 873-890, doi 10.1002/(SICI)1097-0258(19980430)17:8<873::AID-SIM779>3.0.CO;2-I.
    """
    low, high = score_interval(count, of, confidence=confidence)
    other_low, other_high = score_interval(other_count, other_of, confidence=confidence)
    rate, other = count / of, other_count / other_of
    value = rate - other
    return Difference(
        value=value,
        low=max(-1.0, value - sqrt((rate - low) ** 2 + (other_high - other) ** 2)),
        high=min(1.0, value + sqrt((high - rate) ** 2 + (other - other_low) ** 2)),
    )


def score_interval(count: int, of: int, *, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """The interval of one rate by Wilson's score method, on which Newcombe's stands.

    Source: E. B. Wilson, Probable inference, the law of succession, and statistical inference, Journal of the American
    Statistical Association 22 (1927), 209-212, doi 10.1080/01621459.1927.10502953.
    """
    if not 0 <= count <= of or not of:
        raise ValueError(f"{count} of {of} is no rate; count from 0 to all of one or more.")
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    rate = count / of
    center = rate + z * z / (2 * of)
    reach = z * sqrt(rate * (1 - rate) / of + z * z / (4 * of * of))
    scale = 1 + z * z / of
    # Rounding may pass the rate by a hair where it is 0 or 1.
    return min(rate, max(0.0, (center - reach) / scale)), max(rate, min(1.0, (center + reach) / scale))
