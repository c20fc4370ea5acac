"""The e-mails as edx-ace renders them: every message, both parts, in a left-to-right and a right-to-left language."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from html import escape
from pathlib import Path

import pytest
from django.conf import settings
from django.template.loader import get_template
from django.test import override_settings
from edx_ace.channel.sailthru import SailthruEmailChannel

from tests.emails import (
    COURSE,
    COURSE_HOME,
    DASHBOARD,
    DEADLINE,
    MESSAGES,
    NUDGES,
    UPGRADE,
    Page,
    render,
    whole_html,
    without_isolates,
    words_of,
)

every_message = pytest.mark.parametrize(("name", "is_several"), MESSAGES)
every_language = pytest.mark.parametrize("language", ["en", "he"])
with_and_without_upsell = pytest.mark.parametrize("show_upsell", [True, False])


@pytest.fixture(scope="module", autouse=True)
def _undefined_variables_show() -> Iterator[None]:
    """For the whole file: each change of `TEMPLATES` makes Django compile all templates again."""
    templates = copy.deepcopy(settings.TEMPLATES)
    templates[0]["OPTIONS"]["string_if_invalid"] = "INVALID(%s)"
    with override_settings(TEMPLATES=templates):
        yield


@every_message
@every_language
@with_and_without_upsell
def test_every_message_renders_well(name: str, is_several: bool, language: str, show_upsell: bool) -> None:
    email = render(name, is_several, language=language, show_upsell=show_upsell)
    html = whole_html(email)

    for part in (html, email.body, email.subject, email.from_name):
        assert "INVALID" not in part
        assert "{{" not in part
        assert "{%" not in part

    # Names are escaped where markup is read, and nowhere else.
    assert "<b>" not in html
    assert escape(COURSE, quote=False) in email.body_html
    assert COURSE in email.body
    assert "&amp;" not in email.body + email.subject + email.from_name
    assert email.from_name == ("Meadow & Co." if is_several else COURSE)
    assert ("Meadow & Co." if is_several else COURSE) in email.subject

    # Sailthru drops a subject or a sender's name that begins or ends with a line break.
    assert email.subject == " ".join(email.subject.split())
    assert "\n" not in email.from_name

    # The text part reads well by itself.
    assert "\n\n\n" not in email.body
    assert not re.search(r"[ \t]$", email.body, re.MULTILINE)
    assert not email.body.startswith("\n")
    assert email.body.endswith("\n")
    assert not email.body.endswith("\n\n")
    assert all(line.strip().startswith("http") for line in email.body.splitlines() if "://" in line)

    # The HTML part is small, whole, and says its language and direction itself: edx-ace's <html> does not.
    assert len(html.encode()) < 30_000
    assert Page(html).open == []
    direction = "rtl" if language == "he" else "ltr"
    assert f'lang="{language}" dir="{direction}"' in email.body_html
    assert f'align="{"right" if language == "he" else "left"}"' in email.body_html


@every_message
@with_and_without_upsell
def test_both_parts_have_the_same_links(name: str, is_several: bool, show_upsell: bool) -> None:
    email = render(name, is_several, show_upsell=show_upsell)
    in_html = {link for link in Page(email.body_html).links if not link.startswith("mailto:")}
    in_text = set(re.findall(r"https?://\S+", email.body))
    assert in_html == in_text


@pytest.mark.parametrize("name", NUDGES)
@with_and_without_upsell
def test_a_nudge_leads_to_the_course_or_with_several_to_the_dashboard(name: str, show_upsell: bool) -> None:
    one = render(name, show_upsell=show_upsell)
    assert f"\nKeep learning\n{COURSE_HOME}\n" in one.body
    several = render(name, is_several=True, show_upsell=show_upsell)
    assert f"\nKeep learning\n{DASHBOARD}\n" in several.body
    assert COURSE_HOME not in several.body


@every_message
def test_the_upgrade_is_offered_only_when_there_is_one(name: str, is_several: bool) -> None:
    offering = render(name, is_several, show_upsell=True)
    silent = render(name, is_several, show_upsell=False)
    assert UPGRADE not in silent.body
    assert escape(UPGRADE) not in silent.body_html
    if name == "upgradereminder" and is_several:
        assert UPGRADE not in offering.body  # each course has its own; the dashboard lists them
    else:
        assert f"\nUpgrade now\n{UPGRADE}\n" in offering.body
        assert offering.body.count(UPGRADE) == 1
        assert offering.body_html.count(escape(UPGRADE)) == 1
        assert f'<strong dir="auto">{DEADLINE}</strong>' in offering.body_html


def test_a_nudge_counts_the_other_courses() -> None:
    two, four = (
        without_isolates(render("recurringnudge_day3", is_several=True, **changes).body)
        for changes in ({}, {"course_ids": ["a", "b", "c", "d"]})
    )
    assert "& שלום and 1 other course at Meadow" in two
    assert "& שלום and 3 other courses at Meadow" in four


def test_a_reminder_about_several_courses_lists_each_with_its_own_link_and_date() -> None:
    email = render("upgradereminder", is_several=True)
    assert f"* {COURSE}\n  Upgrade by {DEADLINE}\n  {COURSE_HOME}\n" in email.body
    assert f"* Bread\n  Upgrade by March 4, 2026\n  {COURSE_HOME}2\n" in email.body
    assert f"\nSee my courses\n{DASHBOARD}\n" in email.body
    assert 'Upgrade by <strong dir="auto">March 4, 2026</strong>' in email.body_html
    assert {COURSE_HOME, COURSE_HOME + "2"} <= set(Page(email.body_html).links)


def test_a_course_update_lists_what_the_week_brings() -> None:
    email = render("courseupdate")
    assert "\nLeaves & light\n\n* Why leaves are green & when not\n* Walk < 5 km\n\n" in email.body
    assert email.body_html.count("<li") == 2
    assert "Walk &lt; 5 km" in email.body_html
    assert email.subject == f"Week 3: what comes next in {COURSE}"
    assert f"\nGo to my course\n{COURSE_HOME}\n" in email.body


def test_a_host_replaces_the_looks_and_the_words_block_by_block(tmp_path: Path) -> None:
    looks = tmp_path / "schedules/edx_ace/common/base_body.html"
    words = tmp_path / "schedules/edx_ace/courseupdate/email/words.txt"
    for template, block in ((looks, "header"), (words, "button_label")):
        path = template.relative_to(tmp_path)
        template.parent.mkdir(parents=True)
        template.write_text(f'{{% extends "{path}" %}}{{% block {block} %}}Our own {block}{{% endblock %}}')
    templates = copy.deepcopy(settings.TEMPLATES)
    templates[0]["DIRS"] = [tmp_path]
    with override_settings(TEMPLATES=templates):
        email = render("courseupdate")
    assert "Our own header" in email.body_html
    assert "Sign in" not in email.body_html
    assert f"\nOur own button_label\n{COURSE_HOME}\n" in email.body
    assert "Our own button_label</a>" in email.body_html
    assert "Leaves &amp; light" in email.body_html


@every_message
def test_the_title_of_the_page_is_the_subject(name: str, is_several: bool) -> None:
    email = render(name, is_several)
    assert f"<title>{escape(email.subject)}</title>" in email.head_html


@every_message
def test_both_parts_say_the_same(name: str, is_several: bool) -> None:
    email = render(name, is_several)
    in_html = words_of(email.body_html)
    for line in without_isolates(email.body).splitlines():
        sentence = line.removeprefix("*").strip()
        if sentence and "://" not in sentence and not re.fullmatch(r"[*\s-]+", line):
            assert sentence in in_html


def test_the_logo_stands_for_the_platform_when_there_is_one() -> None:
    with_logo = render("courseupdate", logo_url="https://example.com/logo.png?a=1&b=2")
    [logo] = Page(with_logo.body_html).images
    assert logo["src"] == "https://example.com/logo.png?a=1&b=2"
    assert logo["alt"] == "Meadow & Co."
    assert Page(render("courseupdate").body_html).images == []


def test_the_footer_names_networks_and_stores_as_they_write_themselves() -> None:
    email = render(
        "courseupdate",
        social_media_urls={"youtube": "https://youtube.example/a", "meetup": "https://meetup.example/a"},
        mobile_store_urls={"apple": "https://apple.example/a", "google": "https://google.example/a"},
    )
    assert "Follow us\nYouTube\nhttps://youtube.example/a\nMeetup\nhttps://meetup.example/a\n" in email.body
    assert "Get the app\nApp Store\nhttps://apple.example/a\nGoogle Play\nhttps://google.example/a\n" in email.body
    assert "YouTube · Meetup" in words_of(email.body_html)
    assert "\n\n\n" not in email.body
    assert "Follow us" not in render("courseupdate").body
    assert "Get the app" not in render("courseupdate").body


def test_a_footer_without_addresses_has_no_gaps() -> None:
    email = render("courseupdate", contact_email="", contact_mailing_address="")
    assert email.body.endswith("\n\n© 2026 Meadow & Co.\n")
    assert "mailto:" not in email.body_html


@override_settings(USE_THOUSAND_SEPARATOR=True)
def test_a_year_is_not_written_as_an_amount() -> None:
    email = render("courseupdate")
    assert "© 2026 Meadow & Co." in email.body
    assert "© 2026 Meadow & Co." in words_of(email.body_html)


@override_settings(
    ACE_CHANNEL_SAILTHRU_TEMPLATE_NAME="weekly", ACE_CHANNEL_SAILTHRU_API_KEY="key", ACE_CHANNEL_SAILTHRU_API_SECRET="x"
)
@every_message
def test_what_sailthru_fills_in_is_left_as_it_is(name: str, is_several: bool) -> None:
    email = render(name, is_several, channel=SailthruEmailChannel())
    assert 'href="{view_url}"' in email.body_html
    assert 'href="{optout_confirm_url}"' in email.body_html
    assert [image["src"] for image in Page(email.body_html).images] == ["{beacon_src}"]
    assert "\nUnsubscribe from this list\n{optout_confirm_url}\n" in email.body
    assert "\n\n\n" not in email.body


def contrast(one: str, other: str) -> float:
    """The contrast ratio of two colors (WCAG 2.2, 1.4.3)."""

    def luminance(color: str) -> float:
        channels = [int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in channels]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


#: What is read on what: text, muted text, links and buttons, in the light palette and in the dark one.
PALETTES = [
    *(("#27343a", ground) for ground in ("#ffffff", "#eff6f1")),
    *(("#16241f", ground) for ground in ("#ffffff", "#eff6f1", "#f3f1ea")),
    *(("#17654a", ground) for ground in ("#ffffff", "#f3f1ea")),
    ("#56646b", "#f3f1ea"),
    ("#ffffff", "#17654a"),
    *(("#edf1f2", ground) for ground in ("#1c2529", "#23302f", "#12181b")),
    *(("#86d8b6", ground) for ground in ("#1c2529", "#23302f", "#12181b")),
    ("#b3bfc4", "#12181b"),
    ("#0e211a", "#86d8b6"),
]


@pytest.mark.parametrize(("ink", "ground"), PALETTES)
def test_every_color_can_be_read_on_its_ground(ink: str, ground: str) -> None:
    html = whole_html(render("recurringnudge_day3"))
    assert ink in html
    assert ground in html
    assert contrast(ink, ground) >= 4.5


def test_every_color_of_the_palettes_is_tested() -> None:
    borders = {"#e2ded2", "#cfe2d6", "#2f3b41", "#3a4d4a"}
    colors = set(re.findall(r"#[0-9a-f]{6}\b", whole_html(render("recurringnudge_day3"))))
    assert colors == borders | {color for pair in PALETTES for color in pair}


@pytest.mark.parametrize("name", sorted({name for name, _ in MESSAGES}))
@pytest.mark.parametrize("file", ["subject.txt", "from_name.txt", "body.txt", "head.html", "body.html"])
def test_every_file_that_edx_ace_asks_for_exists(name: str, file: str) -> None:
    assert get_template(f"schedules/edx_ace/{name}/email/{file}")
