"""Segment, by its HTTP API: a request for many events.

Source: https://segment.com/docs/connections/sources/catalog/libraries/server/http-api/#batch
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import requests
from django.utils import timezone

from schedules.conf import conf
from schedules.tracking.events import Event
from schedules.tracking.posting import post

log = logging.getLogger(__name__)

#: Of one request: Segment takes 500 KB, and an event of ours with ten long course ids has five.
MAX_EVENTS = 90


def send(events: Sequence[Event]) -> None:
    """Tell of up to `MAX_EVENTS`. What is refused for good is logged. Raises `PublishError`."""
    body = {"batch": [_as_json(event) for event in events], "sentAt": timezone.now().isoformat()}
    with requests.Session() as session:
        url = f"{conf.segment_url.rstrip('/')}/v1/batch"
        if not post(session, url, json=body, auth=(conf.segment_key, "")):
            log.error("Segment refused %s events: %s", len(events), ", ".join(event.id for event in events))


def _as_json(event: Event) -> dict[str, Any]:
    return {
        "type": "track",
        "messageId": event.id,
        "userId": str(event.user_id),
        "event": event.name,
        "timestamp": event.at.isoformat(),
        "properties": dict(event.properties),
    }
