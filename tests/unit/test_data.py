"""The values that hosts give are checked where they are made."""

from datetime import UTC, datetime

import pytest

from schedules.exceptions import HostError
from schedules.values.data import Course, Enrollment, LearnerProgress, Section, VerifiedMode
from schedules.values.outcomes import FailReason, SkipReason, Totals, failed, skipped
from schedules.values.text import one_line, without_addresses

NAIVE = datetime(2026, 3, 1)  # noqa: DTZ001 - what a careless host would give


@pytest.mark.parametrize(
    "make",
    [
        lambda: Course(id="c", org="o", name="n", start=NAIVE),
        lambda: Course(id="c", org="o", name="n", start=None, end=NAIVE),
        lambda: Enrollment(user_id=1, course_id="c", mode="audit", is_active=True, created=NAIVE),
        lambda: VerifiedMode(course_id="c", expires_at=NAIVE),
        *(
            lambda name=name: LearnerProgress(user_id=1, course_id="c", **{name: NAIVE})
            for name in ("last_active_at", "upgraded_at", "completed_at")
        ),
    ],
)
def test_it_refuses_instants_without_a_time_zone(make):
    with pytest.raises(HostError, match="aware datetime"):
        make()


def test_it_refuses_a_highlight_that_is_not_text():
    with pytest.raises(HostError, match=r"highlight 7; a highlight is plain text"):
        Section(name="Week 1", highlights=("fine", 7))


def test_it_drops_blanks_around_highlights_and_empty_ones():
    assert Section(name="Week 1", highlights=("  read ", "", " \n")).highlights == ("read",)


def test_it_keeps_names_on_one_line():
    course = Course(id="c", org="o", name="Bees\r\nBcc: everybody@example.com", start=datetime(2026, 3, 1, tzinfo=UTC))
    assert course.name == "Bees Bcc: everybody@example.com"


def test_one_line_leaves_other_text_as_it_is():
    assert one_line(" <b>“מבוא”</b> & co ") == "<b>“מבוא”</b> & co"


def test_totals_count_by_reason_and_add_up():
    totals = Totals(found=2)
    totals.count(skipped(SkipReason.NO_ADDRESS))
    totals.count(failed(FailReason.HOST_ERROR, "no\nanswer"))
    totals.add({**totals.as_dict(), "sent": 3})
    assert totals.as_dict() == {
        "found": 4,
        "already": 0,
        "sent": 3,
        "pending": 0,
        "skipped": {"no-address": 2},
        "failed": {"host-error": 2},
    }


def test_what_is_said_of_a_failure_stands_on_one_line():
    assert failed(FailReason.HOST_ERROR, "no\nanswer").detail == (("answer", "no answer"),)


@pytest.mark.parametrize(
    ("text", "known", "left"),
    [
        ("550 <alice@example.com>: no", [], "550 <(address)>: no"),
        ("no such user 'alice@example.com', sorry", [], "no such user '(address)', sorry"),
        ("user ALICE is unknown", ["alice@example.com"], "user (address) is unknown"),
        ("malice is unknown", ["alice@example.com"], "malice is unknown"),
        ("a.b+c at home", ["a.b+c@example.com"], "(address) at home"),
        ("user unknown", ["", "@"], "user unknown"),
        ("to=a@b@c.example;x@", [], "(address);x@"),
        ("@@a@b.example", [], "@@(address)"),
    ],
)
def test_addresses_are_taken_out_of_what_servers_say(text, known, left):
    assert without_addresses(text, *known) == left
