"""UTM parameters and the pixel, for any URL and any message."""

from urllib.parse import parse_qsl, unquote, urlencode, urlsplit
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schedules.tracking import TrackedMessage, first_party
from schedules.tracking.pixel import pixel_url
from schedules.tracking.utm import utm_parameters, with_parameters

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


# Links and pixels of our own ----------------------------------------------------------------------

UUID_ = MESSAGE.uuid


def through(url):
    """Where a link leads, as a web server hands its path on: decoded."""
    path = first_party.ClickLinks(UUID_, "example.com").path(url)
    parts = urlsplit(path)
    token, _, way = parts.path.partition("/click/")[2].partition("/")
    found = first_party.read_click(token)
    assert found.uuid == UUID_
    origin = found.origin or "https://example.com"
    query, fragment = parts.query and f"?{parts.query}", parts.fragment and f"#{parts.fragment}"
    return f"{origin}{first_party.landing_path(unquote(way))}{query}{fragment}"


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com/",
        "https://example.com/courses/course-v1:Meadow%2BB1%2B2026/?a=1&a=&b=%2F+x&c#week-3",
        "https://example.com/ü".replace("ü", "%C3%BC"),
        "https://example.com/a%25b/",
        "https://example.com/a%3Fb%23c/?d#e?f",
        "https://example.com/c/;x=1,2@:/~",
        "http://example.com/insecure",
        "https://apps.example.org:8443/learn?x=1",
    ],
)
def test_a_link_comes_out_of_the_redirect_as_it_went_in(url):
    assert through(url) == url


def test_an_empty_path_is_the_home_page():
    assert through("https://example.com?a=b") == "https://example.com/?a=b"


@pytest.mark.parametrize(
    "url",
    ["", "mailto:help@example.com", "/dashboard", "https://example.com/a%2Fb/", "https://example.com//b", "ftp://x/"],
)
def test_what_would_come_out_changed_leads_straight(url):
    assert first_party.ClickLinks(UUID_, "example.com").path(url) == ""


@given(st.text(max_size=30))
def test_where_a_redirect_leads_is_a_path_of_one_host(way):
    path = first_party.landing_path(way)
    assert path[0] == "/"
    assert path[1:2] not in ("/", "\\")
    assert path.isascii()
    assert not set(path) & set(" \\\r\n\t")


def test_a_token_is_read_with_its_own_salt_alone():
    pixel = first_party.open_path(UUID_).rpartition("/")[2].removesuffix(".gif")
    assert first_party.read_open(pixel) == first_party.Token(UUID_)
    assert first_party.read_click(pixel) is None
    assert first_party.read_open(f"{pixel[:-1]}?") is None
    assert len(pixel) == 66


def test_links_that_lie_in_mailboxes_are_still_read():
    opened = "AAAAAAAAAAAAAAAAAAAABQ.w7xAhhNIrU3MKT_x_MJL4q3BTGIKRIwROufiGQfd-2g"
    clicked = "AAAAAAAAAAAAAAAAAAAABWh0dHBzOi8vYXBwcy5leGFtcGxlLmNvbQ.-gElIOC1u_1eg_r7MbV8wUbHh_KYQEo0SKvP4CeuvAs"
    assert first_party.read_open(opened) == first_party.Token(UUID(int=5))
    assert first_party.read_click(clicked) == first_party.Token(UUID(int=5), "https://apps.example.com")


def test_tokens_of_an_old_key_are_read(settings):
    pixel = first_party.open_path(UUID_).rpartition("/")[2].removesuffix(".gif")
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "new", []
    assert first_party.read_open(pixel) is None
    settings.SECRET_KEY_FALLBACKS = ["demo-only-never-use-this-in-production"]
    assert first_party.read_open(pixel) == first_party.Token(UUID_)
