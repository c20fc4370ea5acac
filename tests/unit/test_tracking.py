"""UTM parameters and the pixel, for any URL and any message."""

from urllib.parse import parse_qsl, urlencode, urlsplit
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schedules.tracking import TrackedMessage
from schedules.tracking.pixel import pixel_url
from schedules.tracking.utm import tagged_links, utm_parameters, with_parameters

MESSAGE = TrackedMessage(
    app_label="schedules",
    name="recurringnudge_day3",
    uuid=UUID("6d9c9a4e-5a0f-5c62-9d6e-0a6a0a1b2c3d"),
    send_uuid=UUID("11111111-2222-4333-8444-555555555555"),
    site_domain="example.com",
    course_ids=("course-v1:Meadow+B1+2026", "course-v1:Meadow+B2+2026"),
)
UTM = utm_parameters(MESSAGE)
OURS = (
    "utm_source=schedules&utm_medium=email&utm_campaign=recurringnudge_day3"
    "&utm_content=6d9c9a4e-5a0f-5c62-9d6e-0a6a0a1b2c3d&utm_term=course-v1%3AMeadow%2BB1%2B2026"
)


@pytest.mark.parametrize(
    ("url", "tagged"),
    [
        ("https://example.com/dashboard", f"https://example.com/dashboard?{OURS}"),
        ("https://example.com", f"https://example.com?{OURS}"),
        ("https://example.com/?", f"https://example.com/?{OURS}"),
        ("https://example.com/c/a%2Bb/?x=1+2&x=&y#week-3", f"https://example.com/c/a%2Bb/?x=1+2&x=&y&{OURS}#week-3"),
        ("https://example.com/?utm_source=old&utm_source=older&k=%26", f"https://example.com/?k=%26&{OURS}"),
        ("https://example.com/?utm%5Fterm=old&utm_terms=kept", f"https://example.com/?utm_terms=kept&{OURS}"),
        ("https://example.com/#/a?b=c", f"https://example.com/?{OURS}#/a?b=c"),
        ("HTTP://example.com/#", f"HTTP://example.com/?{OURS}#"),
        ("mailto:help@example.com", "mailto:help@example.com"),
        ("", ""),
    ],
)
def test_parameters_join_what_is_there(url, tagged):
    assert with_parameters(url, UTM) == tagged


words = st.text(max_size=12)
#: Names that are ours among them.
names = st.one_of(words, st.sampled_from(list(UTM)))
queries = st.lists(st.tuples(names, words), max_size=6)


@given(queries, st.text(alphabet="abc/?&=#%25+-", max_size=10), words)
def test_whatever_stood_in_a_url_survives(query, fragment, course_id):
    url = f"https://example.com/a%2Bb/?{urlencode(query)}#{fragment}"
    ours = {**UTM, "utm_term": course_id}
    tagged = urlsplit(with_parameters(url, ours))
    assert (tagged.scheme, tagged.netloc, tagged.path) == ("https", "example.com", "/a%2Bb/")
    assert tagged.fragment == fragment
    others = [(name, value) for name, value in query if name not in ours]
    assert parse_qsl(tagged.query, keep_blank_values=True) == [*others, *ours.items()]


@given(st.text(max_size=40), words)
def test_parameters_of_a_message_replace_those_of_another(rest, course_id):
    once = with_parameters(f"https://example.com/{rest}", {**UTM, "utm_term": course_id})
    assert with_parameters(once, UTM) == with_parameters(with_parameters(f"https://example.com/{rest}", UTM), UTM)
    assert once.partition("#")[2] == rest.partition("#")[2]


@given(words)
def test_what_we_add_needs_no_more_encoding(course_id):
    tagged = with_parameters("https://example.com/", {"utm_term": course_id})
    assert tagged.isascii()
    assert not set(tagged) & set(' +"<>\n')


def test_only_the_links_that_are_named_are_tagged():
    context = {
        "dashboard_url": "https://example.com/dashboard",
        "unsubscribe_url": "",
        "course_links": [{"url": "https://example.com/c", "name": "Bees"}],
        "social_media_urls": {"facebook": "https://www.facebook.com/example"},
    }
    before = repr(context)
    assert tagged_links(context, ("dashboard_url", "unsubscribe_url", "course_links", "upsell_link"), {"a": "b"}) == {
        "dashboard_url": "https://example.com/dashboard?a=b",
        "unsubscribe_url": "",
        "course_links": [{"url": "https://example.com/c?a=b", "name": "Bees"}],
    }
    assert repr(context) == before


def test_the_pixel_says_which_message_was_opened_and_nothing_more():
    url = urlsplit(pixel_url("UA-12345-6", MESSAGE))
    assert url[:3] == ("https", "www.google-analytics.com", "/collect")
    assert parse_qsl(url.query) == [
        ("v", "1"),
        ("t", "event"),
        ("tid", "UA-12345-6"),
        ("ec", "email"),
        ("ea", "edx.bi.email.opened"),
        ("el", "course-v1:Meadow+B1+2026"),
        ("cs", "schedules"),
        ("cm", "email"),
        ("cn", "recurringnudge_day3"),
        ("cc", str(MESSAGE.uuid)),
        ("dp", f"/email/schedules/recurringnudge_day3/{MESSAGE.send_uuid}/{MESSAGE.uuid}"),
        ("dh", "example.com"),
        ("cid", str(MESSAGE.uuid)),
    ]
    assert "+" not in url.query


@pytest.mark.parametrize("tracking_id", ["", "G-ABC123", "UA-12345", "ua-1-1", "UA-1-1&cid=7", "UA-1-1\n", "None"])
def test_there_is_no_pixel_without_a_universal_analytics_id(tracking_id):
    assert pixel_url(tracking_id, MESSAGE) == ""
