"""A site's domain in whatever way it was entered: each header and link is made of it as it was meant, in ASCII."""

import re
from datetime import date
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command

from schedules.contrib.lms.models import SiteConfiguration
from schedules.message_types.recurring_nudge import RecurringNudge
from schedules.models import ScheduledMessage, SendRun
from schedules.sending.context import base_context
from schedules.sites import find_site, site_at
from schedules.testing import FakeHost
from schedules.values.runs import Run
from tests.emails import Page
from tests.mail_server import mail_server
from tests.world import TODAY, enroll, make_course, make_learner, open_site

pytestmark = pytest.mark.django_db


def send(domain):
    call_command("send_recurring_nudge", domain, date=TODAY.isoformat(), verbosity=0)


def use_schedules_email(settings):
    settings.ACE_ENABLED_CHANNELS, settings.ACE_CHANNEL_DEFAULT_EMAIL = ["schedules_email"], "schedules_email"


def own_links(mail):
    """The links of the HTML part, but for those that the demo's settings give the footer."""
    links = Page(mail.alternatives[0].content).links
    return [url for url in links if not re.match(r"mailto:|https://(www|apps|play)\.", url)]


def headers(raw):
    """The lines of the head, as they came over the wire."""
    head, _, _ = raw.partition(b"\r\n\r\n")
    return head.decode("ascii").split("\r\n")


def test_every_header_of_a_site_in_another_script_is_ascii_and_whole(settings, smtp_server):
    site = open_site("bücher.example")
    settings.SITE_ID = site.pk
    use_schedules_email(settings)
    settings.GOOGLE_ANALYTICS_ACCOUNT = "UA-12345-6"
    values = {"EMAIL_FROM_ADDRESS": "hello@bücher.example", "UNSUBSCRIBE_ADDRESS": "leave@bücher.example"}
    SiteConfiguration.objects.create(site=site, enabled=True, site_values=values)
    enroll(make_learner(), make_course())
    with mail_server() as server:
        smtp_server(server.port)
        send("bücher.example")
    lines, host = headers(server.raw[0]), "xn--bcher-kva.example"
    uuid = ScheduledMessage.objects.get().pk
    assert f"Message-ID: <{uuid}@{host}>" in lines
    assert f"Feedback-ID: recurringnudge_day3:{host}:schedules" in lines
    (position,) = (number for number, line in enumerate(lines) if line.startswith("List-Unsubscribe:"))
    assert re.fullmatch(rf"List-Unsubscribe: <https://{host}/[!-~]+>,", lines[position])
    assert lines[position + 1] == f" <mailto:leave@{host}?subject=unsubscribe>"
    assert server.received[0]["From"].addresses[0].domain == host
    page = Page(server.received[0].get_body(("html",)).get_content())
    assert any(link.startswith(f"https://{host}/") for link in page.links)
    (pixel,) = (image["src"] for image in page.images if "google-analytics" in image["src"])
    assert f"&dh={host}&" in pixel
    assert "bücher" not in "".join([*page.links, pixel])


def test_a_header_that_is_longer_than_a_line_stays_whole(settings, smtp_server):
    domain = f"{'learning-with-us.' * 5}example.org"
    settings.SITE_ID = open_site(domain).pk
    use_schedules_email(settings)
    alice = make_learner()
    for number in range(30):
        enroll(alice, make_course(f"Course {number}"))
    with mail_server() as server:
        smtp_server(server.port)
        send(domain)
    (lines,) = map(headers, server.raw)
    assert f"Feedback-ID: recurringnudge_day3:{domain}:schedules" in lines
    assert len([line for line in lines if re.fullmatch(rf"List-Unsubscribe: <https://{domain}/[!-~]+>", line)]) == 1
    assert not [line for line in lines if "=?" in line]


@pytest.mark.parametrize("domain", ["example.com/", "https://example.com", "EXAMPLE.com", " example.com "])
def test_no_link_has_a_slash_too_many_and_one_click_works(domain, email_channel, client, settings):
    open_site().delete()
    site = open_site(domain)
    settings.SITE_ID = site.pk
    alice = make_learner()
    enroll(alice, make_course(price=49))
    send("example.com")
    (mail,) = email_channel
    urls = [*own_links(mail), mail.extra_headers["List-Unsubscribe"].strip("<>")]
    assert [url for url in urls if not re.match(r"https://example\.com/(?!/)", url)] == []
    path = mail.extra_headers["List-Unsubscribe"].strip("<>").removeprefix("https://example.com")
    assert client.post(path, {"List-Unsubscribe": "One-Click"}).status_code == 200
    assert mail.extra_headers["Message-ID"].endswith("@example.com>")


def test_a_machine_of_ones_own_has_links_without_encryption_and_no_one_click(email_channel, settings):
    settings.SCHEDULES = {**settings.SCHEDULES, "URL_SCHEME": "http"}
    settings.SITE_ID = open_site("localhost:8000").pk
    enroll(make_learner(), make_course())
    send("localhost:8000")
    (mail,) = email_channel
    assert {url[:22] for url in own_links(mail)} == {"http://localhost:8000/"}
    assert mail.extra_headers["List-Unsubscribe"].startswith("<http://localhost:8000/")
    assert "List-Unsubscribe-Post" not in mail.extra_headers


def test_a_site_whose_domain_makes_no_links_is_refused_before_anything_is_queued():
    open_site("☃.example")
    with pytest.raises(CommandError, match=r"^The site's domain is '☃\.example', which holds no host name; give a pl"):
        send("☃.example")
    assert not SendRun.objects.exists()


def test_a_site_is_found_by_its_name_in_either_script():
    site = open_site("bücher.example")
    assert find_site("xn--bcher-kva.example") == find_site("BÜCHER.example/") == site
    assert site_at("nobody.example") is None


def base_of(site, *, host=None, today=TODAY):
    run = Run(message_type="recurring_nudge", site_id=site.pk, today=today, day_offset=-3, uuid=uuid4())
    return base_context(RecurringNudge(run, site, host))


def test_each_name_of_the_base_context_may_be_the_sites_own():
    site = open_site()
    own = {
        "homepage_url": "/welcome",
        "dashboard_url": "https://apps.example.org/mine",
        "platform_name": "Meadow",
        "contact_mailing_address": "12 Orchard Lane",
        "contact_email": "help@example.com",
        "logo_url": "/logo.png",
        "social_media_urls": {"mail": "mailto:hello@example.com", "x": "/x"},
        "mobile_store_urls": {"apple": "https://apps.example.org/a"},
        "template_revision": 7,
        "copyright_year": 1999,
    }
    whole = {
        **own,
        "homepage_url": "https://example.com/welcome",
        "logo_url": "https://example.com/logo.png",
        "social_media_urls": {"mail": "mailto:hello@example.com", "x": "https://example.com/x"},
    }
    for change in (str.lower, str.upper):
        host = FakeHost(site_values={site.pk: {change(name): value for name, value in own.items()}})
        assert base_of(site, host=host) == whole


def test_the_sites_own_homepage_comes_before_the_marketing_site(settings):
    settings.FEATURES, settings.MKTG_URLS = {"ENABLE_MKTG_SITE": True}, {"ROOT": "https://www.example.org"}
    site = open_site()
    assert base_of(site)["homepage_url"] == "https://www.example.org"
    own = FakeHost(site_values={site.pk: {"homepage_url": "/welcome"}})
    assert base_of(site, host=own)["homepage_url"] == "https://example.com/welcome"


def test_the_year_of_the_copyright_is_the_runs():
    assert base_of(open_site(), today=date(2031, 1, 1))["copyright_year"] == 2031
