"""What the how-to pages tell a host to do about the e-mails, done: the samples on the pages are the files here."""

import json
import re
import sys
from html.parser import HTMLParser
from pathlib import Path
from textwrap import dedent

import pytest
from django.contrib.sites.models import Site

from schedules.contrib.lms.models import SiteConfiguration
from schedules.message_types import message_names
from schedules.previewing import preview
from schedules.wording import PLACEHOLDERS, Markdown, check_markdown

pytestmark = pytest.mark.django_db

HOWTO = Path(__file__).resolve().parents[2] / "docs/howto"


def blocks(page, language):
    """Caption (may be empty) and text of each block of code in a language, in order."""
    text = (HOWTO / f"{page}.rst").read_text(encoding="utf-8")
    pattern = rf"^\.\. code-block:: {re.escape(language)}\n(?:   :caption: (\S+)\n)?\n((?:   [^\n]*\n|\n)+)"
    return [(caption, dedent(block)) for caption, block in re.findall(pattern, text, re.M)]


def images(html):
    """URL -> alternative text of each image."""
    found = {}

    class Images(HTMLParser):
        def handle_starttag(self, tag, attrs):
            if tag == "img":
                found[dict(attrs)["src"]] = dict(attrs)["alt"]

    Images().feed(html)
    return found


TEMPLATES = dict(blocks("change-the-emails", "html+django"))


@pytest.fixture
def campus(settings, tmp_path, monkeypatch):
    """An app that stands before `schedules`; returns a function that writes one of the page's templates into it."""
    (tmp_path / "campus").mkdir()
    (tmp_path / "campus/__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)

    def write(path):
        path = f"campus/templates/schedules/edx_ace/{path}"
        (tmp_path / path).parent.mkdir(parents=True)
        (tmp_path / path).write_text(TEMPLATES[path])
        settings.INSTALLED_APPS = ["campus", *settings.INSTALLED_APPS]

    yield write
    sys.modules.pop("campus", None)


def test_a_word_of_one_message(campus):
    campus("recurringnudge_day3/email/words.txt")
    changed = preview("recurringnudge_day3", "en")
    assert "The garden is waiting" in changed.html
    assert changed.text.startswith("The garden is waiting\n")
    assert "The garden is waiting" not in preview("recurringnudge_day10", "en").html


def test_a_word_of_all_messages(campus):
    before = preview("recurringnudge_day3", "en")
    campus("common/words.txt")
    changed = preview("recurringnudge_day3", "en")
    assert "Get my certificate" in changed.html
    assert "Get my certificate" in changed.text
    assert "Get my certificate" not in before.text
    assert changed.subject == before.subject


def test_a_color(campus):
    before = preview("recurringnudge_day3", "en").html
    campus("common/colors.txt")
    for name in message_names():
        html = preview(name, "en").html
        assert "#7a1f5c" in html
        assert "#f0a6d8" in html
        assert "#17654a" not in html
        assert "#86d8b6" not in html
    assert "#17654a" in before
    assert "#86d8b6" in before
    assert "#27343a" in html  # the others stay


def test_a_logo_for_all_sites(settings):
    sample = next(block for _, block in blocks("change-the-emails", "python") if "LOGO_URL" in block)
    names = {}
    exec(sample, names)  # noqa: S102 - a page of this project
    assert images(preview("recurringnudge_day3", "en", "without_upsell").html) == {}
    settings.LOGO_URL = names["LOGO_URL"]
    changed = preview("recurringnudge_day3", "en", "without_upsell").html
    assert images(changed) == {"https://example.com/static/campus/logo.png": "Meadow University"}


def test_the_values_of_one_site():
    ((_, sample),) = blocks("change-the-emails", "json")
    harbor = Site.objects.create(domain="harbor.example.org", name="Harbor")
    SiteConfiguration.objects.create(site=harbor, enabled=True, site_values=json.loads(sample))
    html = preview("recurringnudge_day3", "en", "without_upsell", site=harbor).html
    assert images(html) == {"https://harbor.example.org/logo.png": "Harbor School"}
    assert "1 Pier Road, Harbor" in html
    assert "Harbor School" not in preview("recurringnudge_day3", "en", site=Site.objects.get(domain="example.com")).html


def test_a_part_of_the_layout(campus):
    campus("common/base_body.html")
    changed = preview("courseupdate", "en")
    assert "Meadow University, since 1901" in changed.html
    assert "Sign in" not in changed.html
    assert "Know the soil you have" in changed.html


def test_a_whole_template(campus):
    campus("courseupdate/email/subject.txt")
    assert preview("courseupdate", "en").subject == "Week 1: Soil & Seeds"


def test_every_template_of_the_page_is_tried_here():
    tried = re.findall(r'^    campus\("(.+)"\)$', Path(__file__).read_text(encoding="utf-8"), re.M)
    assert {f"campus/templates/schedules/edx_ace/{path}" for path in tried} == set(TEMPLATES)


def test_the_sample_of_own_words_can_be_written():
    ((_, sample),) = blocks("own-words", "markdown")
    check_markdown(sample, PLACEHOLDERS)
    values = {"name": "Alice", "course": "A Garden in a Year"}
    assert Markdown(sample).text(values) == (
        "Welcome back, Alice! The seeds of A Garden in a Year are still there.\n\n"
        "* Look at what is new (https://campus.example.com/new)\n"
        "* Write to us (garden@campus.example.com)"
    )
    assert "<strong>still there</strong>" in Markdown(sample).html(values)
