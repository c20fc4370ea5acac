"""What somebody typed, or another program said, is measured before it is read: a long text costs nobody their time."""

from __future__ import annotations

import pytest
from django.contrib.sites.models import Site
from django.core.exceptions import ValidationError
from markdown_it import MarkdownIt

from schedules import custom_text
from schedules.models import CustomText
from schedules.values import languages, markup
from schedules.values.outcomes import FailReason, failed
from schedules.values.text import MAX_DETAIL_CHARACTERS, without_addresses
from tests.world import enroll, make_course, make_learner, open_site, send_nudges

pytestmark = pytest.mark.django_db

LONG = "*a " * 70_000
FORM = {"site": "1", "message_name": "recurringnudge_day3", "enabled": "on", "_variant": "one_course"}


@pytest.fixture
def parsed(monkeypatch):
    """The lengths of the texts that reach the Markdown parser."""
    lengths = []
    for name in ("parse", "parseInline"):
        parse = getattr(MarkdownIt, name)

        def counted(self, source, *more, parse=parse):
            lengths.append(len(source))
            return parse(self, source, *more)

        monkeypatch.setattr(MarkdownIt, name, counted)
    return lengths


@pytest.mark.parametrize(("field", "limit"), [("intro", 3000), ("subject", 150), ("button_label", 40)])
@pytest.mark.parametrize("page", ["preview", "send"])
def test_custom_text_that_is_too_long_is_refused_before_it_is_read(admin_client, parsed, field, limit, page):
    url, accept = f"/admin/schedules/customtext/{page}/", {"accept": "application/json"}
    answer = admin_client.post(url, {**FORM, field: LONG}, headers=accept).json()
    (said,) = answer["errors"][field]
    assert f"at most {limit} characters" in said
    assert max(parsed, default=0) <= limit
    assert answer["preview"] is None
    assert "done" not in answer


def test_custom_text_that_is_just_short_enough_is_read(admin_client, parsed):
    text = "word " * 599 + "words"
    url, accept = "/admin/schedules/customtext/preview/", {"accept": "application/json"}
    answer = admin_client.post(url, {**FORM, "intro": text}, headers=accept).json()
    assert answer["errors"] == {}
    assert len(text) == max(parsed) == markup.MAX_CHARACTERS


def test_a_script_is_told_each_mistake_once_and_no_host_or_folder_is_asked_about_a_long_id(parsed, change_host):
    asked = []
    change_host("courses", lambda answer, ids: asked.extend(ids) or {})
    fields = ("course_id", "message_name", "language", "subject", "intro", "button_label")
    with pytest.raises(ValidationError) as refusal:
        CustomText(site=Site.objects.get(), **dict.fromkeys(fields, "x" * 100_000)).save()
    told = refusal.value.message_dict
    assert {field: len(lines) for field, lines in told.items()} == dict.fromkeys(fields, 1)
    assert (asked, parsed) == ([], [])


def test_custom_text_that_a_script_stored_too_long_is_not_read_and_the_templates_words_are_sent(email_channel, parsed):
    site = open_site()
    CustomText.objects.bulk_create(
        [CustomText(site=site, message_name="recurringnudge_day3", enabled=True, intro=LONG)]
    )
    enroll(make_learner(), make_course())
    send_nudges()
    assert len(email_channel) == 1
    assert max(parsed, default=0) <= markup.MAX_CHARACTERS
    assert custom_text.read(site.pk, "recurringnudge_day3", []).context([], "en", {}) == {}


@pytest.mark.parametrize("check", [markup.check_line, markup.check_markdown])
def test_no_check_reads_what_is_too_long(check, parsed):
    with pytest.raises(ValidationError, match="at most 3000 characters"):
        check(LONG, [])
    with pytest.raises(ValidationError, match="at most 3000 characters"):
        markup.Markdown(LONG)
    assert parsed == []


@pytest.mark.parametrize("text", ["x" * 100_000, "a@" * 50_000, " " * 100_000, "a@b.example, " * 10_000])
def test_of_what_others_say_no_more_is_read_than_can_be_of_use(text):
    assert len(without_addresses(text, "alice@example.com")) <= MAX_DETAIL_CHARACTERS + 1
    assert "@" not in without_addresses(text)
    assert len(failed(FailReason.CHANNEL_REFUSED, text).detail) <= MAX_DETAIL_CHARACTERS + 1


@pytest.mark.parametrize("between", [" ", "<", ",", '"'])
def test_no_part_of_an_address_is_left_where_a_text_is_cut(between):
    beginning = "no such mailbox" + between * (MAX_DETAIL_CHARACTERS - len("no such mailbox") - 3)
    said = without_addresses(f"{beginning}alice@example.com and more")
    assert said.startswith("no such mailbox")
    assert said.endswith(f"{between}…")
    assert "ali" not in said


def test_a_language_that_is_no_code_however_long_is_no_language():
    assert languages.nearest("x" * 100_000) is None
    assert languages.nearest("es-" + "x" * 100_000) == "es"
