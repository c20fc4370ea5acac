"""The gallery of all e-mails in Chromium: what can be read, clicked, mirrored, and what mail clients support.

The pictures of what was tested are in `pictures/messages/`.
"""

from __future__ import annotations

import json
import re
import subprocess
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.test import override_settings
from django.utils import translation

from schedules import previewing
from schedules.message_types import messages
from schedules.previewing import Preview, gallery
from tests.browser.chromium import DESKTOP, NARROWEST, PHONE, PICTURES, Browser

# Sample data stands in no database; what is switched in the admin does.
pytestmark = pytest.mark.django_db

# Day 19 is off by default, and has templates all the same.
ALL_DAYS = {"RECURRING_NUDGE_DAYS": [3, 10, 19]}

#: Gmail cuts a message off at 102 kB.
MAX_BYTES = 100_000

#: Those who read with anything else are few: https://www.caniemail.com/clients/
CLIENTS = ("gmail.*", "outlook.*", "apple-mail.*", "samsung-email.*", "yahoo.*", "thunderbird.*")

#: What some client does not support, and why a message is whole without it there.
ACCEPTED = {
    "@media": "phones and the dark palette; without it, a message is light and as wide as its window",
    "<style> element": "it holds nothing but those @media rules; all else is in style attributes",
    "Type selector": "in that element, for what mail programs put around a message",
    "Class selector": "in that element",
    "Attribute selector": "in that element: by it Outlook on the web says that it has darkened a message",
    "Chaining selectors": "as above",
    "Descendant combinator": "as above",
    "<body> element": "some put a <div> in its place; its ground is also that of the outermost table",
    "display:none": "on the preheader alone, which is hidden in three other ways beside it",
    "opacity": "one of those ways",
    "overflow": "one of those ways",
    "border-radius": "corners are then square",
    "height property": "of pictures, which have the attribute as well",
    "white-space": "words of a link may then be on two lines",
    "word-break": "a very long word may then make a message wider than the window",
    "aria-label attribute": "names the message for screen readers; its heading does, too",
    "role attribute": "keeps screen readers from announcing tables that are not tables",
}


@dataclass
class Visit:
    """What the browser saw of one preview."""

    light: list[str] = field(default_factory=list)
    dark: list[str] = field(default_factory=list)
    overflow: list[str] = field(default_factory=list)
    places: dict[str, float] = field(default_factory=dict)


def is_right_to_left(language: str) -> bool:
    return bool(translation.get_language_info(language)["bidi"])


@pytest.fixture(scope="session")
def previews(django_db_setup, django_db_blocker) -> list[Preview]:
    """Every message, language and variant; some languages are written from right to left."""
    with django_db_blocker.unblock(), override_settings(SCHEDULES=ALL_DAYS):
        shown, failures = gallery.render(sorted(messages()), previewing.languages())
    assert failures == []
    assert {is_right_to_left(one.language) for one in shown} == {True, False}
    assert {one.message_name for one in shown} >= {"courseupdate", "recurringnudge_day19", "upgradereminder"}
    return shown


@pytest.fixture(scope="session")
def page(previews) -> Path:
    """The gallery's page, written for these tests and for whoever looks at it afterwards."""
    return gallery.write(PICTURES / "messages", previews)


@pytest.fixture(scope="session")
def visits(browser, previews, page) -> dict[str, Visit]:
    """Name of a preview -> what was seen; each is opened once."""
    return {name_of(shown): visit(browser, page.parent, name_of(shown)) for shown in previews}


def name_of(shown: Preview) -> str:
    return f"{shown.message_name}.{shown.language}.{shown.variant}"


def visit(browser: Browser, folder: Path, name: str) -> Visit:
    seen = Visit()
    browser.open((folder / f"{name}.html").as_uri())
    seen.light = browser.violations()
    seen.places = browser.evaluate(PLACES)
    browser.take_picture(f"messages/{name}.desktop")
    browser.show(width=DESKTOP, is_dark=True)
    seen.dark = browser.violations()
    browser.take_picture(f"messages/{name}.dark")
    browser.show(width=NARROWEST)
    seen.overflow = browser.overflow()
    browser.show(width=PHONE)
    browser.take_picture(f"messages/{name}.phone")
    return seen


# How far things are from the left edge of the window, and from the right one: the first link (home), the link beside
# it (sign in), the heading's first line, and the first link with a ground of its own (the button).
PLACES = """
    () => {
        const width = document.documentElement.clientWidth;
        const links = [...document.querySelectorAll("a")];
        const button = links.find(link => getComputedStyle(link).backgroundColor !== "rgba(0, 0, 0, 0)");
        const heading = document.createRange();
        heading.selectNodeContents(document.querySelector("h1"));
        const places = {};
        for (const [name, box] of Object.entries({
            home: links[0].getBoundingClientRect(), sign_in: links[1].getBoundingClientRect(),
            heading: heading.getBoundingClientRect(), button: button.getBoundingClientRect(),
        })) {
            places[name + " from left"] = box.left;
            places[name + " from right"] = width - box.right;
        }
        return places;
    }
"""


def problems(visits: dict[str, Visit], kind: str) -> dict[str, list[str]]:
    return {name: found for name, seen in visits.items() if (found := getattr(seen, kind))}


def test_every_message_can_be_used_by_everybody(visits):
    assert len(visits) > 30
    assert problems(visits, "light") == {}


def test_every_message_can_be_used_by_everybody_in_the_dark(visits):
    assert problems(visits, "dark") == {}


def test_nothing_overflows_on_the_narrowest_screen(visits):
    assert problems(visits, "overflow") == {}


def test_right_to_left_is_the_mirror_of_left_to_right(visits, previews):
    mirrored = [shown for shown in previews if is_right_to_left(shown.language) and shown.variant == "one_course"]
    assert {shown.message_name for shown in mirrored} == {shown.message_name for shown in previews}
    for shown in mirrored:
        places = visits[name_of(shown)].places
        original = visits[f"{shown.message_name}.en.one_course"].places
        assert original["home from left"] < original["sign_in from left"]
        for name, start, end in (("home", "left", "right"), ("heading", "left", "right"), ("button", "left", "right")):
            assert places[f"{name} from {end}"] == pytest.approx(original[f"{name} from {start}"], abs=1.5), name
        assert places["sign_in from left"] == pytest.approx(original["sign_in from right"], abs=1.5)


# Without the browser -------------------------------------------------------------------------------


class Document(HTMLParser):
    """What an HTML document leads to (href) and loads (src)."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.sources: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag == "a":
            self.links.append(values.get("href") or "")
        if "src" in values:
            self.sources.append(values["src"] or "")


def fault_of(url: str) -> str:
    """Why a URL is unfit for an e-mail; empty if it is fit."""
    if re.fullmatch(r"mailto:[^\s@{}]+@[\w.-]+", url):
        return ""
    parts = urlsplit(url)
    if parts.scheme != "https" or not parts.netloc:
        return "not absolute, with https"
    if not re.fullmatch(r"(/([\w.~:@!$&'()*,;=-]|%[0-9A-Fa-f]{2})*)*", parts.path, re.ASCII):
        return "path is not percent-encoded"
    if re.search(r"[{}<>\s\"]|INVALID|%7B", url) or not url.isascii():
        return "something was not filled in or not encoded"
    return ""


@pytest.mark.parametrize(
    ("url", "is_fit"),
    [
        ("https://example.com/courses/course-v1:Meadow%2B1%2B2026/home?utm_source=schedules#top", True),
        ("https://example.com/?utm_term=course-v1%3AMeadow%2BB1%2B2026", True),
        ("mailto:help@example.com", True),
        ("", False),
        ("/dashboard", False),
        ("http://example.com/", False),
        ("https:///dashboard", False),
        ("https://example.com/course-v1:Meadow+1+2026", False),
        ("https://example.com/a b", False),
        ("https://example.com/{view_url}", False),
        ("{optout_confirm_url}", False),
        ("mailto:", False),
    ],
)
def test_an_unfit_url_is_known(url, is_fit):
    assert (fault_of(url) == "") is is_fit


def test_every_link_leads_somewhere(previews):
    faults = {}
    for shown in previews:
        document = Document(shown.html)
        assert len(document.links) > 4
        in_text = re.findall(r"\S*://\S*", shown.text)
        assert in_text
        for url in (*document.links, *document.sources, *in_text):
            if fault := fault_of(url):
                faults[name_of(shown), url] = fault
    assert faults == {}


def test_no_message_is_so_long_that_gmail_cuts_it_off(previews):
    assert [name_of(shown) for shown in previews if len(shown.html.encode()) >= MAX_BYTES] == []


def test_a_message_says_its_language_and_direction(previews):
    for shown in previews:
        direction = "rtl" if is_right_to_left(shown.language) else "ltr"
        assert f'<html lang="{shown.language}" dir="{direction}">' in shown.html


def test_mail_clients_support_what_the_messages_are_made_of(node, previews, page):
    # One language of each direction: the words make no difference.
    files = [page.parent / f"{name_of(shown)}.html" for shown in previews if shown.language in {"en", "he"}]
    linted = subprocess.run(
        [node, str(Path(__file__).parent / "lint.mjs"), ",".join(CLIENTS), *map(str, files)],
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    unsupported: dict[str, set[str]] = {}
    for features in json.loads(linted.stdout).values():
        for feature, clients in features.items():
            unsupported.setdefault(feature, set()).update(clients)
    assert {feature: sorted(clients) for feature, clients in unsupported.items() if feature not in ACCEPTED} == {}
    assert set(ACCEPTED) - set(unsupported) == set(), "accepted, and not needed any more"


# The gallery itself ---------------------------------------------------------------------------------


@pytest.fixture
def some(previews) -> list[Preview]:
    """Two messages in one language of each direction."""
    two = [shown for shown in previews if shown.message_name in {"courseupdate", "upgradereminder"}]
    right_to_left = next(shown.language for shown in two if is_right_to_left(shown.language))
    return [shown for shown in two if shown.language in {"en", right_to_left}]


@pytest.fixture
def small_page(some) -> Path:
    return gallery.write(PICTURES / "gallery", some)


def test_the_gallery_can_be_used_by_everybody(browser, small_page):
    for is_dark in (False, True):
        browser.open(small_page.as_uri(), width=1280, is_dark=is_dark)
        assert browser.violations() == []
        browser.show(width=NARROWEST, is_dark=is_dark)
        assert browser.overflow() == []


def test_the_gallery_shows_what_was_chosen(browser, small_page, some):
    chosen = [shown for shown in some if (shown.message_name, shown.language) == ("courseupdate", "en")]
    browser.open(small_page.as_uri(), width=1440)
    assert count(browser, "article:visible") == len(some)
    browser.do(lambda document: document.get_by_role("combobox", name="Message").select_option("courseupdate"))
    browser.do(lambda document: document.get_by_role("combobox", name="Language").select_option("en"))
    browser.do(lambda document: document.get_by_role("checkbox", name="Dark").uncheck())
    assert count(browser, "article:visible") == len(chosen)
    assert count(browser, "iframe:visible") == 2 * len(chosen)
    said = browser.do(lambda document: document.get_by_role("status").inner_text())
    assert said == f"{len(chosen)} of {len(some)} messages"
    browser.take_picture("gallery")
    browser.do(lambda document: document.reload())
    assert count(browser, "article:visible") == len(chosen)


@pytest.mark.parametrize("is_dark", [False, True])
def test_each_view_has_its_palette_whatever_the_browser_prefers(browser, small_page, is_dark):
    browser.open(small_page.as_uri(), width=1440, is_dark=is_dark)
    grounds = {
        view: browser.do(
            lambda document, name=view: (
                document.frame_locator(f"article:first-of-type [data-view={name}] iframe")
                .locator("body")
                .evaluate("body => getComputedStyle(body).backgroundColor")
            )
        )
        for view in ("desktop", "phone", "dark")
    }
    frame = "article:first-of-type [data-view=desktop] iframe"
    pictures = "images => Promise.all(images.map(image => image.decode().then(() => true, () => false)))"
    shown = browser.do(lambda document: document.frame_locator(frame).locator("img").evaluate_all(pictures))
    assert shown
    assert all(shown)  # also within what a message is held by
    assert grounds["desktop"] == grounds["phone"]
    assert brightness(grounds["desktop"]) > 200
    assert brightness(grounds["dark"]) < 50


def brightness(color: str) -> float:
    """From 0, black, to 255."""
    channels = [int(number) for number in re.findall(r"\d+", color)[:3]]
    return sum(channels) / len(channels)


def count(browser: Browser, selector: str) -> int:
    return browser.do(lambda document: document.locator(selector).count())
