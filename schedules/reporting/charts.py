"""Charts of a report: SVG to stand in a page, colored by `static/schedules/reports.css`.

They hold no script, no style and no address, and say in words what they show. The exact numbers stand in a table
beside them. Their shapes are in the templates `bars.svg` and `lines.svg`, where these stand is computed in `geometry`.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import itemgetter
from typing import Any

from django.template.loader import render_to_string
from django.utils.formats import date_format
from django.utils.safestring import SafeString
from django.utils.translation import get_language_bidi
from django.utils.translation import gettext as _

from schedules.reporting import geometry
from schedules.reporting.counts import DayCounts, MessageReport, in_weeks
from schedules.reporting.geometry import BarChart, LineChart
from schedules.reporting.words import LABELS, number, percent

#: Above so many days, a point stands for a week: more points cannot be told apart.
MAX_POINTS = 92

#: Above so many points, they have no dots: the dots would touch.
_MAX_DOTS = 31

#: The counts that each chart shows.
BARS = ("sent", "opened", "clicked")
LINES = ("sent", "opened", "clicked", "failed")


def funnel(report: MessageReport) -> SafeString:
    """Bars of what was sent, opened and clicked; each with its number and its share of what was sent.

    Empty where nothing was sent.
    """
    if not report.total.sent:
        return SafeString()
    chart = geometry.bar_chart([report.total.number(name) for name in BARS])
    captions = [(LABELS[name], _number_and_share(report, name)) for name in BARS]
    return _render(
        "bars",
        chart,
        key="report-funnel",
        title=_("What became of the messages that were sent"),
        description=". ".join(f"{label}: {count}" for label, count in captions) + ".",
        bars=zip(BARS, captions, chart.bars, strict=True),
    )


def daily(report: MessageReport) -> SafeString:
    """Lines over the days, or over weeks where there are more than `MAX_POINTS` days.

    Empty where nothing was sent and nothing failed.
    """
    if not (report.total.sent or report.total.failed):
        return SafeString()
    is_weekly = _is_weekly(report)
    points = in_weeks(report.days) if is_weekly else report.days
    chart = geometry.line_chart([[point.counts.number(name) for point in points] for name in LINES], number)
    first_and_last = [date_format(point.day, "SHORT_DATE_FORMAT") for point in (points[0], points[-1])]
    return _render(
        "lines",
        chart,
        key="report-daily",
        title=daily_title(report),
        description=_in_words(points, is_weekly=is_weekly),
        lines=zip(LINES, chart.lines, strict=True),
        has_dots=len(points) <= _MAX_DOTS,
        days=zip(first_and_last, chart.ends, strict=False),  # a single point is the first and the last one
    )


def daily_title(report: MessageReport) -> str:
    return _("Messages per week") if _is_weekly(report) else _("Messages per day")


def _is_weekly(report: MessageReport) -> bool:
    return len(report.days) > MAX_POINTS


# In words -----------------------------------------------------------------------------------------


def _number_and_share(report: MessageReport, name: str) -> str:
    """Of a count of sent messages, where there are any."""
    count = report.total.number(name)
    return number(count) if name == "sent" else f"{number(count)} ({percent(count / report.total.sent)})"


def _in_words(points: Sequence[DayCounts], *, is_weekly: bool) -> str:
    """What the lines show: the sum of each, and when it was highest."""
    if is_weekly:
        # Translators: one line of a picture; the day is the first of a week.
        text = _("%(label)s: %(sum)s in all, most in the week from %(day)s (%(most)s).")
    else:
        # Translators: one line of a picture.
        text = _("%(label)s: %(sum)s in all, most on %(day)s (%(most)s).")
    sentences = []
    for name in LINES:
        counts = {point.day: point.counts.number(name) for point in points}
        day, most = max(counts.items(), key=itemgetter(1))
        words = {"label": LABELS[name], "sum": number(sum(counts.values())), "day": date_format(day, "DATE_FORMAT")}
        sentences.append(text % {**words, "most": number(most)} if most else f"{LABELS[name]}: 0.")
    return " ".join(sentences)


def _render(form: str, chart: BarChart | LineChart, *, key: str, **context: Any) -> SafeString:
    """The template `<kind>.svg`. `key` is the prefix of its ids: a page may hold one chart of each key."""
    direction = "rtl" if get_language_bidi() else "ltr"
    context = {**context, "key": key, "chart": chart, "width": geometry.WIDTH, "direction": direction}
    return render_to_string(f"admin/schedules/report/{form}.svg", context)
