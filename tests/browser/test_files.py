"""The list that the file channel keeps, in Chromium. Pictures are in `pictures/pages/`."""

from __future__ import annotations

from schedules.channels import file_index
from tests.browser.chromium import look

WORDS = {1: ("A Garden in a Year", "en"), 2: ("מבוא לספרות עברית", "he"), 3: ("Statistikgrundlagen" * 6, "de")}


def test_the_list_of_files_can_be_used_by_everybody_and_shows_the_newest_first(browser, tmp_path):
    for number, (course, language) in WORDS.items():
        letter = file_index.Letter(
            file=f"2026-03-09_recurringnudge_day3_{number}_0a1b.html",
            subject=f"Go on with {course}",
            courses=course,
            language=language,
            written_at=f"2026-03-09T08:00:0{number}+00:00",
        )
        file_index.add(tmp_path, letter, "<!DOCTYPE html><html></html>")
    assert look(browser, "files", (tmp_path / "index.html").as_uri()) == {}
    learners = "[...document.querySelectorAll('tbody tr:not([hidden]) td:nth-of-type(4)')].map(cell => cell.innerText)"
    assert browser.evaluate(learners) == ["3", "2", "1"]
    browser.do(lambda page: page.locator("input").fill("garden IN a year"))
    assert browser.evaluate(learners) == ["1"]
    assert browser.do(lambda page: page.get_by_role("status").inner_text()) == "1 of 3 e-mails, the newest first"
