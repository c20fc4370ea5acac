"""A site's configuration: its values, the organizations it claims, and which site an enrollment belongs to."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.contrib.sites.models import Site
from django.db.models import Q

from schedules.conf import conf
from schedules.exceptions import ConfigurationError
from schedules.host import Host, checked
from schedules.pages import can_be_looked_up
from schedules.values import site_keys
from schedules.values.links import is_same_host

_NOTHING = object()

#: Site's id -> its configuration values, as the host answers.
_Everything = Mapping[int, Mapping[str, Any]]


@dataclass(frozen=True, kw_only=True)
class SiteValues:
    """A site with its configuration values; empty where it has no enabled configuration."""

    site: Site
    values: Mapping[str, Any]

    def get(self, name: str, default: Any = "") -> Any:
        """The site's value `name` in lower or upper case, else the Django setting of that name, else `default`."""
        own = self.own(name, _NOTHING)
        return conf.lms(name.upper(), default) if own is _NOTHING else own

    def own(self, name: str, default: Any = None) -> Any:
        """The site's value `name` in lower or upper case, else `default`."""
        return next((self.values[key] for key in (name.lower(), name.upper()) if key in self.values), default)


@dataclass(frozen=True, kw_only=True)
class OrgScope:
    """The organizations whose courses a site writes about: those in `included`, or all but `excluded`."""

    included: frozenset[str] | None
    excluded: frozenset[str]

    def condition(self) -> Q:
        """For rows that have an `org`."""
        return ~Q(org__in=self.excluded) if self.included is None else Q(org__in=self.included)


def site_at(domain: str) -> Site | None:
    """The site with that domain, whatever its case and however it is written; `None` if there is none."""
    if not can_be_looked_up(domain):
        return None
    matches = list(Site.objects.filter(domain__iexact=domain.strip()).order_by("pk"))
    if not matches:
        matches = [site for site in Site.objects.order_by("pk") if is_same_host(site.domain, domain)]
    return next((site for site in matches if site.domain == domain), matches[0] if matches else None)


def find_site(domain: str) -> Site:
    """`site_at()`. Raises `ConfigurationError` that names the sites there are."""
    site = site_at(domain)
    if site is not None:
        return site
    domains = ", ".join(Site.objects.order_by("domain").values_list("domain", flat=True)) or "none yet"
    raise ConfigurationError(f"There is no site {domain!r}. Sites: {domains}. Add one in the admin under Sites.")


def site_facts(host: Host, site: Site) -> tuple[SiteValues, OrgScope]:
    """`site_values()` and `org_scope()`, for one question to the host."""
    everything = checked(host).site_values()
    return _site_values(everything, site), _org_scope(everything, site)


def site_values(host: Host, site: Site) -> SiteValues:
    """What the host says about `site`. Raises `ConfigurationError` if that, or a setting that stands in, is unusable.

    Other sites' values are their own matter.
    """
    return _site_values(checked(host).site_values(), site)


def _site_values(everything: _Everything, site: Site) -> SiteValues:
    found = SiteValues(site=site, values=_values_of(everything, site))
    for problem in setting_problems(name for name in site_keys.SETTINGS if found.own(name, _NOTHING) is _NOTHING):
        raise ConfigurationError(problem)
    return found


def dashboard_url(host: Host, site: SiteValues) -> str:
    """The page that lists a learner's courses: a path on the site, or a whole URL."""
    return str(site.own("dashboard_url") or host.dashboard_url(site.site.pk))


def setting_problems(names: Iterable[str] = site_keys.SETTINGS) -> list[str]:
    """What is wrong with the Django settings that stand in for a site's values, a sentence each."""
    return [f"The setting {found}" for name in names if (found := site_keys.problem(name, conf.lms(name, None)))]


def google_analytics_id(site: SiteValues) -> str:
    """The site's property in Google Analytics; what a site says, be it nothing, wins over the settings."""
    own = site.own("GOOGLE_ANALYTICS_ACCOUNT", site.own("GOOGLE_ANALYTICS_TRACKING_ID"))
    return str((default_google_analytics_id() if own is None else own) or "").strip()


def google_analytics_secret(site: SiteValues) -> str:
    """The api secret with which events may be written to the site's property; empty: none is written."""
    return str(site.get("GOOGLE_ANALYTICS_API_SECRET") or "").strip()


def default_google_analytics_id() -> str:
    """The property of sites that name none of their own; empty if there is none."""
    named = conf.lms("GOOGLE_ANALYTICS_ACCOUNT", "") or conf.lms("GOOGLE_ANALYTICS_TRACKING_ID", "")
    return str(named or "").strip()


def org_scope(host: Host, site: Site) -> OrgScope:
    """Which organizations are `site`'s (behavior 6.2). Raises `ConfigurationError` if its own claim is unusable.

    Of another site's unusable claim, the organizations that can be read in it count: better left out than written
    about by a site that is not theirs.
    """
    return _org_scope(checked(host).site_values(), site)


def _org_scope(everything: _Everything, site: Site) -> OrgScope:
    own = site_keys.organizations(_values_of(everything, site, [site_keys.ORG_FILTER]))
    claims = _claims(everything)
    return OrgScope(
        included=own or None,
        excluded=frozenset().union(*(orgs for site_id, orgs in claims.items() if site_id != site.pk)),
    )


def sites_about(host: Host, orgs: Collection[str]) -> Mapping[str, frozenset[int]]:
    """Organization -> the ids of the sites that write about its courses, by the same rule, for every one of `orgs`."""
    claims = _claims(checked(host).site_values())
    others = frozenset(Site.objects.values_list("pk", flat=True)) - {site_id for site_id in claims if claims[site_id]}
    return {org: frozenset(site_id for site_id, claimed in claims.items() if org in claimed) or others for org in orgs}


def enrollment_site(host: Host, user_id: int, course_id: str, org: str) -> Site | None:
    """The site of an enrollment: where it happens, else the one that claims `org`, else the default site."""
    site_id = checked(host).enrollment_site_id(user_id, course_id)
    if site_id is None:
        claims = _claims(checked(host).site_values())
        site_id = min((site_id for site_id, orgs in claims.items() if org in orgs), default=conf.default_site_id)
    sites = Site.objects.order_by("pk")
    return sites.first() if site_id is None else sites.filter(pk=site_id).first()


def _claims(everything: _Everything) -> Mapping[int, frozenset[str]]:
    """Site's id -> the organizations that it claims."""
    return {site_id: site_keys.organizations(values) for site_id, values in everything.items()}


def _values_of(
    everything: _Everything, site: Site, names: Collection[str] = site_keys.SHAPES.keys()
) -> Mapping[str, Any]:
    values = everything.get(site.pk, {})
    for problem in site_keys.problems(values, names):
        raise ConfigurationError(f"{problem.of(site.domain)} Correct it in the admin under Site configurations.")
    return values
