"""Names with markup in them are text, in the HTML part's attributes too."""

import re
from html.parser import HTMLParser

import pytest

from schedules.contrib.lms.models import SiteConfiguration
from schedules.templatetags.schedules_email import escaped_attributes
from tests.world import enroll, make_course, make_learner, open_site, send_nudges

NAME = """<b>A & "B" 'C'</b> x="<i>" -->"""


class Attributes(HTMLParser):
    """Collects the values of an attribute, and the tags."""

    def __init__(self, html):
        super().__init__()
        self.values, self.tags = [], []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.values += [(name, value) for name, value in attrs if value]


@pytest.mark.django_db
def test_no_attribute_of_a_message_has_a_bare_bracket(email_channel):
    site = open_site()
    values = {"PLATFORM_NAME": NAME, "LOGO_URL": "/logo.png?a=<b>"}
    SiteConfiguration.objects.create(site=site, enabled=True, site_values=values)
    enroll(make_learner(), make_course(NAME, image_url="https://images.example.com/garden.jpg"))
    send_nudges()
    ((html, _),) = email_channel[0].alternatives
    html = re.sub("<!--.*?-->", "", html, flags=re.DOTALL)
    assert [value for value in re.findall(r'="([^"]*)"', html) if "<" in value or ">" in value] == []
    found = Attributes(html)
    assert ("aria-label", NAME) in found.values
    assert found.values.count(("alt", NAME)) == 2
    assert {"b", "i"}.isdisjoint(found.tags)


@pytest.mark.parametrize(
    ("html", "escaped"),
    [
        (
            '<p aria-label="<b>A &amp; &quot;B&quot;</b>">x</p>',
            '<p aria-label="&lt;b&gt;A &amp; &quot;B&quot;&lt;/b&gt;">x</p>',
        ),
        ('<img alt="a<b" src="x"><img alt="a>b">', '<img alt="a&lt;b" src="x"><img alt="a&gt;b">'),
        ('<A\n href="/?a=<"\n hidden="">y</A>', '<A\n href="/?a=&lt;"\n hidden="">y</A>'),
        ('<p>say="<b>bold</b>" <i>x</i></p>', '<p>say="<b>bold</b>" <i>x</i></p>'),
        ('<p>"&lt;" <br> "</p>', '<p>"&lt;" <br> "</p>'),
        ('<!--[if mso]><a b="c<d"><![endif]--><a b="c<d">', '<!--[if mso]><a b="c<d"><![endif]--><a b="c&lt;d">'),
        ('<style>p > a[x="<"] {}</style><a b="<">', '<style>p > a[x="<"] {}</style><a b="&lt;">'),
    ],
)
def test_brackets_are_escaped_in_attributes_and_nowhere_else(html, escaped):
    assert escaped_attributes(html) == escaped
    assert escaped_attributes(escaped) == escaped
