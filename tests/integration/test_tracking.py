"""What a sent message carries for those who measure: UTM parameters on its links, and the pixel."""

from urllib.parse import parse_qs, parse_qsl, urlsplit

import pytest
from django.contrib.sites.models import Site
from django.test import override_settings
from edx_ace.channel.sailthru import SailthruEmailChannel

from schedules.contrib.lms.models import SiteConfiguration
from schedules.message_types import message_names
from schedules.models import CustomText, OptOut, ScheduledMessage
from schedules.previewing import preview, sample_message, samples, variants_of
from tests.emails import Page, html_of, render
from tests.world import send_nudges

pytestmark = pytest.mark.django_db

UTM = ("utm_source", "utm_medium", "utm_campaign", "utm_content", "utm_term")
UNIVERSAL = "UA-12345-6"


def links_of(mail):
    return Page(html_of(mail)).links


def pixels_of(html):
    return [image["src"] for image in Page(html).images if image["src"].startswith("https://www.google-analytics.com/")]


# Links --------------------------------------------------------------------------------------------


def test_links_say_which_message_they_were_in(garden, email_channel):
    send_nudges()
    (mail,) = email_channel
    row = ScheduledMessage.objects.get()
    expected = dict(zip(UTM, ("schedules", "email", "recurringnudge_day3", str(row.pk), str(garden.pk)), strict=True))
    pages = [link for link in links_of(mail) if link.startswith("https://example.com/")]
    assert len({urlsplit(link).path for link in pages}) == 5  # home, dashboard, course, upgrade, unsubscribe
    assert [dict(parse_qsl(urlsplit(link).query)) for link in pages] == [expected] * len(pages)
    for link in pages:
        assert link in mail.body


@pytest.mark.parametrize("name", ["recurringnudge_day3", "recurringnudge_day10", "upgradereminder", "courseupdate"])
def test_every_link_is_tagged_but_those_to_other_services(name):
    assert name in message_names()
    others = {"www.facebook.com", "www.youtube.com", "apps.apple.com", "play.google.com"}
    for variant in variants_of(name):
        shown = preview(name, "en", variant)
        in_text = [line.strip() for line in shown.text.splitlines() if line.strip().startswith("https://")]
        seen = set()
        for link in (*Page(shown.html).links, *in_text):
            parts = urlsplit(link)
            tags = [one for one, _ in parse_qsl(parts.query) if one in UTM]
            is_page = parts.scheme == "https" and parts.hostname not in others
            assert tags == (list(UTM) if is_page else []), link
            seen.add(parts.hostname or parts.scheme)
        assert seen == {"mailto", samples.DOMAIN, *others}


def test_a_test_message_has_the_same_parameters(garden, email_channel):
    send_nudges(override_recipient_email="tester@example.com")
    (mail,) = email_channel
    (link,) = {link for link in links_of(mail) if "/courses/" in link and "upgrade" not in link}
    query = dict(parse_qsl(urlsplit(link).query))
    assert (query["utm_campaign"], query["utm_term"]) == ("recurringnudge_day3", str(garden.pk))


def test_links_that_authors_wrote_stay_as_they_were_written(garden, email_channel):

    CustomText.objects.create(
        site=Site.objects.get(domain="example.com"),
        message_name="recurringnudge_day3",
        enabled=True,
        intro="Read [the news](https://example.com/news?utm_source=staff).",
    )
    send_nudges()
    assert "https://example.com/news?utm_source=staff" in links_of(email_channel[0])


def test_the_link_to_leave_works_with_its_parameters(garden, email_channel, client):
    send_nudges()
    (link,) = {link for link in links_of(email_channel[0]) if "/unsubscribe/" in link}
    path = link.removeprefix("https://example.com")
    assert client.get(path).status_code == 200
    assert not OptOut.objects.exists()
    assert client.post(path, {"List-Unsubscribe": "One-Click"}).status_code == 200
    assert OptOut.objects.get().user.username == "alice"


def test_headers_for_machines_have_no_parameters(garden, email_channel):
    send_nudges()
    (mail,) = email_channel
    assert "utm_" not in "".join(map(str, mail.extra_headers.values()))
    assert "/unsubscribe/" in mail.extra_headers["List-Unsubscribe"]


# The pixel ----------------------------------------------------------------------------------------


def test_an_open_is_counted_for_the_message_and_its_course(garden, email_channel, settings):
    settings.GOOGLE_ANALYTICS_TRACKING_ID = UNIVERSAL
    send_nudges()
    (mail,) = email_channel
    row = ScheduledMessage.objects.get()
    (pixel,) = pixels_of(html_of(mail))
    hit = {name: value for name, (value,) in parse_qs(urlsplit(pixel).query).items()}
    assert (hit["tid"], hit["el"], hit["dh"]) == (UNIVERSAL, str(garden.pk), "example.com")
    assert hit["dp"] == f"/email/schedules/recurringnudge_day3/{row.run_id}/{row.pk}"
    assert (hit["cc"], hit["cid"]) == (str(row.pk), str(row.pk))
    assert "google" not in mail.body


def test_without_an_id_there_is_no_pixel(garden, email_channel):
    send_nudges()
    assert "google-analytics" not in html_of(email_channel[0])


@pytest.mark.parametrize(
    ("site_values", "tracking_id"),
    [
        ({}, "UA-1-1"),
        ({"google_analytics_account": "UA-2-2"}, "UA-2-2"),
        ({"GOOGLE_ANALYTICS_TRACKING_ID": "UA-3-3"}, "UA-3-3"),
        ({"GOOGLE_ANALYTICS_ACCOUNT": "UA-2-2", "GOOGLE_ANALYTICS_TRACKING_ID": "UA-3-3"}, "UA-2-2"),
        ({"GOOGLE_ANALYTICS_ACCOUNT": ""}, None),
        ({"GOOGLE_ANALYTICS_ACCOUNT": "G-ABC123"}, None),
    ],
)
def test_a_site_s_id_wins(garden, email_channel, settings, site_values, tracking_id):
    settings.GOOGLE_ANALYTICS_ACCOUNT = "UA-1-1"
    settings.GOOGLE_ANALYTICS_TRACKING_ID = "UA-0-0"

    site = Site.objects.get(domain="example.com")
    SiteConfiguration.objects.create(site=site, enabled=True, site_values=site_values)
    send_nudges()
    found = [parse_qs(urlsplit(pixel).query)["tid"][0] for pixel in pixels_of(html_of(email_channel[0]))]
    assert found == ([tracking_id] if tracking_id else [])


@override_settings(
    ACE_CHANNEL_SAILTHRU_TEMPLATE_NAME="weekly", ACE_CHANNEL_SAILTHRU_API_KEY="key", ACE_CHANNEL_SAILTHRU_API_SECRET="x"
)
def test_the_pixel_stands_beside_the_one_of_a_channel():
    url = "https://www.google-analytics.com/collect?v=1&t=event"
    email = render("recurringnudge_day3", channel=SailthruEmailChannel(), tracking_pixel_urls=[url])
    sources = [image["src"] for image in Page(email.body_html).images]
    assert sources[-2:] == ["{beacon_src}", url]


def test_a_sample_has_no_pixel(settings):
    settings.GOOGLE_ANALYTICS_TRACKING_ID = UNIVERSAL
    assert sample_message("recurringnudge_day3", "en").context["tracking_pixel_urls"] == []
    assert "google-analytics" not in preview("recurringnudge_day3", "en").html


def test_a_test_message_has_the_pixel(garden, email_channel, settings):
    settings.GOOGLE_ANALYTICS_TRACKING_ID = UNIVERSAL
    send_nudges(override_recipient_email="tester@example.com")
    assert len(pixels_of(html_of(email_channel[0]))) == 1
