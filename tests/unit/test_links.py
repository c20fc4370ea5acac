"""Links in messages are whole URLs, encoded once."""

import pytest

from schedules.links import absolute_url, changed_links


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
