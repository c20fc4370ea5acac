"""Words that staff write: what may stand in them, and what becomes of it in HTML and in plain text."""

import re
from html.parser import HTMLParser

import pytest
from django.core.exceptions import ValidationError
from django.utils import translation
from hypothesis import given
from hypothesis import strategies as st

from schedules.values.markup import PLACEHOLDERS, Markdown, NoValueError, check_line, check_markdown, fill, fill_line

VALUES = {
    "course": "A Garden in a Year",
    "platform": "Meadow & Co.",
    "name": "Alice",
    "week": "3",
    "deadline": "March 3, 2026",
}
#: A value that does harm wherever it is read as more than text.
HOSTILE = "<img src=x onerror=alert(1)> **{platform}** [x](https://evil.example) {oops} {"


def problems(check, text, allowed=PLACEHOLDERS):
    with pytest.raises(ValidationError) as refused:
        check(text, allowed)
    return refused.value.messages


@pytest.fixture(autouse=True)
def _english():
    with translation.override("en"):
        yield


# What becomes of it -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "html", "text"),
    [
        ("Welcome back.", '<p dir="auto">Welcome back.</p>', "Welcome back."),
        ("One line,\nanother.", '<p dir="auto">One line,<br>\nanother.</p>', "One line,\nanother."),
        ("One.\n\nTwo.", '<p dir="auto">One.</p>\n<p dir="auto">Two.</p>', "One.\n\nTwo."),
        (
            "*Go* on, **now**",
            '<p dir="auto"><em>Go</em> on, <strong>now</strong></p>',
            "Go on, now",
        ),
        (
            "Read [the *book*](https://example.com/?a=1&b=2).",
            '<p dir="auto">Read <a href="https://example.com/?a=1&amp;b=2" rel="noopener noreferrer">'
            "the <em>book</em></a>.</p>",
            "Read the book (https://example.com/?a=1&b=2).",
        ),
        (
            "<https://example.com/>",
            '<p dir="auto"><a href="https://example.com/" rel="noopener noreferrer">https://example.com/</a></p>',
            "https://example.com/",
        ),
        (
            "[Ask](mailto:help@example.com) or <help@example.com>",
            '<p dir="auto"><a href="mailto:help@example.com" rel="noopener noreferrer">Ask</a> or '
            '<a href="mailto:help@example.com" rel="noopener noreferrer">help@example.com</a></p>',
            "Ask (help@example.com) or help@example.com",
        ),
        (
            "- Sow\n- Water\n  1. a little\n  2. less",
            '<ul dir="auto">\n<li>Sow</li>\n<li>Water\n<ol>\n<li>a little</li>\n<li>less</li>\n</ol>\n</li>\n</ul>',
            "* Sow\n* Water\n  1. a little\n  2. less",
        ),
        (
            "3. Third\n4. Fourth",
            '<ol start="3" dir="auto">\n<li>Third</li>\n<li>Fourth</li>\n</ol>',
            "3. Third\n4. Fourth",
        ),
        ("1 < 2 & 2 * 3", '<p dir="auto">1 &lt; 2 &amp; 2 * 3</p>', "1 < 2 & 2 * 3"),
        ("    indented", '<p dir="auto">indented</p>', "indented"),
        ("", "", ""),
    ],
)
def test_markdown_becomes_plain_html_and_readable_text(source, html, text):
    check_markdown(source, PLACEHOLDERS)
    assert Markdown(source).html({}) == html
    assert Markdown(source).text({}) == text


def test_values_are_put_in_and_keep_their_own_direction():
    words = Markdown("Hello {name}, **{course}** at {platform}")
    assert words.html(VALUES) == (
        '<p dir="auto">Hello <span dir="auto">Alice</span>, <strong><span dir="auto">A Garden in a Year</span></strong>'
        ' at <span dir="auto">Meadow &amp; Co.</span></p>'
    )
    assert words.text(VALUES) == "Hello Alice, A Garden in a Year at Meadow & Co."


def test_in_plain_text_a_value_that_runs_the_other_way_is_kept_apart():
    words = Markdown("{course}!")
    assert words.text({"course": "שלום"}) == "\u2068שלום\u2069!"
    with translation.override("he"):
        assert words.text({"course": "C++"}) == "\u2068C++\u2069!"
        assert words.text({"course": "שלום"}) == "שלום!"


def test_the_same_words_are_filled_anew_for_each_learner():
    words = Markdown("Hello {name}")
    assert [words.text({"name": name}) for name in ("Alice", "Bob")] == ["Hello Alice", "Hello Bob"]


def test_a_value_with_braces_markdown_or_html_does_nothing():
    values = {**VALUES, "course": HOSTILE}
    words = Markdown("In {course} at {platform}")
    assert words.text(values) == f"In {HOSTILE} at Meadow & Co."
    assert tags(words.html(values)) == ["p", "span", "span"]
    assert fill("{course} and {week}", values) == f"{HOSTILE} and 3"


@pytest.mark.parametrize(
    ("words", "filled"),
    [
        ("Hello {name}, go on", "Hello, go on"),
        ("Hello {name}!", "Hello!"),
        ("{name}, your garden waits", "Your garden waits"),
        ("{name}", ""),
        ("**Hello** {name}, go on", "**Hello**, go on"),
    ],
)
def test_a_learner_without_a_name_leaves_no_gap(words, filled):
    assert fill(words, {**VALUES, "name": ""}) == filled


def test_no_gap_is_left_after_emphasis_either():
    assert Markdown("**Hello** {name}, go on").text({"name": ""}) == "Hello, go on"


@pytest.mark.parametrize("values", [{}, {"week": ""}])
def test_words_without_their_value_are_not_said(values):
    for say in (lambda: fill("Week {week}", values), lambda: Markdown("Week {week}").html(values)):
        with pytest.raises(NoValueError, match="week"):
            say()


def test_a_line_stays_one_line_whatever_the_value():
    assert fill_line("In {course}", {"course": "A\r\nBcc: eve@example.com"}) == "In A Bcc: eve@example.com"


# What may stand in it -----------------------------------------------------------------------------


@pytest.mark.parametrize("check", [check_line, check_markdown])
@pytest.mark.parametrize(
    ("words", "problem"),
    [
        ("In {curse}", "This message has no placeholder {curse}. Choose from: {course}, {name}."),
        ("{course.__class__}", "This message has no placeholder {course.__class__}. Choose from: {course}, {name}."),
        ("{0}", "This message has no placeholder {0}. Choose from: {course}, {name}."),
        ("{}", "This message has no placeholder {}. Choose from: {course}, {name}."),
        ("{week}", "This message has no placeholder {week}. Choose from: {course}, {name}."),
        (
            "In {course",
            "A brace has no partner or no placeholder. Use braces only around a placeholder: {course}, {name}.",
        ),
        (
            "In {{course}}",
            "A brace has no partner or no placeholder. Use braces only around a placeholder: {course}, {name}.",
        ),
        ("Go <b>on</b>", "HTML is not allowed here: <b>. Write plain text."),
        ("Go\x07 on", "The text contains a control character: U+0007. Remove it."),
    ],
)
def test_mistakes_are_named_with_what_is_allowed(check, words, problem):
    assert problems(check, words, ("course", "name")) == [problem]


@pytest.mark.parametrize("line", ["One\ntwo", "One\r\ntwo", "One\u2028two"])
def test_a_line_has_no_line_break(line):
    assert problems(check_line, line) == ["Write one line, without a line break."]


@pytest.mark.parametrize(
    ("source", "what"),
    [
        ("# Hello", "headings"),
        ("Hello\n---", "headings"),
        ("![](https://example.com/a.png)", "images"),
        ("`code`", "code"),
        ("```\ncode\n```", "code"),
        ("> said", "quotations"),
        ("One\n\n---\n\n> two", "lines across the page, quotations"),
    ],
)
def test_markdown_that_messages_do_not_have_is_refused(source, what):
    (problem,) = problems(check_markdown, source)
    assert problem.startswith(f"Not allowed in a message: {what}. Use paragraphs, lists, links")


@pytest.mark.parametrize(
    "url",
    ["javascript:alert(1)", "http://example.com", "/courses", "data:text/html,x", "https:", "mailto:", "//example.com"],
)
def test_links_lead_to_https_or_to_an_address(url):
    (problem,) = problems(check_markdown, f"[Go]({url})")
    assert problem.startswith("The link to ")
    assert problem.endswith(" does not work in a message. Write it in full, beginning with https:// or mailto:.")
    assert "href" not in Markdown(f"[Go]({url})").html({})


def test_a_placeholder_in_a_links_address_is_refused():
    (problem,) = problems(check_markdown, "[Go](https://example.com/{course})")
    assert problem.endswith("contains a placeholder. Use placeholders only in the text.")
    assert "href" not in Markdown("[Go](https://example.com/{course})").html(VALUES)


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        (
            "[Go](https://example.com/a b)",
            "A link is incomplete. Write [text](https://…), without a space in the address.",
        ),
        ("[](https://example.com)", "A link has no text. Write [text](https://…)."),
    ],
)
def test_a_link_that_nobody_could_follow_is_refused(source, problem):
    assert problems(check_markdown, source) == [problem]


def test_several_mistakes_are_told_at_once():
    assert len(problems(check_markdown, "# {oops} <b>\n\n[x](/y)")) == 4


# Hostile input ------------------------------------------------------------------------------------

#: Text made of what Markdown, HTML and placeholders are made of.
PIECES = [*"<>&\"'`*_[]()!#-+.:/\\{}=~ \n\t1ax", "javascript:", "https://a.b", "{course}", "{name}", "</p>"]
MARKUP = st.lists(st.sampled_from(PIECES), max_size=25).map("".join)
ANYTHING = st.one_of(st.text(), MARKUP, st.lists(MARKUP, max_size=4).map("\n\n".join))


class _Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))


def tags(html):
    return [tag for tag, _ in tags_with_attributes(html)]


def tags_with_attributes(html):
    parser = _Tags()
    parser.feed(html)
    parser.close()
    return parser.found


@given(source=ANYTHING, value=ANYTHING)
def test_whatever_is_written_the_html_has_nothing_but_what_messages_have(source, value):
    values = dict.fromkeys([*PLACEHOLDERS, "x", "a", "1"], value or "x")
    try:
        html = Markdown(source).html(values)
    except NoValueError:  # a placeholder that is none
        return
    for tag, attributes in tags_with_attributes(html):
        assert tag in {"p", "br", "strong", "em", "a", "ul", "ol", "li", "span"}
        assert set(attributes) <= {"dir", "href", "rel", "start"}
        assert attributes.get("dir", "auto") == "auto"
        assert re.match(r"https://|mailto:", attributes.get("href", "mailto:"))


@given(source=ANYTHING, value=ANYTHING)
def test_whatever_was_approved_can_be_said_to_everybody(source, value):
    try:
        check_markdown(source, PLACEHOLDERS)
    except ValidationError:
        return
    values = {**dict.fromkeys(PLACEHOLDERS, value or "x"), "name": ""}
    words = Markdown(source)
    assert isinstance(words.text(values), str)
    assert words.html(values).count("<a ") == tags(words.html(VALUES)).count("a")


@given(line=ANYTHING, value=ANYTHING)
def test_whatever_line_was_approved_stays_a_line(line, value):
    try:
        check_line(line, PLACEHOLDERS)
    except ValidationError:
        return
    filled = fill_line(line, dict.fromkeys(PLACEHOLDERS, value or "x"))
    assert not re.search(r"[\x00-\x1f\x7f\x85\u2028\u2029]", filled)
