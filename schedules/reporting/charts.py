"""Pictures of a report: SVG to stand in a page, drawn by pygal, dressed by `static/schedules/reports.css`.

They hold no script, no style and no address, and say in words what they show. The exact numbers stand in a table
beside them.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import pygal
from django.utils.formats import date_format
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from pygal.etree import etree
from pygal.style import Style

from schedules.reporting.counts import DayCounts, MessageReport, in_weeks
from schedules.reporting.words import LABELS, number, percent

# pygal adds a finder for its map plugins to every import of the process. Its interface is of old: Python 3.11 warns
# whenever a module is not there, and later ones do not ask it. There are no maps here.
sys.meta_path[:] = [finder for finder in sys.meta_path if not isinstance(finder, pygal.PluginImportFixer)]

#: Above so many days, a point stands for a week: more points are no picture any more.
MOST_POINTS = 92

#: What the daily picture shows, in the order in which the style sheet dresses the lines.
LINES = ("sent", "opened", "clicked", "failed")

# Room for the letters of a phone, which the style sheet makes larger than a desktop's: the whole picture shrinks there.
_STYLE = Style(label_font_size=18, major_label_font_size=18, value_font_size=18)
_SHARED = {"style": _STYLE, "width": 480, "margin": 4, "show_legend": False, "js": (), "no_data_text": ""}

#: Of a caption: for the largest letters.
_LINE_HEIGHT = 23

_TAGS_LEFT_OUT = {"defs", "desc", "title"}  # its scripts and styles are in the first, the others are for scripts
_CLASSES_LEFT_OUT = {"plot tooltip-overlay", "background", "titles"}


def funnel(report: MessageReport) -> SafeString:
    """Bars of what was sent, opened and clicked; each with its number and its share of what was sent.

    Empty where nothing was sent.
    """
    if not report.total.sent:
        return SafeString()
    names = ("sent", "opened", "clicked")
    captions = [(str(LABELS[name]), _number_and_share(report, name)) for name in names]
    chart = pygal.HorizontalBar(
        **_SHARED, height=270, show_y_labels=False, show_x_labels=False, show_x_guides=False, show_y_guides=False
    )
    chart.add(None, [getattr(report.total, name) for name in reversed(names)])
    tree = chart.render_tree()
    bars = [node for node in tree.iter("g") if node.get("class") == "bar"]
    top_down = sorted(bars, key=lambda bar: float(bar.find("rect").get("y")))
    for name, caption, bar in zip(names, captions, top_down, strict=True):
        _set_caption(bar, name, caption)
    said = ". ".join(f"{label}: {count}" for label, count in captions) + "."
    return _picture(tree, "report-funnel", _("What became of the messages that were sent"), said)


def daily(report: MessageReport) -> SafeString:
    """Lines over the days, or over weeks where there are more than `MOST_POINTS` days.

    Empty where nothing was sent and nothing failed.
    """
    if not (report.total.sent or report.total.failed):
        return SafeString()
    is_weekly = _is_weekly(report)
    points = in_weeks(report.days) if is_weekly else report.days
    days = [date_format(one.day, "SHORT_DATE_FORMAT") for one in points]
    chart = pygal.Line(
        **_SHARED,
        height=300,
        x_labels=days,
        x_labels_major=[days[0], days[-1]],
        margin_top=12,  # the scale's highest number stands half above it
        show_minor_x_labels=False,
        truncate_label=-1,
        show_x_guides=False,
        include_x_axis=True,
        min_scale=2,
        max_scale=5,
        dots_size=3,
        show_dots=len(points) <= 31,
        value_formatter=lambda value: number(round(value)),
    )
    most = max((getattr(one.counts, name) for one in points for name in LINES), default=0)
    if most < 5:  # so few that the scale would have fractions
        chart.config.y_labels = list(range(max(most, 1) + 1))
    for name in LINES:
        chart.add(None, [getattr(one.counts, name) for one in points])
    tree = chart.render_tree()
    _keep_inside(tree)
    said = _said_of(points, is_weekly=is_weekly)
    return _picture(tree, "report-daily", daily_title(report), said)


def daily_title(report: MessageReport) -> str:
    return _("Messages per week") if _is_weekly(report) else _("Messages per day")


def _is_weekly(report: MessageReport) -> bool:
    return len(report.days) > MOST_POINTS


# In words -----------------------------------------------------------------------------------------


def _number_and_share(report: MessageReport, name: str) -> str:
    count = number(getattr(report.total, name))
    share = None if name == "sent" else report.total.share_of_sent(name)
    return count if share is None else f"{count} ({percent(share)})"


def _said_of(points: Sequence[DayCounts], *, is_weekly: bool) -> str:
    """What the lines show: each one's sum, and when it was highest."""
    if is_weekly:
        # Translators: one line of a picture; the day is the first of a week.
        text = _("%(label)s: %(sum)s in all, most in the week from %(day)s (%(most)s).")
    else:
        # Translators: one line of a picture.
        text = _("%(label)s: %(sum)s in all, most on %(day)s (%(most)s).")
    said = []
    for name in LINES:
        best = max(points, key=lambda one: getattr(one.counts, name))
        most = getattr(best.counts, name)
        total = number(sum(getattr(one.counts, name) for one in points))
        words = {"label": LABELS[name], "sum": total, "day": date_format(best.day, "DATE_FORMAT")}
        said.append(text % {**words, "most": number(most)} if most else f"{LABELS[name]}: 0.")
    return " ".join(said)


# The drawing --------------------------------------------------------------------------------------


def _keep_inside(tree: Any) -> None:
    """Let the first day begin below its point, and the last one end there: each has half of the width.

    So none leaves the picture, or covers another or a number of the scale, in letters of any width: nobody knows the
    font. The only day there is stands on both sides of its point.
    """
    axis = next(node for node in tree.iter("g") if node.get("class") == "axis x")
    days = list(axis.iter("text"))
    if len(days) == 2:
        days[0].set("class", "report-first")
        days[1].set("class", "report-last")


def _set_caption(bar: Any, name: str, lines: Sequence[str]) -> None:
    """Make the bar flatter, and write above it, where the page's own background is and words need not be short.

    A line each for label and number: in no language and font are they wider than the picture.
    """
    rect = bar.find("rect")
    top, height = float(rect.get("y")), float(rect.get("height"))
    bar_top = top + height * 0.7
    rect.set("class", f"report-bar report-bar-{name}")
    rect.set("y", f"{bar_top:.1f}")
    rect.set("height", f"{height * 0.3:.1f}")
    for line, text in enumerate(lines, start=1):
        place = {"x": rect.get("x"), "y": f"{bar_top - 8 - _LINE_HEIGHT * (len(lines) - line):.1f}"}
        etree.SubElement(bar, "text", {"class": "report-caption", **place}).text = text


def _picture(tree: Any, key: str, title: str, description: str) -> SafeString:
    """What pygal drew without what a page does not need or must not have, named for those who do not see it.

    `key` is the prefix of its ids, so a page may hold one picture of each kind.
    """
    for parent in list(tree.iter()):
        for child in list(parent):
            is_comment = not isinstance(child.tag, str)
            if is_comment or child.tag in _TAGS_LEFT_OUT or child.get("class") in _CLASSES_LEFT_OUT:
                parent.remove(child)
    names = {"title": title, "desc": description}
    for position, (tag, text) in enumerate(names.items()):
        node = etree.Element(tag, {"id": f"{key}-{tag}"})
        node.text = text
        tree.insert(position, node)
    tree.set("id", key)
    tree.set("class", f"report-picture {key}")
    tree.set("role", "img")
    tree.set("aria-labelledby", f"{key}-title")
    tree.set("aria-describedby", f"{key}-desc")
    tree.set("direction", "ltr")  # numbers and days run from left to right in every language
    # Texts of a tree are escaped when it is written, and there are none but ours, dates and numbers.
    return SafeString(etree.tostring(tree, encoding="unicode"))
