"""The pages that the e-mails' links lead to, in Chromium. The pictures are in `pictures/pages/`."""

from __future__ import annotations

import pytest
from django.test import Client

from schedules.models import OptOut, Schedule
from schedules.previewing import preview
from schedules.unsubscribe.links import Token, page_path
from tests.browser.chromium import DESKTOP, NARROWEST, Browser, look
from tests.world import enroll, make_course, make_learner, open_site, started

pytestmark = pytest.mark.django_db


LONG = "Statistikgrundlagenwiederholungsvorbereitungskurs" * 2


@pytest.fixture
def school(live_server, client: Client, browser: Browser) -> dict[str, str]:
    """Name of a page -> its URL; Alice is signed in, and in three courses out of four."""
    alice = make_learner()
    weeks = [["Know the soil you have", "Water less"], [LONG], []]
    garden = make_course("A Garden in a Year", price=49, weeks=weeks, language="en")
    hebrew = make_course("מבוא לספרות עברית", price=29, weeks=[["לקרוא", "לכתוב"]], language="he")
    garden.modes.update(expiration_datetime=started(-4000))
    enroll(alice, garden)
    enroll(alice, hebrew, mode="verified")
    finished = make_course("Maps and How to Make Them", price=9, weeks=[["Draw"]])
    enroll(alice, finished, completed_at=started(1))
    client.force_login(alice)
    browser.sign_in(live_server.url, client)
    url = live_server.url + garden.get_absolute_url()
    return {
        "dashboard": f"{live_server.url}/dashboard",
        "course": url,
        "course_verified": live_server.url + hebrew.get_absolute_url(),
        "course_finished": live_server.url + finished.get_absolute_url(),
        "course_not_mine": live_server.url + make_course(LONG).get_absolute_url(),
        "upgrade": f"{url}upgrade",
        "email": f"{url}email",
        "no_course": f"{live_server.url}/courses/course-v1:No+Such+Course/",
    }


@pytest.mark.parametrize("language", ["en", "he"])
def test_every_page_can_be_used_by_everybody(browser, school, language):
    browser.speak(language)
    wrong = {}
    for name, url in school.items():
        if found := look(browser, f"{name}.{language}", url):
            wrong[name] = found
        assert browser.evaluate("document.documentElement.dir") == ("rtl" if language == "he" else "ltr")
    assert wrong == {}


@pytest.mark.parametrize("language", ["en", "he"])
def test_the_way_in_can_be_used_by_everybody(browser, live_server, language):
    browser.speak(language)
    url = f"{live_server.url}/login"
    assert look(browser, f"login.{language}", url) == {}
    browser.do(lambda page: page.locator("input[name=username]").fill("nobody"))
    browser.do(lambda page: page.locator("input[name=password]").fill("wrong"))
    browser.do(lambda page: page.locator("main button").click())
    assert browser.do(lambda page: page.get_by_role("alert").count()) == 1
    assert browser.violations() == []


@pytest.mark.parametrize("language", ["en", "he"])
def test_the_page_to_leave_can_be_used_by_everybody(browser, live_server, language):
    alice, site = make_learner(), open_site()
    for name in ("A Garden in a Year", "מבוא לספרות עברית", LONG):
        enroll(alice, make_course(name))
    ids = tuple(Schedule.objects.order_by("pk").values_list("course_id", flat=True))
    url = live_server.url + page_path(Token(alice.pk, site.pk, "recurring_nudge", language, ids))
    wrong = {"untouched": look(browser, f"leave.{language}", url)}
    for number, name in ((0, "stopped"), (2, "course_stopped"), (1, "all_stopped"), (0, "again")):
        browser.open(url, width=NARROWEST)
        browser.do(lambda page, number=number: page.locator("main form button").nth(number).click())
        browser.do(lambda page: page.get_by_role("status").wait_for())
        wrong[name] = browser.violations()
    assert {name: found for name, found in wrong.items() if found} == {}
    assert OptOut.objects.count() == 2
    assert look(browser, f"leave_no_link.{language}", f"{live_server.url}/schedules/unsubscribe/x") == {}
    assert browser.do(lambda page: page.context.cookies()) == []


def test_a_page_cannot_do_what_its_policy_forbids_and_it_is_noticed(browser, live_server):
    browser.open(f"{live_server.url}/schedules/unsubscribe/x")
    browser.evaluate("document.body.append(Object.assign(new Image(), {src: 'http://127.0.0.1:9/x.png'}))")
    browser.evaluate("document.body.append(Object.assign(document.createElement('script'), {text: 'window.ran = 1'}))")
    assert browser.evaluate("window.ran") is None
    assert len(browser.refusals) == 2
    browser.refusals.clear()


def test_right_to_left_is_the_mirror_of_left_to_right(browser, school):
    places = {}
    for language in ("en", "he"):
        browser.speak(language)
        browser.open(school["dashboard"], width=DESKTOP)
        places[language] = browser.evaluate(
            """() => {
                const [nav, leave] = ["nav a", "header button"].map(
                    name => document.querySelector(name).getBoundingClientRect()
                );
                return [nav.left, innerWidth - nav.right, leave.left, innerWidth - leave.right];
            }"""
        )
    nav_left, _, leave_left, leave_right = places["en"]
    assert nav_left < leave_left
    assert places["he"][1] == pytest.approx(nav_left, abs=1.5)
    assert places["he"][2] == pytest.approx(leave_right, abs=1.5)


#: The grounds of the page, and of the first button.
COLORS = """
    () => {
        const ground = element => getComputedStyle(element).backgroundColor;
        const links = [...document.querySelectorAll("main a, main button, table a")];
        return [ground(document.body), links.map(ground).find(color => color !== "rgba(0, 0, 0, 0)")];
    }
"""


@pytest.mark.parametrize("is_dark", [False, True])
def test_pages_and_messages_have_the_same_colors(browser, school, is_dark):
    html = preview("recurringnudge_day3", "en").html
    browser.open("about:blank", is_dark=is_dark)
    browser.do(lambda page: page.set_content(html))
    of_message = browser.evaluate(COLORS)
    browser.open(school["course"], is_dark=is_dark)
    assert browser.evaluate(COLORS) == of_message
