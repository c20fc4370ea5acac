"""What the how-to pages tell a host to do about the e-mails, done: the samples on the pages are what is tried here.

Samples that extend a template are tried in `test_email_seams`.
"""

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from textwrap import dedent

import pytest
from django.contrib.sites.models import Site

from schedules.contrib.lms.models import SiteConfiguration
from schedules.previewing import preview
from schedules.values.markup import PLACEHOLDERS, Markdown, check_markdown

pytestmark = pytest.mark.django_db

HOWTO = Path(__file__).resolve().parents[2] / "docs/howto"


def samples(page, language):
    """The blocks of code in a language."""
    text = (HOWTO / f"{page}.rst").read_text(encoding="utf-8")
    blocks = re.findall(rf"^\.\. code-block:: {re.escape(language)}\n\n((?:   [^\n]*\n|\n)+)", text, re.M)
    return [dedent(block) for block in blocks]


def images(html):
    """URL -> alternative text of each image."""
    found = {}

    class Images(HTMLParser):
        def handle_starttag(self, tag, attrs):
            if tag == "img":
                found[dict(attrs)["src"]] = dict(attrs)["alt"]

    Images().feed(html)
    return found


def test_an_app_that_stands_before_changes_a_word(settings, tmp_path, monkeypatch):
    folder = tmp_path / "campus/templates/schedules/edx_ace/courseupdate/email"
    folder.mkdir(parents=True)
    (tmp_path / "campus/__init__.py").touch()
    (word,) = (sample for sample in samples("change-the-emails", "html+django") if "button_label" in sample)
    (folder / "words.txt").write_text(word, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    before = preview("courseupdate", "en")
    settings.INSTALLED_APPS = ["campus", *settings.INSTALLED_APPS]
    after = preview("courseupdate", "en")
    assert "Enter the course" in after.html
    assert "Enter the course" in after.text
    assert "Enter the course" not in before.html + before.text
    assert after.subject == before.subject


def test_a_logo_for_all_sites(settings):
    (sample,) = samples("change-the-emails", "python")
    names = {}
    exec(sample, names)  # noqa: S102 - a page of this project
    assert images(preview("recurringnudge_day3", "en", "without_upsell").html) == {}
    settings.LOGO_URL = names["LOGO_URL"]
    changed = preview("recurringnudge_day3", "en", "without_upsell").html
    assert images(changed) == {"https://example.com/static/campus/logo.png": "Meadow University"}


def test_the_values_of_one_site():
    (sample,) = samples("change-the-emails", "json")
    harbor = Site.objects.create(domain="harbor.example.org", name="Harbor")
    SiteConfiguration.objects.create(site=harbor, enabled=True, site_values=json.loads(sample))
    html = preview("recurringnudge_day3", "en", "without_upsell", site=harbor).html
    assert images(html) == {"https://harbor.example.org/logo.png": "Harbor Academy"}
    assert "1 Pier Road, Harbor" in html
    other = preview("recurringnudge_day3", "en", site=Site.objects.get(domain="example.com")).html
    assert "Harbor Academy" not in other


def test_a_whole_template(settings, tmp_path):
    (sample,) = samples("change-the-emails", "django")
    path = tmp_path / "schedules/edx_ace/courseupdate/email/subject.txt"
    path.parent.mkdir(parents=True)
    path.write_text(sample, encoding="utf-8")
    settings.TEMPLATES = [{**settings.TEMPLATES[0], "DIRS": [tmp_path]}]
    assert preview("courseupdate", "en").subject == "Week 1: Soil & Seeds"


def test_the_sample_of_custom_text_can_be_written():
    (sample,) = samples("custom-text", "markdown")
    check_markdown(sample, PLACEHOLDERS)
    values = {"name": "Alice", "course": "A Garden in a Year"}
    assert Markdown(sample).text(values) == (
        "Welcome back, Alice! The seeds of A Garden in a Year are still there.\n\n"
        "* Look at what is new (https://campus.example.com/new)\n"
        "* Write to us (garden@campus.example.com)"
    )
    assert "<strong>still there</strong>" in Markdown(sample).html(values)
