"""The links of a message: the way out, and those that tell that they were followed; and its pixels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from schedules.conf import conf
from schedules.ledger import Entry
from schedules.message_types.deciding import Decision
from schedules.message_types.resolver import Resolver
from schedules.sending.ace import ScheduleMessageType
from schedules.sites import SiteValues, google_analytics_id
from schedules.tracking import TrackedMessage, first_party
from schedules.tracking.ga4 import property_of
from schedules.tracking.pixel import is_universal, pixel_url
from schedules.tracking.utm import utm_parameters, with_parameters
from schedules.unsubscribe.links import Token, page_path
from schedules.values.links import absolute_url, changed_links, site_root


def unsubscribe_url(resolver: Resolver, decision: Decision, language: str, *, is_test: bool) -> str:
    """The page where the learner leaves, without signing in; empty where the project does not include it."""
    token = Token(
        user_id=decision.entry.user_id,
        site_id=resolver.site.pk,
        message_type=resolver.key,
        language=language,
        course_ids=tuple(due.course.id for due in decision.courses),
        is_test=is_test,
        message_uuid=decision.entry.uuid,
    )
    path = page_path(token)
    return absolute_url(resolver.site.domain, path) if path else ""


def tracked(resolver: Resolver, entry: Entry) -> TrackedMessage:
    """The message as those who measure know it. In a test it is the learner's, too (behavior 4.3)."""
    return TrackedMessage(
        app_label=ScheduleMessageType.APP_LABEL,
        name=entry.name,
        uuid=entry.uuid,
        send_uuid=resolver.run.uuid,
        site_domain=resolver.site.domain,
        course_ids=entry.course_ids,
    )


def tracking_context(resolver: Resolver, entry: Entry, context: Mapping[str, Any]) -> dict[str, Any]:
    """The links of `context` that lead to pages of the platform, with UTM parameters and by our redirect; and pixels.

    Links that a course's or site's custom text holds stay as they were written. To leave is no click.
    """
    message = tracked(resolver, entry)
    domain, parameters = resolver.site.domain, utm_parameters(message)
    clicks = first_party.ClickLinks(message.uuid, domain)

    def counted(url: str) -> str:
        path = clicks.path(url) if conf.track_clicks else ""
        return f"{site_root(domain)}{path}" if path else url

    tagged = changed_links(context, resolver.page_links, lambda url: with_parameters(url, parameters))
    to_pages = [name for name in tagged if name != "unsubscribe_url"]
    return {
        **tagged,
        **changed_links(tagged, to_pages, counted),
        "tracking_pixel_urls": list(_pixels(resolver.site_values, message)),
    }


def _pixels(site: SiteValues, message: TrackedMessage) -> Iterator[str]:
    """Google's own, for Universal Analytics; and ours, where opens are recorded or Analytics 4 is to hear of them."""
    tracking_id = google_analytics_id(site)
    if is_universal(tracking_id):
        yield pixel_url(tracking_id, message)
    path = first_party.open_path(message.uuid) if conf.track_opens or property_of(site) else ""
    if path:
        yield absolute_url(message.site_domain, path)
