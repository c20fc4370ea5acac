"""A site's configuration: its values, the organizations it claims, and which site an enrollment belongs to."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from django.contrib.sites.models import Site
from django.db.models import Q, QuerySet

from schedules.conf import conf
from schedules.data import can_be_stored
from schedules.exceptions import ConfigurationError
from schedules.host import Host
from schedules.pages import can_be_looked_up

_NOTHING = object()


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


def sites_named(domain: str) -> QuerySet[Site]:
    """The sites with that domain, whatever its case; none for what no domain can be."""
    rows = Site.objects.order_by("pk")
    return rows.filter(domain__iexact=domain) if can_be_looked_up(domain) else rows.none()


def find_site(domain: str) -> Site:
    """The site with that domain, whatever its case. Raises `ConfigurationError` that names the sites there are."""
    matches = list(sites_named(domain.strip()))
    if matches:
        return next((site for site in matches if site.domain == domain), matches[0])
    domains = ", ".join(Site.objects.order_by("domain").values_list("domain", flat=True)) or "none yet"
    raise ConfigurationError(f"There is no site {domain!r}. Sites: {domains}. Add one in the admin under Sites.")


def site_values(host: Host, site: Site) -> SiteValues:
    """What the host says about `site`. Raises `ConfigurationError` if any site's configuration is unusable."""
    return SiteValues(site=site, values=_all_values(host).get(site.pk, {}))


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
    """Which organizations are `site`'s (SPEC 6.2). Raises `ConfigurationError` on an unusable configuration."""
    claims = {site_id: _orgs(site_id, values) for site_id, values in _all_values(host).items()}
    return OrgScope(
        included=claims.get(site.pk) or None,
        excluded=frozenset().union(*(orgs for site_id, orgs in claims.items() if site_id != site.pk)),
    )


def sites_about(host: Host, orgs: Collection[str]) -> Mapping[str, frozenset[int]]:
    """Organization -> the ids of the sites that write about its courses, by the same rule, for every one of `orgs`."""
    claims = {site_id: _orgs(site_id, values) for site_id, values in _all_values(host).items()}
    others = frozenset(Site.objects.values_list("pk", flat=True)) - {site_id for site_id in claims if claims[site_id]}
    return {org: frozenset(site_id for site_id, claimed in claims.items() if org in claimed) or others for org in orgs}


def enrollment_site(host: Host, user_id: int, course_id: str, org: str) -> Site | None:
    """The site of an enrollment: where it happens, else the one that claims `org`, else the default site."""
    site_id = host.enrollment_site_id(user_id, course_id)
    if site_id is None:
        claims = {site_id: _orgs(site_id, values) for site_id, values in _all_values(host).items()}
        site_id = min((site_id for site_id, orgs in claims.items() if org in orgs), default=conf.default_site_id)
    sites = Site.objects.order_by("pk")
    return sites.first() if site_id is None else sites.filter(pk=site_id).first()


def _all_values(host: Host) -> Mapping[int, Mapping[str, Any]]:
    everything = host.site_values()
    for site_id, values in everything.items():
        if not isinstance(values, Mapping):
            raise ConfigurationError(
                f"The configuration of site {site_id} is {values!r}; it must map names to values. "
                "Correct it in the admin under Site configurations."
            )
    return everything


def _orgs(site_id: int, values: Mapping[str, Any]) -> frozenset[str]:
    claimed = values.get("course_org_filter") or ()
    if isinstance(claimed, str):
        return frozenset([claimed])
    is_list = isinstance(claimed, Collection) and not isinstance(claimed, Mapping | bytes)
    if not is_list or not all(isinstance(org, str) and can_be_stored(org) for org in claimed):
        raise ConfigurationError(
            f"course_org_filter of site {site_id} is {claimed!r}; give an organization or a list of them. "
            "Correct it in the admin under Site configurations."
        )
    return frozenset(claimed)
