"""System checks say what is wrong before anything goes wrong at night."""

import shutil
from pathlib import Path

import pytest
from django.core.checks import run_checks
from django.db import OperationalError, ProgrammingError
from django.test import override_settings

from schedules.contrib.lms.models import SiteConfiguration
from schedules.exceptions import ConfigurationError
from schedules.message_types import message_names, resolver_for, resolvers
from schedules.previewing import preview
from tests.world import open_site

pytestmark = pytest.mark.django_db  # Django's own checks ask the database


G_ID = {"GOOGLE_ANALYTICS_TRACKING_ID": "G-ABC123"}


def found():
    """The ids of what the checks say, with their messages."""
    return {message.id: message for message in run_checks() if message.id.startswith("schedules.")}


def test_the_demo_is_in_order():
    assert run_checks() == []


@pytest.mark.parametrize(
    ("settings", "id_", "said"),
    [
        ({"SCHEDULES": {"HOSTS": "x"}}, "schedules.W001", "did you mean 'HOST'?"),
        ({"SCHEDULES": []}, "schedules.E001", "give a dict"),
        ({"SCHEDULES": {"LEASE_SECONDS": 0}}, "schedules.E001", "LEASE_SECONDS"),
        (
            {"SCHEDULES": {"RECURRING_NUDGE_DAYS": [4]}},
            "schedules.E002",
            "'recurringnudge_day4' has no template schedules/edx_ace/recurringnudge_day4/email/body.html",
        ),
        ({"SCHEDULES": {"HOST": "no.such.Host"}}, "schedules.E003", "cannot be imported"),
        ({"ACE_CHANNEL_DEFAULT_EMAIL": "sailthru_email"}, "schedules.E004", "'sailthru_email'"),
        ({"ACE_ENABLED_POLICIES": []}, "schedules.W002", "bulk_email_optout"),
        ({"ACE_ENABLED_CHANNEL": ["file_email"]}, "schedules.W003", "which nothing reads"),
        ({"ACE_CHANNEL_DEFAULT_EMAIL": "file_email"}, "schedules.W011", "prints every message, addresses included"),
        ({"GOOGLE_ANALYTICS_TRACKING_ID": "UA-12345-6"}, "schedules.W006", "stopped collecting on July 1, 2023"),
        ({"GOOGLE_ANALYTICS_ACCOUNT": "UA-12345-6"}, "schedules.W006", "'UA-12345-6' is a property of Universal"),
        ({"GOOGLE_ANALYTICS_TRACKING_ID": "ABC123"}, "schedules.W007", "'ABC123' is not the id of a property"),
        ({"GOOGLE_ANALYTICS_API_SECRET": "s"}, "schedules.W010", "takes an id and a secret"),
        ({**G_ID, "SCHEDULES": {"TRACK_OPENS": True}}, "schedules.W010", "takes an id and a secret"),
        ({"SCHEDULES": {"TRACK_CLICKS": "yes"}}, "schedules.E001", "allowed: True or False"),
        ({"SCHEDULES": {"SEGMENT_URL": "api.segment.io"}}, "schedules.E001", "a URL that begins with https://"),
        ({"SCHEDULES": {"URL_SCHEME": "ftp"}}, "schedules.E001", "allowed: 'https' or 'http'"),
        ({"LOGO_URL": 5}, "schedules.E007", "The setting LOGO_URL is 5; give a path on the site"),
        (
            {"SOCIAL_MEDIA_FOOTER_URLS": {"x": "javascript:x"}},
            "schedules.E007",
            "FOOTER_URLS['x'] is 'javascript:x'; give",
        ),
    ],
)
def test_a_mistake_is_named_with_a_hint_or_remedy(settings, id_, said):
    with override_settings(**settings):
        assert said in found()[id_].msg


@pytest.mark.parametrize(
    ("enabled", "hint"), [(["file_email", "schedules_email"], "mean 'schedules_email'?"), ([], "Enable it in ACE")]
)
def test_a_limit_for_a_channel_that_is_not_enabled_names_the_nearest(settings, enabled, hint):
    settings.ACE_ENABLED_CHANNELS = enabled
    settings.SCHEDULES = {"MESSAGES_PER_SECOND": {"schedule_mail": 14}}
    warning = found()["schedules.W004"]
    assert "'schedule_mail'" in warning.msg
    assert hint in warning.hint


def test_a_limit_for_an_enabled_channel_is_in_order(settings):
    settings.SCHEDULES = {"MESSAGES_PER_SECOND": dict.fromkeys(settings.ACE_ENABLED_CHANNELS, 14)}
    assert found() == {}


def test_the_forms_of_an_analytics_id_are_named(settings):
    settings.GOOGLE_ANALYTICS_TRACKING_ID = "12345"
    hint = found()["schedules.W007"].hint
    assert "UA-<digits>-<digits>" in hint
    assert "G-<letters and digits>" in hint


@pytest.mark.parametrize("more", [{}, {"GOOGLE_ANALYTICS_API_SECRET": "s"}])
def test_a_property_of_google_analytics_4_is_in_order(more):
    with override_settings(**G_ID, **more):
        assert found() == {}


@pytest.mark.parametrize("value", ["", None])
def test_no_analytics_id_is_in_order(settings, value):
    settings.GOOGLE_ANALYTICS_ACCOUNT = settings.GOOGLE_ANALYTICS_TRACKING_ID = value
    assert found() == {}


@pytest.mark.parametrize("key", ["schlüssel", "two words", "a-key\n"])
def test_a_write_key_that_no_request_can_carry_is_named(settings, key):
    settings.LMS_SEGMENT_KEY = "a-write-key"
    assert found() == {}
    settings.LMS_SEGMENT_KEY = key
    assert list(found()) == ["schedules.W008"]


@pytest.mark.parametrize(
    ("urls", "ids"),
    [
        ("demo.urls", []),
        ("tests.integration.unsubscribe_urls", ["schedules.W009"]),
        ("tests.integration.admin_urls", ["schedules.W005", "schedules.W009"]),
    ],
)
def test_pages_that_messages_link_to_are_missed(urls, ids, settings):
    settings.ROOT_URLCONF = urls
    assert list(found()) == ids
    settings.SCHEDULES = {"TRACK_CLICKS": False}
    assert list(found()) == [id_ for id_ in ids if id_ != "schedules.W009"]
    settings.SCHEDULES = {"TRACK_CLICKS": False, "TRACK_OPENS": True}
    assert list(found()) == ids


def test_a_sites_unusable_value_is_named_with_its_domain():
    SiteConfiguration.objects.bulk_create(
        [SiteConfiguration(site=open_site(), enabled=True, site_values={"LOGO_URL": 5, "dashboard_url": "data:x"})]
    )
    said = [message.msg for message in run_checks() if message.id == "schedules.W012"]
    allowed = "give a path on the site, or a URL that begins with https:// or http://."
    assert said == [
        f"LOGO_URL of example.com is 5; {allowed}",
        f"dashboard_url of example.com is 'data:x'; {allowed}",
    ]


def test_sites_values_that_are_no_mapping_of_sites_are_named(change_host):
    change_host("site_values", lambda answer: {"1": {}})
    assert found()["schedules.E008"].msg.startswith("LmsHost.site_values() answered for the site '1'; give a mapping")


@pytest.mark.parametrize("error", [OperationalError("no such table"), ProgrammingError(), RuntimeError(), OSError()])
def test_where_the_sites_cannot_be_read_nothing_is_said(change_host, error):
    def fail(answer):
        raise error

    change_host("site_values", fail)
    assert run_checks() == []


@pytest.mark.parametrize(
    "domain",
    ["example.com/", "https://example.com", "example.com/lms", "exa mple.com", "", "a..b", "-a.example", "a_b.example"],
)
def test_a_domain_that_is_no_plain_host_name_is_named(domain):
    open_site(domain)
    assert found()["schedules.W013"].msg.startswith(f"The site's domain is {domain!r}")


@pytest.mark.parametrize(
    "domain", ["localhost", "localhost:8000", "Learn.Example.com", "bücher.example", "127.0.0.1:8000", "[::1]:8000"]
)
def test_a_plain_host_name_is_in_order(domain):
    open_site(domain)
    assert run_checks() == []


def test_edx_ace_must_be_installed(settings):
    settings.INSTALLED_APPS = [app for app in settings.INSTALLED_APPS if app != "edx_ace"]
    assert found()["schedules.E005"].hint == "Add 'edx_ace' to INSTALLED_APPS."


def test_day_nineteen_is_one_setting_away():
    with override_settings(SCHEDULES={"RECURRING_NUDGE_DAYS": [3, 10, 19]}):
        assert "recurringnudge_day19" in message_names()
        assert found() == {}


def test_every_module_of_message_types_is_one():
    assert set(resolvers()) == {"course_update", "recurring_nudge", "upgrade_reminder"}


def test_an_unknown_message_type_names_those_there_are():
    with pytest.raises(ConfigurationError, match=r"no message type 'x'. Message types: recurring_nudge, upgrade"):
        resolver_for("x")


# Words --------------------------------------------------------------------------------------------

TEMPLATES = Path(__file__).resolve().parents[2] / "schedules/templates/schedules/edx_ace"


@pytest.fixture
def day_30(settings, tmp_path):
    """A copy of the folder of day 3, for a nudge of day 30 that the settings ask for."""
    folder = tmp_path / "schedules/edx_ace/recurringnudge_day30/email"
    shutil.copytree(TEMPLATES / "recurringnudge_day3/email", folder)
    settings.TEMPLATES = [{**settings.TEMPLATES[0], "DIRS": [tmp_path]}]
    settings.SCHEDULES = {**settings.SCHEDULES, "RECURRING_NUDGE_DAYS": [3, 30]}
    return folder


def test_a_copied_folder_is_in_order_and_says_its_custom_text(day_30):
    (day_30 / "words.txt").write_text(
        '{% extends "schedules/edx_ace/common/nudge_words.txt" %}{% block heading %}A month has passed{% endblock %}'
    )
    assert found() == {}
    shown = preview("recurringnudge_day30", "en")
    for part in (shown.text, shown.html):
        assert "A month has passed" in part
        assert "Learn something new today" not in part


@pytest.mark.parametrize("name", ["upgradereminder", "courseupdate"])
def test_a_copied_folder_with_a_layout_of_its_own_uses_that_one(day_30, name):
    shutil.copytree(TEMPLATES / name / "email", day_30, dirs_exist_ok=True)
    details = "{% block details %}Laid out anew{% endblock %}"
    for part in ("txt", "html"):
        base = f'{{% extends "schedules/edx_ace/common/base_body.{part}" %}}'
        (day_30 / f"layout.{part}").write_text(base + details)
    shown = preview("recurringnudge_day30", "en")
    assert "Laid out anew" in shown.text
    assert "Laid out anew" in shown.html


def test_a_message_without_words_of_its_own_is_an_error(day_30):
    (day_30 / "words.txt").unlink()
    assert found()["schedules.E006"].msg == (
        "The message 'recurringnudge_day30' has no words of its own: "
        "there is no template schedules/edx_ace/recurringnudge_day30/email/words.txt."
    )


def test_a_message_that_says_anothers_words_is_an_error(day_30):
    (day_30 / "body.html").write_text(
        '{% include "schedules/edx_ace/recurringnudge_day3/email/words.txt" '
        'with layout="schedules/edx_ace/common/base_body.html" %}'
    )
    assert found()["schedules.E006"].msg == (
        "The message 'recurringnudge_day30' says the words of 'recurringnudge_day3': "
        "schedules/edx_ace/recurringnudge_day30/email/body.html includes them."
    )
