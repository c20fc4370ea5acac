"""Links in messages are whole URLs, encoded once."""

import pytest

from schedules.exceptions import ConfigurationError
from schedules.values import links
from schedules.values.links import (
    absolute_url,
    ascii_address,
    changed_links,
    domain_problem,
    host_name,
    is_same_host,
    site_root,
)


@pytest.mark.parametrize(
    ("url", "whole"),
    [
        ("/courses/course-v1:edX+Demo+2026/", "https://example.com/courses/course-v1:edX%2BDemo%2B2026/"),
        ("courses/a", "https://example.com/courses/a"),
        ("//static.example.org/a+b.png", "https://static.example.org/a+b.png"),
        ("/courses/edX%2BDemo/", "https://example.com/courses/edX%2BDemo/"),
        ("/a b/ü%2Fx/?q=1+2&q=3#part", "https://example.com/a%20b/%C3%BC%2Fx/?q=1+2&q=3#part"),
        ("https://shop.example.org/buy?sku=1+2", "https://shop.example.org/buy?sku=1+2"),
        ("", "https://example.com/"),
        ("/", "https://example.com/"),
    ],
)
def test_it_makes_links_whole_and_encodes_paths_once(url, whole):
    assert absolute_url("example.com", url) == whole


def test_making_a_link_whole_twice_changes_nothing():
    once = absolute_url("example.com", "/courses/course-v1:edX+Demo+2026/")
    assert absolute_url("example.com", once) == once


def test_only_the_links_that_are_named_are_changed():
    context = {
        "dashboard_url": "https://example.com/dashboard",
        "unsubscribe_url": "",
        "course_links": [{"url": "https://example.com/c", "name": "Bees"}],
        "social_media_urls": {"facebook": "https://www.facebook.com/example"},
    }
    before = repr(context)
    names = ("dashboard_url", "unsubscribe_url", "course_links", "upsell_link")
    assert changed_links(context, names, lambda url: url and f"{url}?a=b") == {
        "dashboard_url": "https://example.com/dashboard?a=b",
        "unsubscribe_url": "",
        "course_links": [{"url": "https://example.com/c?a=b", "name": "Bees"}],
    }
    assert repr(context) == before


# Sites --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("domain", "root"),
    [
        ("example.com", "https://example.com"),
        ("example.com/", "https://example.com"),
        ("example.com//", "https://example.com"),
        ("https://example.com", "https://example.com"),
        ("http://Example.COM/", "https://example.com"),
        (" example.com\n", "https://example.com"),
        ("example.com:8000", "https://example.com:8000"),
        ("example.com:8000/", "https://example.com:8000"),
        ("example.com:", "https://example.com"),
        ("example.com/lms/", "https://example.com/lms"),
        ("[::1]:8000", "https://[::1]:8000"),
        ("bücher.example", "https://xn--bcher-kva.example"),
        ("Bücher.Example:8000/", "https://xn--bcher-kva.example:8000"),
        ("straße.example", "https://xn--strae-oqa.example"),
        ("学习。example", "https://xn--vjq503a.example"),
        ("xn--bcher-kva.example", "https://xn--bcher-kva.example"),
    ],
)
def test_a_link_has_one_slash_and_ascii_letters_whatever_was_entered_as_the_sites_domain(domain, root):
    assert site_root(domain) == root
    assert absolute_url(domain, "/courses/") == f"{root}/courses/"
    assert absolute_url(domain, "courses/") == f"{root}/courses/"


@pytest.mark.parametrize(
    "domain", ["", " ", "/", "https://", "exa mple.com", "☃.example", "a@b.example", "a.b:x", "a..ü"]
)
def test_a_domain_that_holds_no_host_name_is_refused_by_its_name(domain):
    for ask in (site_root, host_name):
        with pytest.raises(
            ConfigurationError, match=r"^The site's domain is .*; give a plain host name such as learn\."
        ):
            ask(domain)
    assert domain_problem(domain)


def test_the_scheme_is_a_setting(settings):
    settings.SCHEDULES = {"URL_SCHEME": "http"}
    assert absolute_url("localhost:8000", "/a") == "http://localhost:8000/a"
    assert absolute_url("localhost:8000", "https://example.com/a") == "https://example.com/a"


@pytest.mark.parametrize(
    ("domain", "name"),
    [("example.com:8000", "example.com"), ("bücher.example:8000/", "xn--bcher-kva.example"), ("[::1]:8000", "[::1]")],
)
def test_headers_name_the_host_without_its_port(domain, name):
    assert host_name(domain) == name


def test_the_host_of_a_whole_url_is_written_in_ascii():
    assert absolute_url("example.com", "https://u:p@bücher.example:8000/ä?b=ü#c") == (
        "https://u:p@xn--bcher-kva.example:8000/ä?b=ü#c"
    )
    assert absolute_url("example.com", "mailto:a@example.com") == "mailto:a@example.com"


@pytest.mark.parametrize(
    ("address", "ascii_"),
    [
        ("hello@bücher.example", "hello@xn--bcher-kva.example"),
        ("Bücher <hello@bücher.example>", "Bücher <hello@xn--bcher-kva.example>"),
        ("hello@example.com", "hello@example.com"),
        ("hello@☃.example", "hello@☃.example"),
        ("nobody", "nobody"),
    ],
)
def test_the_domain_of_an_address_is_written_in_ascii(address, ascii_):
    assert ascii_address(address) == ascii_


def test_two_ways_to_write_a_host_mean_one():
    assert is_same_host("bücher.example", "XN--BCHER-KVA.example")
    assert is_same_host("example.com/", "https://example.com")
    assert not is_same_host("example.com", "example.com:8000")
    assert not is_same_host("", "")


@pytest.mark.parametrize(
    "url", ["mailto:help", "mailto:", "https://example.com/\x07", " https://example.com/", "https://example.com/ "]
)
def test_neither_an_address_of_nobody_nor_a_url_with_blanks_or_control_characters_around_is_a_link(url):
    assert not links.is_link(url, or_address=True)
    assert links.is_link("mailto:help@example.com", or_address=True)
