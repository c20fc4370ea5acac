"""The numbers of a report as people read them."""

from __future__ import annotations

from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from schedules.conf import conf
from schedules.values.outcomes import Totals

#: How people know the counts, wherever they are shown.
LABELS = {
    "sent": gettext_lazy("Sent"),
    "opened": gettext_lazy("Opened (machines included)"),
    "clicked": gettext_lazy("Clicked (machines included)"),
    "opted_out": gettext_lazy("Opted out"),
    "skipped": gettext_lazy("Skipped"),
    "failed": gettext_lazy("Failed"),
    "pending": gettext_lazy("Pending"),
}

#: What is recorded only while a setting is on.
_SETTINGS = {"opened": "TRACK_OPENS", "clicked": "TRACK_CLICKS"}


def number(count: int) -> str:
    """A count, its thousands set apart as the language does."""
    return number_format(count, force_grouping=True)


def percent(share: float) -> str:
    """A share from 0 to 1."""
    # Translators: a share, such as 4.5 %.
    return _("%(number)s %%") % {"number": tenths(100 * share)}


def of_sent(counts: Totals, name: str) -> str:
    """The share of the count `name` among those sent, or that nobody notes it; empty where nothing was sent."""
    setting = _SETTINGS.get(name)
    if setting and not counts.number(name) and not getattr(conf, setting.lower()):
        # Translators: about opens or clicks; %(setting)s is the name of a setting.
        return _("not recorded: %(setting)s is off") % {"setting": setting}
    if not counts.sent:
        return ""
    return _("%(share)s of those sent") % {"share": percent(counts.number(name) / counts.sent)}


def share_of(count: int, of: int, rate: float | None) -> str:
    """So many of a group, and their share where the group has anybody."""
    counts = {"count": number(count), "of": number(of)}
    if rate is None:
        return _("%(count)s of %(of)s") % counts
    # Translators: some learners of a group, and their share, such as 12 of 240: 5.0 %.
    return _("%(count)s of %(of)s: %(share)s") % {**counts, "share": percent(rate)}


def points(difference: float | None) -> str:
    """A difference of two shares, in percentage points, with its sign; a dash where there is none."""
    if difference is None:
        return "–"
    rounded = round(100 * difference, 1)
    sign = "+" if rounded > 0 else "−" if rounded < 0 else ""
    return f"{sign}{tenths(abs(rounded))}"


def interval(low: float | None, high: float | None) -> str:
    """The ends of an interval of differences, in percentage points."""
    if low is None or high is None:
        return "–"
    # Translators: the ends of an interval, such as −0.5 to +3.5.
    return _("%(low)s to %(high)s") % {"low": points(low), "high": points(high)}


def interval_heading() -> str:
    # Translators: the heading of a column, “95 % interval”.
    return _("%(number)d %% interval") % {"number": 95}


def tenths(value: float) -> str:
    """A number with one digit after the point, rounded: Django's own function cuts off."""
    return number_format(round(value, 1), 1)
