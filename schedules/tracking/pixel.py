"""The pixel of Universal Analytics, for properties whose id begins with `UA-`.

Source: https://developers.google.com/analytics/devguides/collection/protocol/v1/parameters
"""

from __future__ import annotations

import re
from urllib.parse import quote, urlencode

from schedules.tracking import TrackedMessage
from schedules.values.links import ascii_domain

_COLLECT = "https://www.google-analytics.com/collect"
_UNIVERSAL_ID = re.compile(r"UA-\d+-\d+")


def is_universal(tracking_id: str) -> bool:
    """Whether it is the id of a Universal Analytics property, such as `UA-12345-1`."""
    return _UNIVERSAL_ID.fullmatch(tracking_id) is not None


def pixel_url(tracking_id: str, message: TrackedMessage) -> str:
    """Where an open is counted, by a request for a picture; empty without such an id. The learner is not in it."""
    if not is_universal(tracking_id):
        return ""
    uuid = str(message.uuid)
    hit = {
        "v": "1",
        "t": "event",
        "tid": tracking_id,
        "ec": "email",
        "ea": "edx.bi.email.opened",
        "el": message.primary_course_id,
        "cs": message.app_label,
        "cm": "email",
        "cn": message.name,
        "cc": uuid,
        "dp": f"/email/{message.app_label}/{message.name}/{message.send_uuid}/{uuid}",
        "dh": ascii_domain(message.site_domain),
        "cid": uuid,
    }
    return f"{_COLLECT}?{urlencode(hit, quote_via=quote, safe='')}"
