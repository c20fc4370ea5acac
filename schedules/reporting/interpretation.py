"""One plain sentence on what the numbers of an effect say, or that they are too few."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from schedules.reporting.statistics import Difference
from schedules.reporting.words import number, tenths

#: Below these, an interval is so wide, or hangs on so few people, that it would only mislead.
MIN_LEARNERS, MIN_EVENTS = 30, 5

#: What learners can do, in the order in which it is shown.
LABELS: dict[str, Any] = {"came_back": _("came back"), "upgraded": _("upgraded"), "completed": _("completed")}

_MORE = {
    "came_back": _(
        "Of 100 scheduled learners, %(difference)s more came back than of 100 held back; the true number lies between "
        "%(low)s and %(high)s with 95%% confidence."
    ),
    "upgraded": _(
        "Of 100 scheduled learners, %(difference)s more upgraded than of 100 held back; the true number lies between "
        "%(low)s and %(high)s with 95%% confidence."
    ),
    "completed": _(
        "Of 100 scheduled learners, %(difference)s more completed the course than of 100 held back; the true number "
        "lies between %(low)s and %(high)s with 95%% confidence."
    ),
}
_FEWER = {
    "came_back": _(
        "Of 100 scheduled learners, %(difference)s fewer came back than of 100 held back; the true number lies between "
        "%(low)s and %(high)s with 95%% confidence."
    ),
    "upgraded": _(
        "Of 100 scheduled learners, %(difference)s fewer upgraded than of 100 held back; the true number lies between "
        "%(low)s and %(high)s with 95%% confidence."
    ),
    "completed": _(
        "Of 100 scheduled learners, %(difference)s fewer completed the course than of 100 held back; the true number "
        "lies between %(low)s and %(high)s with 95%% confidence."
    ),
}


def interpret(
    key: str, *, scheduled_count: int, held_back_count: int, done_count: int, found: Difference | None
) -> str:
    """`done_count`: learners of both groups who did it. `found` is `None` where a group has nobody."""
    if found is None or min(scheduled_count, held_back_count) < MIN_LEARNERS:
        text = gettext(
            "Too little data to say anything: each group needs %(least)s learners or more (scheduled: %(scheduled)s, "
            "held back: %(held_back)s)."
        )
        counts = {"least": MIN_LEARNERS, "scheduled": scheduled_count, "held_back": held_back_count}
        return text % {name: number(count) for name, count in counts.items()}
    if done_count < MIN_EVENTS:
        return _too_few(
            ngettext(
                "Too little data to say anything: %(count)s learner of both groups together did it, and %(least)s are "
                "needed.",
                "Too little data to say anything: %(count)s learners of both groups together did it, and %(least)s are "
                "needed.",
                done_count,
            ),
            done_count,
        )
    others_count = scheduled_count + held_back_count - done_count
    if others_count < MIN_EVENTS:
        return _too_few(
            ngettext(
                "Too little data to say anything: %(count)s learner of both groups together did not do it, and "
                "%(least)s are needed.",
                "Too little data to say anything: %(count)s learners of both groups together did not do it, and "
                "%(least)s are needed.",
                others_count,
            ),
            others_count,
        )
    return _difference(key, found)


def _difference(key: str, found: Difference) -> str:
    if found.may_be_none:
        text = gettext(
            "The numbers do not show a difference; the true one may lie between %(low)s and %(high)s percentage points."
        )
        return text % {"low": _points(found.low), "high": _points(found.high)}
    texts, ends = (_MORE, (found.low, found.high)) if found.value > 0 else (_FEWER, (-found.high, -found.low))
    low, high = map(_points, ends)
    return str(texts[key]) % {"difference": _points(abs(found.value)), "low": low, "high": high}


def _too_few(text: str, count: int) -> str:
    return text % {"count": number(count), "least": number(MIN_EVENTS)}


def _points(rate: float) -> str:
    """Percentage points; nothing is never less than nothing."""
    return tenths(round(100 * rate, 1) + 0.0).replace("-", "−")
