"""What learners do with a message, or machines for them: it was opened, a link in it was clicked.

It is recorded after they got their picture or page. Whatever fails here costs nobody's visit, and a number at most.
"""

from __future__ import annotations

import logging
from datetime import datetime
from uuid import UUID

from django.core.cache import cache

from schedules import ledger
from schedules.database.transient import is_transient, reconnect
from schedules.exceptions import ConfigurationError, HostError, redacted_traceback
from schedules.host import get_host
from schedules.sites import site_values
from schedules.tracking import ga4
from schedules.values.data import Engagement

log = logging.getLogger(__name__)

#: For so long a message that comes again, as in a flood, costs no query. It is counted once in any case.
SECONDS_KNOWN = 3600


def record(uuid: UUID, engagement: Engagement, now: datetime) -> bool:
    """Keep in the ledger when it first happened, and that Google is to hear of an open, if it is. Never raises.

    Returns false where it is to be recorded again later, for the database is away; nobody waits for that here.
    """
    try:
        key = f"schedules.{engagement}.{uuid.hex}"
        if cache.get(key):
            return True
        ledger.record_engagement(uuid, engagement, now, is_for_google=_is_for_google(uuid, engagement))
        cache.set(key, True, SECONDS_KNOWN)
    except Exception as error:  # noqa: BLE001 - nobody's visit is worth a count
        if is_transient(error):
            reconnect()
            return False
        log.error("Message %s was %s, which could not be recorded: %s", uuid, engagement, redacted_traceback(error))
    return True


def _is_for_google(uuid: UUID, engagement: Engagement) -> bool:
    """Whether Google is to hear of it; so it is where that cannot be said now, and whoever tells asks again."""
    if engagement != Engagement.OPENED:
        return False
    row = ledger.message(uuid)
    if row is None or row.opened_at is not None:
        return False
    try:
        return ga4.property_of(site_values(get_host(), row.site)) is not None
    except (ConfigurationError, HostError):
        return True
