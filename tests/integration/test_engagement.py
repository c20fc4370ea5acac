"""Clicks and opens: recorded in the ledger after the learner got their page, and never in their way."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from django.contrib.sites.models import Site
from django.core.cache import cache
from django.core.management import call_command
from django.db import DatabaseError, connection
from django.http import HttpResponse
from django.test import RequestFactory
from django.urls import path
from django.utils import timezone

from demo.urls import urlpatterns as demo_urlpatterns
from schedules import views
from schedules.contrib.lms.models import SiteConfiguration
from schedules.models import OptOut, ScheduledMessage
from schedules.previewing import preview, sample_message
from schedules.tracking import TrackedMessage, engagement, first_party, ga4
from tests.emails import Page, html_of
from tests.failing_database import refusing
from tests.google_server import GoogleServer
from tests.mail_server import wait_until
from tests.visits import visit
from tests.world import TODAY, enroll, free_port, make_course, make_learner, open_site, send_nudges

pytestmark = pytest.mark.django_db

OPENS = {"TRACK_OPENS": True}
NOTES = f'UPDATE "{ScheduledMessage._meta.db_table}"'
GA4 = {"GOOGLE_ANALYTICS_ACCOUNT": "G-ABC123", "GOOGLE_ANALYTICS_API_SECRET": "a-secret"}


def elsewhere(request):
    return HttpResponse("another place")


urlpatterns = [path("learn/<path:rest>", elsewhere), *demo_urlpatterns]


def local(url):
    """Where a link of the site leads in the test client."""
    assert url.startswith("https://example.com/")
    return url.removeprefix("https://example.com")


def course_link(mail):
    (link,) = {link for link in Page(html_of(mail)).links if "/courses/" in link and "/upgrade" not in link}
    return local(link)


def pixels_of(mail):
    sources = [image["src"] for image in Page(html_of(mail)).images]
    return [local(source) for source in sources if "/open/" in source]


def row():
    return ScheduledMessage.objects.get()


# Clicks -------------------------------------------------------------------------------------------


def test_a_click_leads_to_the_page_with_its_parameters_and_is_noted(garden, email_channel, client):
    send_nudges()
    link = course_link(email_channel[0])
    assert row().clicked_at is None
    answer = client.get(link)
    assert answer.status_code == 302
    target = urlsplit(answer["Location"])
    assert (target.netloc, target.path) == ("", "/courses/course-v1:MeadowX%2BC1%2B2026/")
    assert target.query == urlsplit(link).query
    assert f"utm_content={row().pk}" in target.query
    assert row().clicked_at is not None
    assert row().opened_at is None


def test_every_link_to_a_page_is_counted_and_none_to_others_or_to_leave(garden, email_channel, client):
    send_nudges()
    (mail,) = email_channel
    pages = [link for link in Page(html_of(mail)).links if link.startswith("https://example.com/")]
    plain = [link for link in pages if "/click/" not in link]
    assert [urlsplit(link).path.split("/")[2] for link in plain] == ["unsubscribe"]
    targets = {urlsplit(client.get(local(link))["Location"]).path for link in pages if link not in plain}
    course = "/courses/course-v1:MeadowX%2BC1%2B2026/"
    assert targets == {"/", "/dashboard", course, f"{course}upgrade"}
    for link in pages:
        assert link in mail.body


def test_links_lead_straight_where_clicks_are_not_to_be_noted(garden, email_channel, settings):
    settings.SCHEDULES = {**settings.SCHEDULES, "TRACK_CLICKS": False}
    send_nudges()
    assert "/click/" not in html_of(email_channel[0])
    assert course_link(email_channel[0]).startswith("/courses/course-v1:MeadowX%2BC1%2B2026/?utm_source=schedules")


def test_links_lead_straight_where_the_project_has_no_such_page(settings):
    settings.ROOT_URLCONF = "tests.integration.unsubscribe_urls"
    settings.SCHEDULES = {**settings.SCHEDULES, **OPENS}
    context = sample_message("recurringnudge_day3", "en").context
    assert urlsplit(context["dashboard_url"]).path == "/dashboard"
    assert first_party.open_path(uuid4()) == ""


def test_the_first_click_counts(garden, email_channel, client):
    send_nudges()
    link = course_link(email_channel[0])
    client.get(link)
    first = row().clicked_at
    cache.clear()
    client.get(link)
    assert row().clicked_at == first


@pytest.mark.parametrize(
    "ask", [{"method": "HEAD"}, {"HTTP_SEC_PURPOSE": "prefetch;prerender"}, {"HTTP_PURPOSE": "prefetch"}]
)
def test_what_nobody_asked_for_is_no_click(garden, email_channel, client, ask):
    send_nudges()
    answer = client.generic(ask.pop("method", "GET"), course_link(email_channel[0]), **ask)
    assert answer.status_code == 302
    assert row().clicked_at is None


def test_a_click_is_no_place_to_post_to(garden, email_channel, client):
    send_nudges()
    assert client.post(course_link(email_channel[0])).status_code == 405
    assert row().clicked_at is None


def test_no_cache_keeps_it_and_no_robot_lists_it(garden, email_channel, client, settings):
    settings.SCHEDULES = {**settings.SCHEDULES, **OPENS}
    send_nudges()
    (pixel,) = pixels_of(email_channel[0])
    for url in (course_link(email_channel[0]), pixel):
        answer = client.get(url)
        assert {"no-store", "private", "max-age=0"} <= set(answer["Cache-Control"].split(", "))
        assert answer["X-Robots-Tag"] == "noindex, nofollow"
        assert not answer.cookies


def test_nobody_has_to_sign_in(garden, email_channel, client, settings):
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, "django.contrib.auth.middleware.LoginRequiredMiddleware"]
    settings.SCHEDULES = {**settings.SCHEDULES, **OPENS}
    send_nudges()
    (mail,) = email_channel
    (leave,) = {local(link) for link in Page(html_of(mail)).links if "/unsubscribe/" in link}
    assert client.get(leave).status_code == 200
    assert client.get(pixels_of(mail)[0]).status_code == 200
    assert client.get(course_link(mail))["Location"].startswith("/courses/")
    assert client.get("/schedules/health/example.com").status_code in (200, 503)


# Links that are not whole -------------------------------------------------------------------------


def damaged(link):
    """Each way in which a token gets damaged: a letter of it lost, changed, or others in its place."""
    start, token, rest = link.partition("/click/")[0] + "/click/", *link.partition("/click/")[2].split("/", 1)
    for other in (token[:-1], token[:-1] + ("A" if token[-1] != "A" else "B"), token.lower(), "x", token + "=3D"):
        yield f"{start}{other}/{rest}"


def test_a_damaged_link_still_leads_to_the_course_and_counts_for_nothing(garden, email_channel, client):
    send_nudges()
    link = course_link(email_channel[0])
    whole = client.get(link)["Location"]
    ScheduledMessage.objects.update(clicked_at=None)
    cache.clear()
    for other in damaged(link):
        answer = client.get(other)
        assert (answer.status_code, answer["Location"]) == (302, whole)
    assert row().clicked_at is None


@pytest.mark.parametrize(
    "way",
    [
        "//evil.example/x",
        "/evil.example",
        "https://evil.example/x",
        "https:/evil.example",
        "\\\\evil.example",
        "/%5Cevil.example/",
        "%2F%2Fevil.example",
        "%09//evil.example",
        "@evil.example",
        ".evil.example",
    ],
)
@pytest.mark.parametrize("is_signed", [False, True])
def test_nobody_makes_of_it_a_link_to_elsewhere(garden, email_channel, client, way, is_signed):
    send_nudges()
    token = course_link(email_channel[0]).split("/")[3] if is_signed else "x"
    answer = client.get(f"/schedules/click/{token}/{way}?next=//evil.example")
    target = urlsplit(answer["Location"])
    assert (target.scheme, target.netloc) == ("", "")
    assert answer["Location"][0] == "/"
    assert answer["Location"][1:2] not in ("/", "\\")


def test_a_line_break_is_no_part_of_a_link(client):
    assert client.get("/schedules/click/x/%0d%0aLocation:%20https://evil.example").status_code == 404


def test_where_there_is_no_page_a_damaged_link_leads_to_the_dashboard(client):
    open_site()
    assert client.get("/schedules/click/x/no/such/page?a=b")["Location"] == "/dashboard"
    assert client.get("/schedules/click/x/dashboard?a=b")["Location"] == "/dashboard?a=b"
    Site.objects.all().delete()
    assert client.get("/schedules/click/x/no/such/page")["Location"] == "/"


@pytest.mark.urls("tests.integration.test_engagement")
def test_a_page_of_another_host_is_reached_by_a_whole_link_alone(client):
    open_site()
    url = "https://apps.example.org:8443/learn/course/a%2Bb/home?x=1&x=&utm_source=schedules#week-3"
    link = first_party.ClickLinks(uuid4(), "example.com").path(url)
    assert client.get(link)["Location"] == url.partition("#")[0]  # the browser carries the rest over
    assert link.endswith("#week-3")
    token = link.split("/")[3]
    assert client.get(link.replace(token, token.swapcase()))["Location"].startswith(
        "/learn/course/a%2Bb/home?x=1&x=&utm"
    )
    assert (
        client.get(f"/schedules/click/{token}///evil.example")["Location"]
        == "https://apps.example.org:8443/evil.example"
    )


def test_a_token_for_one_thing_is_none_for_another(garden, email_channel, client, settings):
    settings.SCHEDULES = {**settings.SCHEDULES, **OPENS}
    send_nudges()
    (pixel,), link = pixels_of(email_channel[0]), course_link(email_channel[0])
    open_token, click_token = pixel.split("/")[-1].removesuffix(".gif"), link.split("/")[3]
    client.get(f"/schedules/click/{open_token}/dashboard")
    client.get(f"/schedules/open/{click_token}.gif")
    assert (row().clicked_at, row().opened_at) == (None, None)


# Opens --------------------------------------------------------------------------------------------


def test_opens_are_not_counted_unless_that_is_wanted(garden, email_channel):
    send_nudges()
    assert pixels_of(email_channel[0]) == []


def test_an_open_gets_its_picture_and_is_noted(garden, email_channel, client, settings):
    settings.SCHEDULES = {**settings.SCHEDULES, **OPENS}
    send_nudges()
    (pixel,) = pixels_of(email_channel[0])
    answer = client.get(pixel)
    assert (answer.status_code, answer["Content-Type"]) == (200, "image/gif")
    assert answer.content[:6] == b"GIF89a"
    assert row().opened_at is not None
    assert row().clicked_at is None
    assert "/open/" not in email_channel[0].body


def test_a_pixel_that_is_not_ours_is_a_picture_too(garden, email_channel, client, settings):
    settings.SCHEDULES = {**settings.SCHEDULES, **OPENS}
    send_nudges()
    (pixel,) = pixels_of(email_channel[0])
    for other in ("/schedules/open/x.gif", pixel[:-6] + ".gif"):
        answer = client.get(other)
        assert (answer.status_code, answer["Content-Type"]) == (200, "image/gif")
    client.head(pixel)
    assert row().opened_at is None


def test_a_sample_opens_nothing(settings):
    settings.SCHEDULES = {**settings.SCHEDULES, **OPENS}
    assert sample_message("recurringnudge_day3", "en").context["tracking_pixel_urls"] == []
    assert "/open/" not in preview("recurringnudge_day3", "en").html


def test_a_test_message_is_in_no_ledger_and_works(garden, email_channel, client, settings):
    settings.SCHEDULES = {**settings.SCHEDULES, **OPENS}
    send_nudges(override_recipient_email="tester@example.com")
    (mail,) = email_channel
    assert client.get(course_link(mail)).status_code == 302
    assert client.get(pixels_of(mail)[0]).status_code == 200
    assert not ScheduledMessage.objects.exists()


# In nobody's way ----------------------------------------------------------------------------------


def test_it_is_noted_after_the_answer_has_gone_out(garden, email_channel):
    send_nudges()
    link = course_link(email_channel[0])
    token, way = link.split("/")[3], urlsplit(link).path.split("/", 4)[4]
    answer = views.click(RequestFactory().get(link), token, way)
    assert answer.status_code == 302
    assert row().clicked_at is None
    answer.close()
    assert row().clicked_at is not None


@pytest.mark.django_db(transaction=True)
def test_a_database_that_is_slow_slows_no_page(garden, email_channel, live_server):
    send_nudges()
    link, done = course_link(email_channel[0]), []
    answered = threading.Event()

    def be_slow(execute, sql, *more):
        if not sql.startswith(NOTES):
            return execute(sql, *more)
        answered.wait(300)
        done.append(answered.is_set())
        return execute(sql, *more)

    with connection.execute_wrapper(be_slow):  # a database in memory has one connection for all threads
        assert visit(f"{live_server.url}{link}") == 302
        answered.set()
        wait_until(lambda: done)
    assert done == [True]
    wait_until(lambda: row().clicked_at)


@pytest.mark.django_db(transaction=True)
def test_a_database_that_is_away_costs_a_number_and_not_the_visit(garden, email_channel, client, caplog):
    send_nudges()
    link = course_link(email_channel[0])
    with refusing(DatabaseError("gone: alice@learners.example.com"), NOTES):
        assert client.get(link).status_code == 302
    (line,) = [record.getMessage() for record in caplog.records if record.name == engagement.__name__]
    assert str(row().pk) in line
    assert "DatabaseError" in line
    assert "alice@" not in line
    client.get(link)
    assert row().clicked_at is not None


def test_a_flood_costs_no_queries(garden, email_channel, client, django_assert_num_queries, settings):
    settings.SCHEDULES = {**settings.SCHEDULES, **OPENS}
    send_nudges()
    (pixel,), link = pixels_of(email_channel[0]), course_link(email_channel[0])
    with django_assert_num_queries(4):  # an update each, and who is to hear of the open
        client.get(pixel)
        client.get(link)
    with django_assert_num_queries(0):
        for _ in range(50):
            client.get(pixel)
            client.get(link)
            client.get("/schedules/open/x.gif")
            client.get("/schedules/click/x/dashboard")


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_a_flood_over_http_counts_once(garden, email_channel, live_server, settings):
    settings.SCHEDULES = {**settings.SCHEDULES, **OPENS}
    send_nudges()
    (pixel,), link = pixels_of(email_channel[0]), course_link(email_channel[0])

    urls = [f"{live_server.url}{path}" for path in (pixel, link)]
    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(visit, urls * 40))
    assert statuses == [200, 302] * 40
    wait_until(lambda: row().clicked_at and row().opened_at)
    assert ScheduledMessage.objects.count() == 1


# Leaving ------------------------------------------------------------------------------------------


def test_the_message_that_made_its_learner_leave_says_so(garden, email_channel, client):
    send_nudges()
    (leave,) = {local(link) for link in Page(html_of(email_channel[0])).links if "/unsubscribe/" in link}
    client.get(leave)
    assert row().opted_out_at is None
    client.post(leave, {"List-Unsubscribe": "One-Click"})
    when = row().opted_out_at
    assert when is not None
    client.post(leave, {"again": ":recurring_nudge"})
    assert not OptOut.objects.exists()
    assert row().opted_out_at == when


# Google Analytics 4 -------------------------------------------------------------------------------


@pytest.fixture
def google(garden, settings):
    """A server that speaks as Google's does. The pixel is for it alone."""
    server = GoogleServer()
    for name, value in GA4.items():
        setattr(settings, name, value)
    settings.SCHEDULES = {**settings.SCHEDULES, "GOOGLE_ANALYTICS_URL": server.url}
    yield server
    server.close()


def recover():
    call_command("recover_messages", verbosity=0)


def test_google_hears_of_an_open_without_the_learner(garden, email_channel, client, google):
    send_nudges()
    (pixel,) = pixels_of(email_channel[0])
    client.get(pixel)
    assert google.request_count == 0  # whoever reads a message does not wait for Google
    recover()
    (body,) = google.bodies
    assert google.queries == [{"measurement_id": "G-ABC123", "api_secret": "a-secret"}]
    (event,) = body["events"]
    assert body["client_id"] == str(row().pk)
    assert set(body) == {"client_id", "timestamp_micros", "events"}
    assert body["timestamp_micros"] == int(row().opened_at.timestamp() * 1_000_000)
    assert event["name"] == "edx_bi_email_opened"
    assert event["params"] == {
        "category": "email",
        "label": str(garden.pk),
        "source": "schedules",
        "medium": "email",
        "campaign": "recurringnudge_day3",
        "content": str(row().pk),
        "page_location": f"https://example.com/email/schedules/recurringnudge_day3/{row().run_id}/{row().pk}",
    }
    assert row().opened_at is not None


def test_google_hears_of_many_opens_over_one_connection(garden, email_channel, client, google):
    for name in ("bob", "carol"):
        enroll(make_learner(name), garden)
    send_nudges()
    for message in email_channel:
        client.get(pixels_of(message)[0])
    recover()
    assert (len(google.bodies), google.connection_count) == (3, 1)


def test_google_hears_once(email_channel, client, google):
    send_nudges()
    (pixel,) = pixels_of(email_channel[0])
    for _ in range(3):
        client.get(pixel)
        cache.clear()
    client.get(course_link(email_channel[0]))
    recover()
    recover()
    assert len(google.bodies) == 1


@pytest.mark.parametrize(
    ("site_values", "heard_by"),
    [
        ({"GOOGLE_ANALYTICS_ACCOUNT": "G-OTHER1", "google_analytics_api_secret": "s"}, ("G-OTHER1", "s")),
        ({"GOOGLE_ANALYTICS_API_SECRET": "s"}, ("G-ABC123", "s")),
        ({"GOOGLE_ANALYTICS_API_SECRET": ""}, None),
        ({"GOOGLE_ANALYTICS_ACCOUNT": ""}, None),
        ({"GOOGLE_ANALYTICS_ACCOUNT": "g-abc"}, None),
    ],
)
def test_a_site_s_property_wins(email_channel, client, google, site_values, heard_by):
    site = Site.objects.get(domain="example.com")
    SiteConfiguration.objects.create(site=site, enabled=True, site_values=site_values)
    send_nudges()
    pixels = pixels_of(email_channel[0])
    assert len(pixels) == (1 if heard_by else 0)
    for pixel in pixels:
        client.get(pixel)
    recover()
    assert [tuple(query.values()) for query in google.queries] == ([heard_by] if heard_by else [])


@pytest.mark.parametrize("status", [302, 403, 429, 500, 503])
def test_what_google_refuses_for_now_is_told_later(email_channel, client, google, caplog, status):
    google.statuses = [status]
    send_nudges()
    assert client.get(pixels_of(email_channel[0])[0]).status_code == 200
    recover()
    assert google.bodies == []
    assert f"google_due_at of ScheduledMessage wait on: status {status}" in caplog.text
    assert "a-secret" not in caplog.text
    recover()
    assert len(google.bodies) == 1
    assert row().google_due_at is None


def test_what_google_refuses_for_good_is_named_in_the_log(email_channel, client, google, caplog):
    google.statuses = [400]
    send_nudges()
    client.get(pixels_of(email_channel[0])[0])
    recover()
    recover()
    assert google.request_count == 1
    assert f"Google refused the open of message {row().pk}" in caplog.text


def test_a_google_that_is_not_there_hears_later(email_channel, client, google, settings, caplog):
    there, away = settings.SCHEDULES, f"http://127.0.0.1:{free_port()}"
    settings.SCHEDULES = {**there, "GOOGLE_ANALYTICS_URL": away}
    send_nudges()
    client.get(pixels_of(email_channel[0])[0])
    recover()
    assert "ConnectionError" in caplog.text
    assert "a-secret" not in caplog.text
    settings.SCHEDULES = there
    recover()
    assert len(google.bodies) == 1


def test_google_takes_no_opens_of_last_week(email_channel, client, google, caplog):
    send_nudges()
    client.get(pixels_of(email_channel[0])[0])
    ScheduledMessage.objects.update(opened_at=timezone.now() - timedelta(hours=73))
    recover()
    assert google.request_count == 0
    assert row().google_due_at is None
    assert "too long ago" in caplog.text


def test_a_site_whose_values_cannot_be_read_keeps_nobody_waiting(email_channel, client, google):
    """Its opens wait, and those of others are told."""
    meadow = open_site("meadow.example")
    values = {"course_org_filter": ["BeesX"]}
    configuration = SiteConfiguration.objects.create(site=meadow, enabled=True, site_values=values)
    enroll(make_learner("bob"), make_course("Bees", org="BeesX"))
    call_command("send_recurring_nudge", "meadow.example", date=TODAY.isoformat(), verbosity=0)
    send_nudges()
    assert len(email_channel) == 2
    for message in email_channel:
        (pixel,) = [image["src"] for image in Page(html_of(message)).images if "/open/" in image["src"]]
        client.get(urlsplit(pixel).path)
    SiteConfiguration.objects.filter(pk=configuration.pk).update(site_values={**values, "LOGO_URL": 5})
    recover()
    assert len(google.bodies) == 1
    assert ScheduledMessage.objects.get(google_due_at__isnull=False).site == meadow


def test_an_open_is_kept_for_google_where_the_site_s_values_cannot_be_read(email_channel, client, google):
    send_nudges()
    (pixel,) = pixels_of(email_channel[0])
    site = Site.objects.get(domain="example.com")
    configurations = SiteConfiguration.objects.filter(pk=SiteConfiguration.objects.create(site=site, enabled=True).pk)
    configurations.update(site_values={"LOGO_URL": 5})
    client.get(pixel)
    assert row().opened_at is not None
    configurations.update(site_values={})
    recover()
    assert len(google.bodies) == 1


def test_what_is_long_is_cut_for_google():
    message = TrackedMessage(
        app_label="schedules", name="x", uuid=uuid4(), send_uuid=uuid4(), site_domain="x", course_ids=("c" * 200,)
    )
    assert len(ga4.opened(message, timezone.now())["events"][0]["params"]["label"]) == 100


@pytest.mark.parametrize("setting", ["GOOGLE_ANALYTICS_ACCOUNT", "GOOGLE_ANALYTICS_API_SECRET"])
def test_half_of_what_google_takes_is_no_pixel(email_channel, google, settings, setting):
    setattr(settings, setting, "")
    send_nudges()
    assert pixels_of(email_channel[0]) == []
