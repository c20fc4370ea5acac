"""The reports in Chromium, from an empty ledger to a full one. The pictures are in `pictures/pages/`."""

from __future__ import annotations

import random
from datetime import date, timedelta
from urllib.parse import urlencode

import pytest
from django.contrib.auth.models import User
from django.contrib.sites.models import Site

from schedules.models import ScheduledMessage, SendRun
from tests.browser.chromium import NARROWEST, PHONE
from tests.integration.report_world import DONE, THEN, message, two_groups

pytestmark = pytest.mark.django_db

WIDE = 1360
LAST = date(2026, 3, 30)
DAYS = 30
REASONS = {"skipped": ["opted-out", "no-longer-due"], "failed": ["channel-refused"]}

# What is wider than the window and no table that scrolls by itself.
_TOO_WIDE = """
    [...document.body.querySelectorAll("*")].filter(element => {
        const place = element.getBoundingClientRect();
        const isShown = place.width && place.height && place.right > 0 && place.left < innerWidth;
        return isShown && place.right > innerWidth + 0.5 && !element.closest(".report-scroll");
    }).map(element => element.outerHTML.slice(0, 80))
"""


@pytest.fixture
def report(live_server, admin_client, browser):
    """A function that opens a report."""
    browser.sign_in(live_server.url, admin_client)

    def show(language="en", is_dark=False, **query):
        browser.speak(language)
        query = {"first_day": LAST - timedelta(days=DAYS - 1), "last_day": LAST, **query}
        browser.open(f"{live_server.url}/admin/schedules/report/?{urlencode(query)}", width=WIDE, is_dark=is_dark)
        browser.evaluate("document.getElementById('nav-sidebar')?.remove()")  # Django's own, whose links are faint
        return browser

    yield show
    browser.do(lambda page: page.goto("about:blank"))


@pytest.fixture
def ledger():
    """A month of a busy school, with groups to compare."""
    site = Site.objects.get()
    two_groups(site)
    chance = random.Random(7)  # noqa: S311 - to be repeated, nothing secret
    for name in ("recurringnudge_day3", "recurringnudge_day10", "courseupdate"):
        for number in range(DAYS):
            message(site, name, day=LAST - timedelta(days=number))
    learners = [User(username=f"learner{number}") for number in range(400)]
    User.objects.bulk_create(learners)
    rows = []
    for run in SendRun.objects.all():
        name = run.messages.get().name
        for _ in range(chance.randint(20, 60)):
            status = chance.choices(["sent", "skipped", "failed", "claimed"], [86, 10, 3, 1])[0]
            reason = chance.choice(REASONS.get(status, [""]))
            shares = {"opened": 0.4, "clicked": 0.1, "opted_out": 0.01}
            done = {DONE[one]: THEN for one in DONE if status == "sent" and chance.random() < shares[one]}
            rows.append(
                ScheduledMessage(
                    uuid=f"{chance.getrandbits(128):032x}",
                    run=run,
                    site=site,
                    user=chance.choice(learners),
                    name=name,
                    target_date=run.date,
                    day_offset=run.day_offset,
                    status=status,
                    reason=reason,
                    created=THEN,
                    **done,
                )
            )
    ScheduledMessage.objects.bulk_create(rows)
    return site


@pytest.mark.parametrize("is_dark", [False, True])
def test_a_report_can_be_used_by_everybody(report, ledger, is_dark):
    shade = "dark" if is_dark else "light"
    browser = report(compare=1, is_dark=is_dark)
    assert browser.violations() == []
    browser.take_picture(f"pages/report.desktop.{shade}")
    browser.show(width=PHONE, is_dark=is_dark)
    browser.take_picture(f"pages/report.phone.{shade}")
    browser.show(width=NARROWEST, is_dark=is_dark)
    assert browser.violations() == []
    assert browser.evaluate("document.scrollingElement.scrollWidth") == NARROWEST
    assert browser.evaluate(_TOO_WIDE) == []


def test_a_report_can_be_read_from_right_to_left(report, ledger):
    browser = report(language="he", compare=1)
    assert browser.evaluate("document.documentElement.dir") == "rtl"
    assert browser.violations() == []
    browser.take_picture("pages/report.he")
    browser.show(width=NARROWEST)
    assert browser.evaluate("document.scrollingElement.scrollWidth") == NARROWEST


@pytest.mark.parametrize(("language", "width"), [("en", WIDE), ("en", PHONE), ("fr", PHONE), ("ar", PHONE)])
def test_no_word_of_a_picture_is_cut_off_or_covers_another(report, ledger, language, width):
    browser = report(language=language)
    browser.show(width=width)
    texts = browser.evaluate("""
        [...document.querySelectorAll(".report-chart text")].map(text => {
            const [place, frame] = [text, text.ownerSVGElement].map(element => element.getBoundingClientRect());
            return {
                said: text.textContent,
                frame: text.ownerSVGElement.id,
                size: parseFloat(getComputedStyle(text).fontSize) * frame.width / 480,
                left: place.left, right: place.right, top: place.top, bottom: place.bottom,
                isInside: place.left >= frame.left - 1 && place.right <= frame.right + 1
                    && place.top >= frame.top - 1 && place.bottom <= frame.bottom + 1,
            };
        })
    """)
    assert len(texts) >= 3 + 3 + 3
    assert [text["said"] for text in texts if not text["isInside"]] == []
    assert min(text["size"] for text in texts) >= 11
    covered = [
        (one["said"], other["said"])
        for number, one in enumerate(texts)
        for other in texts[:number]
        if one["frame"] == other["frame"]
        and min(one["right"], other["right"]) > max(one["left"], other["left"])
        and min(one["bottom"], other["bottom"]) > max(one["top"], other["top"]) + 2
    ]
    assert covered == []


def test_pictures_have_names_and_ask_nobody_for_anything(report, ledger, live_server):
    browser = report(compare=1)
    assert browser.do(lambda page: page.get_by_role("img").count()) == 2
    assert browser.do(lambda page: page.get_by_role("img", name="Messages per day").count()) == 1
    addresses = browser.evaluate("performance.getEntriesByType('resource').map(entry => entry.name)")
    assert [address for address in addresses if not address.startswith(live_server.url)] == []


def test_mistakes_and_an_empty_ledger_can_be_read_by_everybody(report):
    browser = report(last_day="2026-02-30", message="nonsense")
    assert browser.do(lambda page: page.locator(".errorlist").count()) == 2
    assert browser.violations() == []
    browser.take_picture("pages/report.mistakes")
    browser = report()
    assert browser.violations() == []
    browser.take_picture("pages/report.empty")
