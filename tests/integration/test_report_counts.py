"""What became of the messages, counted: against rows written one by one."""

import re
from collections import Counter
from datetime import date, timedelta
from pathlib import Path
from xml.etree import ElementTree

import pytest
from django.contrib.sites.models import Site
from django.contrib.staticfiles import finders
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import translation

from schedules.models import SendRun
from schedules.reporting import ReportScope, charts, geometry
from schedules.reporting.choices import known_messages, recent_courses
from schedules.reporting.counts import DayCounts, count, in_weeks
from schedules.reporting.words import of_sent
from schedules.values.outcomes import Totals
from tests.integration.report_world import BOTANY, CHESS, FIRST, LAST, message

pytestmark = pytest.mark.django_db

NEXT = FIRST + timedelta(days=1)


@pytest.fixture
def site():
    return Site.objects.get()


def report_of(site, **narrowed):
    return count(ReportScope(**{"site": site, "first_day": FIRST, "last_day": LAST, **narrowed}))


@pytest.fixture
def ledger(site):
    """Two days: Alice gets two messages and opens one, Bob clicks without opening, the rest is not sent."""
    message(site, done=("opened",))
    message(site, "courseupdate", day=NEXT)
    message(site, learner="bob", done=("clicked", "opted_out"))
    message(site, status="skipped", reason="opted-out", learner="carol")
    message(site, "courseupdate", "skipped", reason="no-highlights", learner="carol", day=NEXT)
    message(site, "courseupdate", "skipped", reason="no-highlights", learner="dan", day=NEXT)
    message(
        site, status="failed", reason="channel-refused", detail={"answer": "550 5.1.1: no such mailbox"}, learner="erin"
    )
    message(site, status="failed", reason="channel-refused", learner="frank")
    message(site, status="failed", reason="", learner="grace")
    message(site, status="claimed", learner="heidi", reason="channel-error", detail={"answer": "try again later"})
    message(site, status="delivering", learner="ivan")


def test_each_message_counts_once_for_what_became_of_it(site, ledger):
    report = report_of(site)
    assert report.total == Totals(
        sent=3,
        opened=1,
        clicked=1,
        opted_out=1,
        skipped=Counter({"opted-out": 1, "no-highlights": 2}),
        failed=Counter({"channel-refused": 2, "": 1}),
        pending=2,
    )
    assert report.total.messages == 11
    assert {one.message: one.counts for one in report.messages} == {
        "courseupdate": Totals(sent=1, skipped=Counter({"no-highlights": 2})),
        "recurringnudge_day3": Totals(
            sent=2,
            opened=1,
            clicked=1,
            opted_out=1,
            skipped=Counter({"opted-out": 1}),
            failed=Counter({"channel-refused": 2, "": 1}),
            pending=2,
        ),
    }


def test_learners_are_counted_once_and_only_if_something_was_sent_to_them(site, ledger):
    assert report_of(site).learners_reached == 2


def test_every_day_has_its_counts_also_one_without_messages(site, ledger):
    days = report_of(site).days
    assert [one.day for one in days] == [FIRST + timedelta(days=number) for number in range(5)]
    assert [one.counts.messages for one in days] == [8, 3, 0, 0, 0]
    assert days[1].counts == Totals(sent=1, skipped=Counter({"no-highlights": 2}))


def test_reasons_are_words_whatever_follows_them_the_most_frequent_first(site, ledger):
    report = report_of(site)
    assert [(one.outcome, one.reason, one.count) for one in report.reasons] == [
        ("skipped", "no-highlights", 2),
        ("skipped", "opted-out", 1),
        ("failed", "channel-refused", 2),
        ("failed", "", 1),
    ]
    assert [one.reason for one in report.reasons_for("failed")] == ["channel-refused", ""]


def test_the_day_is_that_of_the_run_whatever_the_target_day_and_when_it_was_sent(site):
    before, after = FIRST - timedelta(days=1), LAST + timedelta(days=1)
    for day in (before, FIRST, LAST, after):
        message(site, day=day, target_date=date(2026, 3, 3), learner=str(day))
    assert [one.day for one in report_of(site).days if one.counts.sent] == [FIRST, LAST]
    assert report_of(site, first_day=before, last_day=after).total.sent == 4
    assert report_of(site, first_day=LAST).total.sent == 1


def test_a_report_is_about_one_site_and_if_wanted_one_message(site, ledger):
    river = Site.objects.create(domain="river.example.com", name="River")
    message(river, learner="zoe", done=("opened",))
    assert report_of(river).total == Totals(sent=1, opened=1)
    assert report_of(river).learners_reached == 1
    assert report_of(site, message_name="courseupdate").total == Totals(sent=1, skipped=Counter({"no-highlights": 2}))
    assert report_of(site, message_name="courseupdate").learners_reached == 1
    assert [one.reason for one in report_of(site, message_name="courseupdate").reasons] == ["no-highlights"]


def test_a_message_about_several_courses_counts_for_each_of_them(site):
    message(site, course_ids=[BOTANY])
    message(site, course_ids=[CHESS, BOTANY], learner="bob")
    message(site, course_ids=[], learner="carol")
    message(site, status="skipped", reason="opted-out", course_ids=[CHESS], learner="dan")
    assert report_of(site).total.messages == 4
    assert report_of(site, course_id=BOTANY).total == Totals(sent=2)
    assert report_of(site, course_id=BOTANY).learners_reached == 2
    assert report_of(site, course_id=CHESS).total == Totals(sent=1, skipped=Counter({"opted-out": 1}))
    assert [one.count for one in report_of(site, course_id=CHESS).reasons] == [1]


@pytest.mark.parametrize("course_id", ["course-v1:X+C1+2026", "course-v1:X+ü+1", 'a"b', "a\\b", "100%", "a_b", "日本"])
def test_a_course_id_is_whole_and_exact(site, course_id):
    message(site, course_ids=[course_id])
    for number, other in enumerate([f"{course_id}7", f"x{course_id}", course_id[:-1], course_id.swapcase() + "x"]):
        message(site, course_ids=[other], learner=f"learner{number}")
    assert report_of(site, course_id=course_id).total == Totals(sent=1)


def test_ids_are_told_apart_by_case(site):
    message(site, course_ids=["course-v1:X+c1+2026"])
    assert report_of(site, course_id="course-v1:X+C1+2026").total == Totals()


def test_what_is_marked_on_a_message_that_is_not_sent_is_not_counted(site):
    message(site, status="claimed", done=("opened", "clicked", "opted_out"))
    assert report_of(site).total == Totals(pending=1)


def test_shares_are_of_what_was_sent_and_of_nothing_there_is_none():
    assert of_sent(Totals(sent=4, opted_out=1), "opted_out") == "25.0 % of those sent"
    assert of_sent(Totals(skipped=Counter({"opted-out": 4})), "opted_out") == ""


def test_fifty_messages_cost_as_many_queries_as_one(site):
    def queries():
        with CaptureQueriesContext(connection) as asked:
            report_of(site, course_id=BOTANY)
        return len(asked)

    message(site)
    for_one = queries()
    for number in range(49):
        message(site, learner=f"learner{number}", day=FIRST + timedelta(days=number % 5))
    assert queries() == for_one == 2


def test_weeks_are_of_seven_days_from_the_first_one_on():
    days = [DayCounts(day=FIRST + timedelta(days=number), counts=Totals(sent=1)) for number in range(9)]
    assert [(one.day, one.counts.sent) for one in in_weeks(days)] == [(FIRST, 7), (FIRST + timedelta(days=7), 2)]


def test_messages_to_choose_are_those_with_texts_and_those_that_went_out(site):
    assert "recurringnudge_day19" in known_messages()
    assert "recurringnudge_day4" not in known_messages()
    message(site, "recurringnudge_day4")
    SendRun.objects.create(site=site, message_type="gone", date=FIRST, day_offset=1, started_at="2026-03-01T00:00Z")
    assert known_messages()["recurringnudge_day4"] == "recurring_nudge"
    assert "gone" not in known_messages().values()


def test_courses_to_choose_are_those_of_the_latest_messages(site):
    message(site, course_ids=[CHESS, BOTANY])
    message(site, course_ids={"odd": 1}, learner="bob")
    assert recent_courses() == [BOTANY, CHESS]


# Pictures -----------------------------------------------------------------------------------------

SVG = "{http://www.w3.org/2000/svg}"
ISOLATES = "\u2068\u2069"  # around a text that has a direction of its own


def both(report):
    return [ElementTree.fromstring(picture) for picture in (charts.funnel(report), charts.daily(report))]  # noqa: S314 - ours


def words(chart):
    """What is written in it, in order."""
    return [text.text.strip(ISOLATES) for text in chart.iter(f"{SVG}text")]


def part(chart, name):
    """The bar or the line of a count."""
    (found,) = [node for node in chart.iter() if f"report-{name}" in node.get("class", "").split()]
    return found


def test_pictures_hold_nothing_but_a_drawing(site, ledger):
    report = report_of(site)
    for picture in (charts.funnel(report), charts.daily(report)):
        assert picture.startswith("<svg ")
        assert not re.search(r"<script|<style|style=|href|\son\w+=|url\(|<!--|<\?xml|@import", picture)
        assert re.findall(r"https?://[^\"]+", picture) == ["http://www.w3.org/2000/svg"]


def test_pictures_say_in_words_what_they_show(site, ledger):
    funnel, daily = both(report_of(site))
    for picture in (funnel, daily):
        assert picture.get("role") == "img"
        named = {node.get("id"): node.text for node in picture if node.tag in (f"{SVG}title", f"{SVG}desc")}
        assert set(named) == {picture.get("aria-labelledby"), picture.get("aria-describedby")}
    assert daily.find(f"{SVG}title").text == "Messages per day"
    assert daily.find(f"{SVG}desc").text.startswith("Sent: 3 in all, most on March 1, 2026 (2). Opened")
    assert "Failed: 3 in all, most on March 1, 2026 (3)." in daily.find(f"{SVG}desc").text
    said = "Sent: 3. Opened (machines included): 1 (33.3 %). Clicked (machines included): 1 (33.3 %)."
    assert funnel.find(f"{SVG}desc").text == said
    assert words(funnel) == [line for caption in said.rstrip(".").split(". ") for line in caption.split(": ")]


def test_ids_are_different_in_one_page(site, ledger):
    ids = [node.get("id") for picture in both(report_of(site)) for node in picture.iter() if node.get("id")]
    assert len(ids) == len(set(ids)) == 6


def test_bars_are_as_long_as_their_numbers(site):
    for number in range(4):
        message(site, learner=f"learner{number}", done=("opened", "clicked") if number == 0 else ())
    funnel, _ = both(report_of(site))
    width = {name: float(part(funnel, name).get("width")) for name in charts.BARS}
    assert width["sent"] == pytest.approx(4 * width["opened"])
    assert width["clicked"] == pytest.approx(width["opened"])


def test_a_long_time_is_shown_by_weeks(site, ledger):
    report = report_of(site, last_day=FIRST + timedelta(days=charts.MAX_POINTS))
    _, daily = both(report)
    assert daily.find(f"{SVG}title").text == "Messages per week" == charts.daily_title(report)
    assert "most in the week from March 1, 2026 (3)" in daily.find(f"{SVG}desc").text
    assert len(part(daily, "sent").find(f"{SVG}polyline").get("points").split()) == 14


def test_one_day_is_a_dot(site, ledger):
    _, daily = both(report_of(site, last_day=FIRST))
    assert len(list(daily.iter(f"{SVG}circle"))) == len(charts.LINES)


def test_the_first_day_begins_below_its_point_and_the_last_one_ends_there(site, ledger):
    _, daily = both(report_of(site))
    first, *_, last = part(daily, "sent").iter(f"{SVG}circle")
    *_, first_day, last_day = daily.iter(f"{SVG}text")
    assert words(daily)[-2:] == ["03/01/2026", "03/05/2026"]
    assert (first_day.get("x"), first_day.get("text-anchor")) == (first.get("cx"), "start")
    assert (last_day.get("x"), last_day.get("text-anchor")) == (last.get("cx"), "end")


def test_the_only_day_is_in_the_middle(site, ledger):
    _, daily = both(report_of(site, last_day=FIRST))
    *_, day = daily.iter(f"{SVG}text")
    assert (words(daily)[-1], day.get("text-anchor")) == ("03/01/2026", "middle")
    assert {dot.get("cx") for dot in daily.iter(f"{SVG}circle")} == {day.get("x")}


def test_few_messages_have_a_scale_of_whole_numbers(site, ledger):
    _, daily = both(report_of(site))
    assert words(daily)[:-2] == ["0", "1", "2", "3"]


def test_of_nothing_there_is_no_picture(site):
    message(site, status="skipped", reason="opted-out")
    assert charts.funnel(report_of(site)) == charts.daily(report_of(site)) == ""


def test_words_of_a_picture_are_escaped(site, ledger, monkeypatch):
    monkeypatch.setitem(charts.LABELS, "opened", "</desc><script>alert(1)</script>")
    report = report_of(site)
    assert "<script" not in charts.funnel(report) + charts.daily(report)


def test_pictures_speak_the_language_of_the_page(site, ledger):
    with translation.override("de"):
        assert "(33,3" in charts.funnel(report_of(site))


def test_places_are_written_alike_in_every_language(site, ledger):
    """A number of SVG has a point, whatever the language has."""

    def places():
        report = report_of(site)
        return re.findall(r' (?:x|y|cx|cy|d|points|width)="([^"]+)"', charts.funnel(report) + charts.daily(report))

    with translation.override("de"):
        german = places()
    assert german == places()
    assert re.search(r"\d\.\d", "".join(german))


@pytest.mark.parametrize(("language", "direction", "start"), [("en", "ltr", 0), ("ar", "rtl", geometry.WIDTH)])
def test_bars_and_days_have_the_direction_of_the_language(site, ledger, language, direction, start):
    with translation.override(language):
        funnel, daily = both(report_of(site))
    assert funnel.get("direction") == direction
    bars = [group for group in funnel if group.tag == f"{SVG}g"]
    assert [bar.get("transform").split()[0] for bar in bars] == [f"translate({start}"] * len(charts.BARS)
    assert daily.get("direction") == "ltr"
    *_, first_day, last_day = [text.text for text in daily.iter(f"{SVG}text")]
    assert first_day[0] + first_day[-1] == last_day[0] + last_day[-1] == ISOLATES


def luminance(color):
    parts = (int(color[start : start + 2], 16) / 255 for start in (1, 3, 5))
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("background", ["#ffffff", "#121212"])
def test_colors_stand_out_from_the_admin_s_backgrounds(background):
    """WCAG 2.1, 1.4.11."""
    css = Path(finders.find("schedules/reports.css")).read_text(encoding="utf-8")
    colors = re.findall(r"--report-\w+: (#\w{6});", css)
    assert len(colors) == len(charts.LINES)
    for color in colors:
        darker, lighter = sorted((luminance(color), luminance(background)))
        assert (lighter + 0.05) / (darker + 0.05) >= 3
