"""What hosts and neighbors put into the e-mails: names, custom text, pictures, a way out, colors and styles."""

from __future__ import annotations

import copy
import re
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from django.template import Context, Engine, TemplateSyntaxError
from django.test import override_settings
from django.utils.html import strip_tags
from edx_ace.channel.sailthru import SailthruEmailChannel

from tests.emails import COURSE, COURSE_HOME, MESSAGES, Page, render, whole_html, without_isolates, words_of

ROOT = Path(__file__).parents[2]
TEMPLATES = ROOT / "schedules/templates/schedules/edx_ace"
UNSUBSCRIBE = "https://example.com/unsubscribe/token?utm_source=schedules"

every_message = pytest.mark.parametrize(("name", "is_several"), MESSAGES)
every_language = pytest.mark.parametrize("language", ["en", "he"])


@pytest.fixture
def override(tmp_path: Path, settings: Any) -> Any:
    """Puts a template of the host's own before that of the same path below `schedules/edx_ace/`."""
    templates = copy.deepcopy(settings.TEMPLATES)
    templates[0]["DIRS"] = [tmp_path]

    def write(path: str, text: str) -> None:
        template = tmp_path / "schedules/edx_ace" / path
        template.parent.mkdir(parents=True, exist_ok=True)
        template.write_text(text, encoding="utf-8")
        settings.TEMPLATES = templates

    return write


# The learner's name -------------------------------------------------------------------------------


@every_message
def test_a_learner_is_greeted_by_name(name: str, is_several: bool) -> None:
    email = render(name, is_several, learner_name="Ada & Co")
    assert "\n\nHello Ada & Co,\n\n" in email.body
    assert 'Hello <span dir="auto">Ada &amp; Co</span>,' in email.body_html
    assert "\n\n\n" not in email.body
    assert "Ada" not in email.subject


@every_message
@pytest.mark.parametrize("context", [{}, {"learner_name": ""}])
def test_a_learner_without_a_name_is_not_greeted(name: str, is_several: bool, context: dict[str, str]) -> None:
    email = render(name, is_several, **context)
    assert "Hello" not in email.body + email.body_html


def test_a_name_of_the_other_direction_is_isolated() -> None:
    english = render("recurringnudge_day3", course_name="Clean Water", learner_name="דנה")
    assert "Hello \u2068דנה\u2069," in english.body
    assert "lesson in Clean Water is" in english.body
    hebrew = render("recurringnudge_day3", language="he", course_name="C++", learner_name="דנה")
    assert "\u2068C++\u2069" in hebrew.body
    assert "\u2068דנה" not in hebrew.body
    assert '<span dir="auto">דנה</span>' in hebrew.body_html


# Custom text ----------------------------------------------------------------------------------------

OWN = {
    "custom_subject": "Bees & “friends”",
    "custom_intro_html": '<p>The <strong>bees</strong> are <a href="https://bees.example/?a=1&amp;b=2">back</a>.</p>',
    "custom_intro_text": "The bees are back: https://bees.example/?a=1&b=2",
    "custom_button_label": "Visit <them>",
}


@every_message
@every_language
def test_custom_text_take_the_place_of_the_templates(name: str, is_several: bool, language: str) -> None:
    plain = render(name, is_several, language=language, learner_name="Ada")
    own = render(name, is_several, language=language, learner_name="Ada", **OWN)
    assert own.subject == "Bees & “friends”"
    assert "<title>Bees &amp; “friends”</title>" in own.head_html
    assert "\n\nThe bees are back: https://bees.example/?a=1&b=2\n" in own.body
    assert "\nVisit <them>\nhttps://" in own.body
    assert "The <strong>bees</strong> are" in own.body_html
    assert "Visit &lt;them&gt;</a>" in own.body_html
    assert "\n\n\n" not in own.body
    assert Page(whole_html(own)).open == []
    # What is not the course's to say stays.
    assert "Ada" in own.body
    assert own.from_name == plain.from_name
    lead = without_isolates(plain.body).split("\n\n")[2]
    assert lead not in without_isolates(own.body)


@every_message
def test_empty_custom_text_change_nothing(name: str, is_several: bool) -> None:
    assert render(name, is_several, **dict.fromkeys(OWN, "")) == render(name, is_several)


def test_custom_text_look_like_all_others() -> None:
    html = render("recurringnudge_day3", **OWN).body_html
    assert re.search(r'<a href="https://bees.example/[^"]*" style="color: #17654a;">back</a>', html)
    assert '<p style="margin: 0 0 16px;">The' in html
    preheader = re.search(r'class="s-preheader"[^>]*>([^<\u034f]*)', html)
    assert preheader
    assert preheader[1].startswith("The bees are back")


# A way out ----------------------------------------------------------------------------------------


@every_message
def test_the_way_out_stands_in_both_parts(name: str, is_several: bool) -> None:
    email = render(name, is_several, unsubscribe_url=UNSUBSCRIBE)
    assert f"\n\nUnsubscribe from these e-mails\n{UNSUBSCRIBE}\n" in email.body
    assert Page(email.body_html).links.count(UNSUBSCRIBE) == 1
    assert "\n\n\n" not in email.body
    silent = render(name, is_several, unsubscribe_url="")
    assert "Unsubscribe" not in silent.body + silent.body_html


@override_settings(
    ACE_CHANNEL_SAILTHRU_TEMPLATE_NAME="weekly", ACE_CHANNEL_SAILTHRU_API_KEY="key", ACE_CHANNEL_SAILTHRU_API_SECRET="x"
)
def test_sailthrus_way_out_of_everything_stands_beside_ours() -> None:
    email = render("courseupdate", channel=SailthruEmailChannel(), unsubscribe_url=UNSUBSCRIBE)
    assert (
        "\nUnsubscribe from this list\n{optout_confirm_url}\n"
        f"\nUnsubscribe from these e-mails\n{UNSUBSCRIBE}\n" in email.body
    )
    assert "\n\n\n" not in email.body
    assert [one for one in Page(email.body_html).links if one in (UNSUBSCRIBE, "{optout_confirm_url}")] == [
        "{optout_confirm_url}",
        UNSUBSCRIBE,
    ]


# Pictures -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["recurringnudge_day3", "upgradereminder", "courseupdate"])
def test_a_course_picture_adds_nothing_that_must_be_seen(name: str) -> None:
    email = render(name, course_image_url="https://example.com/garden.jpg?a=1&b=2")
    [image] = Page(email.body_html).images
    assert image["src"] == "https://example.com/garden.jpg?a=1&b=2"
    assert image["alt"] == COURSE
    assert (image["width"], image["height"]) == ("520", "293")
    assert words_of(email.body_html) == words_of(render(name).body_html)
    assert Page(render(name, course_image_url="").body_html).images == []


# Long lists ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 8, 9, 12, 40, 100])
def test_every_highlight_is_listed_however_many_there_are(count: int) -> None:
    highlights = [f"Highlight {number}." for number in range(count)]
    email = render("courseupdate", week_highlights=highlights)
    assert re.findall(r"^\* (Highlight.*)$", email.body, re.M) == highlights
    assert re.findall(r"Highlight \d+\.", strip_tags(email.body_html.partition("<h2")[2])) == highlights
    assert email.body_html.count("<li") == count


@pytest.mark.parametrize("count", [2, 8, 9, 12, 40, 100])
def test_every_course_is_listed_with_its_link_and_date_however_many_there_are(count: int) -> None:
    links = [
        {"url": f"{COURSE_HOME}{number}", "name": f"Course {number}.", "upgrade_deadline": f"May {number}, 2026"}
        for number in range(count)
    ]
    email = render("upgradereminder", is_several=True, course_links=links)
    said = [(link["name"], f"Upgrade by {link['upgrade_deadline']}", link["url"]) for link in links]
    assert re.findall(r"^\* (Course .*)\n  (.*)\n  (.*)$", email.body, re.M) == said
    words = words_of(email.body_html)
    assert [words.count(f"{name} {date}") for name, date, _ in said] == [1] * count
    assert [url for url in Page(email.body_html).links if url.startswith(COURSE_HOME)] == [url for *_, url in said]
    assert "\n\n\n" not in email.body
    assert len(whole_html(email).encode()) < 100_000  # Gmail cuts off what is longer than 102 kB


# Colors and styles --------------------------------------------------------------------------------

COLORS = "common/colors.txt"


def test_a_host_changes_a_color_in_one_place(override: Any) -> None:
    override(
        COLORS,
        '{% extends "schedules/edx_ace/common/colors.txt" %}{% block own %}brand #8a3324 #f0b49e{% endblock %}',
    )
    email = render("recurringnudge_day3")
    html = whole_html(email)
    assert "#17654a" not in html
    assert "#86d8b6" not in html
    assert 'bgcolor="#8a3324"' in email.body_html
    assert "background-color: #8a3324" in email.body_html
    assert "#f0b49e" in email.head_html
    assert "#f0b49e" not in email.body_html


def test_a_host_changes_a_style_in_one_block(override: Any) -> None:
    override(
        "common/styles.css",
        '{% extends "schedules/edx_ace/common/styles.css" %}'
        "{% block buttons %}{{ block.super }} .s-button { border-radius: 0; }{% endblock %}",
    )
    html = render("recurringnudge_day3").body_html
    assert html.count("border-radius: 0;") == 2


def test_the_samples_of_the_how_to_do_what_they_say(override: Any) -> None:
    page = (ROOT / "docs/howto/change-the-emails.rst").read_text(encoding="utf-8")
    samples = re.findall(r"^.. code-block:: html\+django\n\n((?:   .*\n|\n)+)", page, re.MULTILINE)
    assert len(samples) == 5
    for sample in map(dedent, samples):
        [path] = re.findall(r'{% extends "schedules/edx_ace/([^"]+)" %}', sample)
        assert f"``schedules/edx_ace/{path}``" in page or f"``{path}``" in page
        override(path, sample)
    email = render("courseupdate", platform_name="Meadow University")
    assert f"\nEnter the course\n{COURSE_HOME}\n" in email.body
    assert "Enter the course</a>" in email.body_html
    assert "#8a3324" in email.body_html
    assert "#f0b49e" in email.head_html
    assert "border-radius: 0;" in email.body_html
    assert "Our own header" in email.body_html
    override("common/base_body.html", '{% extends "schedules/edx_ace/common/base_body.html" %}')
    assert "Sign in" in words_of(render("courseupdate", platform_name="Meadow University").body_html)
    harbor = words_of(render("courseupdate", platform_name="Harbor Academy").body_html)
    assert "Come aboard" in harbor
    assert "Sign in" not in harbor


@pytest.mark.parametrize(
    ("path", "text", "complaint"),
    [
        (COLORS, "brand #8a3324", "has the line 'brand #8a3324'; write a name, a color for light screens"),
        (
            "common/styles.css",
            ".s-text { color: var(--ink); }",
            "There is no color 'ink'; .*colors.txt has page, card,",
        ),
    ],
)
def test_a_color_that_cannot_be_used_is_named(override: Any, path: str, text: str, complaint: str) -> None:
    override(path, text)
    with pytest.raises(TemplateSyntaxError, match=complaint):
        render("recurringnudge_day3")


def test_a_stylesheet_must_be_named() -> None:
    engine = Engine(libraries={"schedules_email": "schedules.templatetags.schedules_email"})
    with pytest.raises(TemplateSyntaxError, match="'styled' did not receive"):
        engine.from_string("{% load schedules_email %}{% styled %}{% endstyled %}").render(Context())


def classes_in(*suffixes: str) -> set[str]:
    """The classes that the e-mails' templates of these kinds name."""
    texts = (path.read_text(encoding="utf-8") for path in TEMPLATES.rglob("*") if path.suffix in suffixes)
    return {name for text in texts for name in re.findall(r"\bs-[a-z-]+\b", text)}


def test_each_class_has_a_style_and_each_style_is_used() -> None:
    assert classes_in(".html") == classes_in(".html", ".css")
    styled = set(re.findall(r"\.(s-[a-z-]+)", (TEMPLATES / "common/styles.css").read_text(encoding="utf-8")))
    assert classes_in(".html") - styled == {"s-wide"}  # for phones alone


@every_message
def test_nothing_is_styled_by_the_head_alone(name: str, is_several: bool) -> None:
    """Gmail drops the head's styles for mailboxes of others; the page must hold without."""
    body = render(name, is_several).body_html
    bare = {tag for tag in re.findall(r'<[^>]*class="s-[^>]*>', body) if "style=" not in tag}
    assert {name for tag in bare for name in re.findall(r"s-[a-z-]+", tag)} <= {"s-name", "s-wide"}
    assert body.count(' style="') > 20


@every_message
def test_dark_colors_reach_those_who_ask_and_those_whom_outlook_darkens(name: str, is_several: bool) -> None:
    head = render(name, is_several).head_html
    rule = ".s-text { color: #edf1f2 !important; }"
    assert re.search(rf"prefers-color-scheme: dark\) {{[^@]*\n{re.escape(rule)}", head)
    assert f"\n[data-ogsc] {rule}" in head
    assert "[data-ogsc] .s-link, [data-ogsc] .s-sign-in" in head
    assert "var(" not in head
