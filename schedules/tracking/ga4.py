"""Google Analytics 4 hears of opens, by its Measurement Protocol: a request for each.

Source: https://developers.google.com/analytics/devguides/collection/protocol/ga4
"""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import requests

from schedules.conf import conf
from schedules.sites import SiteValues, google_analytics_id, google_analytics_secret
from schedules.tracking import TrackedMessage
from schedules.tracking.posting import post
from schedules.values.links import site_root

log = logging.getLogger(__name__)

#: The event of the pixel, `edx.bi.email.opened`, in the letters that Google takes.
EMAIL_OPENED = "edx_bi_email_opened"

#: Google takes no events that are older.
MAX_AGE = timedelta(hours=72)

_MEASUREMENT_ID = re.compile(r"G-[A-Z0-9]+")

# Google takes no longer values, but for `page_location`, and drops an event that has one.
_MAX_CHARACTERS = 100


@dataclass(frozen=True, kw_only=True, slots=True)
class Property:
    """A web stream of a property in Google Analytics 4, with one of its secrets for the Measurement Protocol."""

    measurement_id: str
    api_secret: str


def is_ga4(tracking_id: str) -> bool:
    """Whether it is a measurement id of Google Analytics 4, such as `G-ABC123`."""
    return _MEASUREMENT_ID.fullmatch(tracking_id) is not None


def property_of(site: SiteValues) -> Property | None:
    """Where the opens of a site's messages go; `None` where Google hears of none."""
    found = Property(measurement_id=google_analytics_id(site), api_secret=google_analytics_secret(site))
    return found if is_ga4(found.measurement_id) and found.api_secret else None


def send_opened(session: requests.Session, to: Property, message: TrackedMessage, at: datetime) -> None:
    """Tell that a message was opened. What is refused for good is logged. Raises `PublishError`."""
    url = f"{conf.google_analytics_url.rstrip('/')}/mp/collect"
    keys = {"measurement_id": to.measurement_id, "api_secret": to.api_secret}
    if not post(session, url, params=keys, json=opened(message, at)):
        log.error("Google refused the open of message %s", message.uuid)


def opened(message: TrackedMessage, at: datetime) -> dict[str, Any]:
    """The body of the request. The learner is not in it: who was there is a message."""
    uuid = str(message.uuid)
    values = {
        "category": "email",
        "label": message.primary_course_id,
        "source": message.app_label,
        "medium": "email",
        "campaign": message.name,
        "content": uuid,
    }
    params = {name: value[:_MAX_CHARACTERS] for name, value in values.items()}
    params["page_location"] = (
        f"{site_root(message.site_domain)}/email/{message.app_label}/{message.name}/{message.send_uuid}/{uuid}"
    )
    return {
        "client_id": uuid,
        "timestamp_micros": int(at.timestamp() * 1_000_000),
        "events": [{"name": EMAIL_OPENED, "params": params}],
    }
