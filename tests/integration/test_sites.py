"""Sites: found whatever their case, and each with its own organizations and values (SPEC 6.2, 7.4)."""

import pytest

from schedules.exceptions import ConfigurationError
from schedules.sites import enrollment_site, find_site, org_scope, site_values
from schedules.testing import FakeHost
from tests.world import open_site

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
    with pytest.raises(ConfigurationError, match=r"course_org_filter of site 99 is .*give an organization or a list"):
        scope_of(site, _99=nonsense)


@pytest.mark.parametrize("nonsense", ["text", 5, ["a"], None])
def test_a_configuration_that_is_not_a_mapping_is_refused(nonsense):
    site = open_site()
    with pytest.raises(ConfigurationError, match=r"configuration of site 7 is .*must map names to values"):
        site_values(FakeHost(site_values={7: nonsense}), site)


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
