"""Sites: found whatever their case, and each with its own organizations and values (behavior 6.2, 7.4)."""

import pytest
from django.contrib.sites.models import Site
from django.core.management import CommandError, call_command

from schedules.contrib.lms.models import SiteConfiguration
from schedules.exceptions import ConfigurationError
from schedules.models import SendRun
from schedules.sites import enrollment_site, find_site, org_scope, site_values, sites_about
from schedules.testing import FakeHost
from schedules.values import site_keys
from tests.world import TODAY, enroll, make_course, make_learner, open_site, send_nudges

pytestmark = pytest.mark.django_db


def scope_of(site, **claims):
    host = FakeHost(site_values={int(key[1:]): {"course_org_filter": orgs} for key, orgs in claims.items()})
    scope = org_scope(host, site)
    return scope.included, scope.excluded


def test_a_site_is_found_whatever_its_case():
    site = open_site("Learn.Example.com")
    assert find_site("learn.EXAMPLE.com") == site


def test_an_unknown_site_names_those_that_exist():
    open_site("b.example.com")
    open_site("a.example.com")
    with pytest.raises(ConfigurationError, match=r"no site 'c\.example\.com'\. Sites: a\.example\.com, b\.example"):
        find_site("c.example.com")


@pytest.mark.parametrize("orgs", ["MeadowX", ["MeadowX"], ("MeadowX",), {"MeadowX"}])
def test_text_and_any_collection_of_texts_claim_organizations(orgs):
    site = open_site()
    assert scope_of(site, **{f"_{site.pk}": orgs}) == ({"MeadowX"}, frozenset())


def test_without_a_filter_the_organizations_of_other_sites_are_excluded():
    site = open_site()
    assert scope_of(site, _98=["HarborX", "RiverX"], _99="SoukX") == (None, {"HarborX", "RiverX", "SoukX"})


@pytest.mark.parametrize("nothing", [None, "", [], ()])
def test_an_empty_filter_is_none(nothing):
    site = open_site()
    assert scope_of(site, **{f"_{site.pk}": nothing, "_99": "SoukX"}) == (None, {"SoukX"})


@pytest.mark.parametrize("nonsense", [5, {"MeadowX": 1}, ["MeadowX", 5], b"MeadowX"])
def test_nonsense_in_the_filter_is_refused_with_the_remedy(nonsense):
    site = open_site()
    with pytest.raises(
        ConfigurationError, match=r"course_org_filter of example\.com is .*give an organization or a list"
    ):
        scope_of(site, **{f"_{site.pk}": nonsense})


@pytest.mark.parametrize(
    ("nonsense", "excluded"),
    [
        (5, set()),
        ({"MeadowX": 1}, {"MeadowX"}),
        (["MeadowX", 5], {"MeadowX"}),
        (b"MeadowX", set()),
        (["MeadowX", "a\ud800"], {"MeadowX"}),
        ("a\x00", set()),
        ("MeadowX", {"MeadowX"}),
    ],
)
def test_of_another_sites_claim_the_organizations_that_can_be_read_count(nonsense, excluded):
    site, other = open_site(), open_site("harbor.example.org")
    assert scope_of(site, **{f"_{other.pk}": nonsense}) == (None, excluded)


@pytest.mark.parametrize("nonsense", ["text", 5, ["a"], None])
def test_a_configuration_that_is_not_a_mapping_is_refused(nonsense):
    site = open_site()
    other = open_site("harbor.example.org")
    host = FakeHost(site_values={site.pk: nonsense, other.pk: {"PLATFORM_NAME": "Harbor"}})
    for read in (site_values, org_scope):
        with pytest.raises(ConfigurationError, match=r"configuration of example\.com is .*must map names to values"):
            read(host, site)
    assert site_values(host, other).get("PLATFORM_NAME") == "Harbor"
    assert org_scope(host, other).included is None
    assert enrollment_site(host, 1, "c", "HarborX") is not None
    assert sites_about(host, ["HarborX"]) == {"HarborX": set(Site.objects.values_list("pk", flat=True))}


def test_a_sites_value_wins_in_lower_or_upper_case(settings):
    settings.PLATFORM_NAME = "Setting"
    site = open_site()
    for key in ("platform_name", "PLATFORM_NAME"):
        assert site_values(FakeHost(site_values={site.pk: {key: "Site"}}), site).get("PLATFORM_NAME") == "Site"
    assert site_values(FakeHost(), site).get("platform_name") == "Setting"
    assert site_values(FakeHost(), site).get("no_such_value", "default") == "default"


def test_an_enrollment_belongs_to_the_site_that_claims_its_organization(settings):
    default, harbor = open_site(), open_site("harbor.example.org")
    settings.SITE_ID = default.pk
    host = FakeHost(site_values={harbor.pk: {"course_org_filter": "HarborX"}})
    assert enrollment_site(host, 1, "c", "HarborX") == harbor
    assert enrollment_site(host, 1, "c", "MeadowX") == default


# Values -------------------------------------------------------------------------------------------

NO_LINKS = [
    5,
    False,
    ["/a"],
    "javascript:alert(1)",
    "data:text/html,x",
    "vbscript:x",
    "JavaScript://%0aalert(1)",
    "ftp://x/",
    "/a\ud800",
]
WRONG = {
    "PLATFORM_NAME": [5, "a\ud800", ["Meadow"], True],
    "CONTACT_MAILING_ADDRESS": [5, {}],
    "CONTACT_EMAIL": [5, "help", "a@example.com\r\nBcc: b@example.com"],
    "EMAIL_FROM_ADDRESS": [
        *(5, "Meadow", "a@example.com\nBcc: b@example.com", "a@b@example.com", "a@example.com, b@example.com"),
        *("Jörg <jörg@example.com>", "a@☃☃.\ud800"),
    ],
    "UNSUBSCRIBE_ADDRESS": [5, "leave"],
    "LOGO_URL": NO_LINKS,
    "HOMEPAGE_URL": NO_LINKS,
    "DASHBOARD_URL": [*NO_LINKS, "mailto:a@example.com"],
    "SOCIAL_MEDIA_FOOTER_URLS": ["https://x.example", ["https://x.example"], *({"facebook": url} for url in NO_LINKS)],
    "SOCIAL_MEDIA_URLS": [5, *({"facebook": url} for url in NO_LINKS)],
    "MOBILE_STORE_URLS": [5, {5: "/a"}, *({"apple": url} for url in NO_LINKS)],
    "MKTG_URLS": [5, "https://x.example", *({"ROOT": url} for url in NO_LINKS)],
    "LANGUAGE_CODE": [5, ["es"]],
    "TEMPLATE_REVISION": [[], 1.5, True],
    "COPYRIGHT_YEAR": [[], True],
    "GOOGLE_ANALYTICS_ACCOUNT": [5, ["G-1"]],
    "GOOGLE_ANALYTICS_TRACKING_ID": [5],
    "GOOGLE_ANALYTICS_API_SECRET": [5],
    "COURSE_ORG_FILTER": [5, {"MeadowX": 1}, ["MeadowX", 5], b"MeadowX"],
}
EACH_WRONG = [(name, value) for name, values in WRONG.items() for value in values]


def test_no_name_that_is_read_goes_unchecked():
    assert WRONG.keys() == site_keys.SHAPES.keys()


@pytest.mark.parametrize(("name", "value"), EACH_WRONG)
def test_an_unusable_value_is_refused_with_the_sites_domain_and_what_is_allowed(name, value):
    site = open_site()
    for key in (name, name.lower()):
        with pytest.raises(
            ConfigurationError, match=rf"^{key}\S* of example\.com is .*; give .* Correct it in the admin"
        ):
            site_values(FakeHost(site_values={site.pk: {key: value}}), site)


@pytest.mark.parametrize(("name", "value"), [one for one in EACH_WRONG if one[0] in site_keys.SETTINGS])
def test_a_setting_that_stands_in_is_refused_alike_unless_the_site_says_its_own(name, value, settings):
    setattr(settings, name, value)
    site = open_site()
    with pytest.raises(ConfigurationError, match=rf"^The setting {name}\S* is .*; give "):
        site_values(FakeHost(), site)
    assert site_values(FakeHost(site_values={site.pk: {name: None}}), site).get(name) is None


def test_a_secret_is_not_shown():
    site = open_site()
    with pytest.raises(ConfigurationError, match=r"is \(hidden\); give text"):
        site_values(FakeHost(site_values={site.pk: {"GOOGLE_ANALYTICS_API_SECRET": ["s3cret"]}}), site)


def test_usual_values_and_the_names_of_others_are_in_order():
    site = open_site()
    values = {
        "course_org_filter": ["MeadowX"],
        "LOGO_URL": "/static/logo.png",
        "MKTG_URLS": {"ROOT": "https://example.com", "ABOUT": "about", "BLOG": None},
        "SOCIAL_MEDIA_FOOTER_URLS": {"facebook": "https://facebook.com/x", "mail": "mailto:a@example.com", "x": ""},
        "MOBILE_STORE_URLS": {"apple": "#", "google": None},
        "EMAIL_FROM_ADDRESS": "Meadow <hello@example.com>",
        "TEMPLATE_REVISION": 3,
        "PLATFORM_NAME": None,
        "CONTACT_EMAIL": "",
        "SESSION_COOKIE_DOMAIN": 5,
        7: 5,
    }
    assert site_values(FakeHost(site_values={site.pk: values}), site).values == values


def test_one_sites_malformed_values_stop_that_site_alone(email_channel):
    meadow, harbor = open_site(), open_site("harbor.example.org")
    rows = [(meadow, {"course_org_filter": "MeadowX"}), (harbor, {"course_org_filter": "HarborX", "LOGO_URL": 5})]
    SiteConfiguration.objects.bulk_create(
        [SiteConfiguration(site=site, enabled=True, site_values=values) for site, values in rows]
    )
    enroll(make_learner("alice"), make_course(org="MeadowX"))
    enroll(make_learner("bob"), make_course(org="HarborX"))
    with pytest.raises(
        CommandError, match=r"^LOGO_URL of harbor\.example\.org is 5; give a path on the site, or a URL"
    ):
        call_command("send_recurring_nudge", "harbor.example.org", date=TODAY.isoformat(), verbosity=0)
    assert not SendRun.objects.exists()
    send_nudges()
    assert [mail.to for mail in email_channel] == [["alice@learners.example.com"]]
