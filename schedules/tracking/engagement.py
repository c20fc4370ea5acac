"""What learners do with a message, or machines for them: it was opened, a link in it was clicked.

It is noted after they got their picture or page. Whatever fails here costs nobody's visit, and a number at most.
"""

from __future__ import annotations

import logging
from datetime import datetime
from uuid import UUID

from django.core.cache import cache

from schedules import ledger
from schedules.database.transient import is_transient, reconnect
from schedules.exceptions import redacted_traceback
from schedules.host import get_host
from schedules.models import ScheduledMessage
from schedules.sites import google_analytics_id, google_analytics_secret, site_values
from schedules.tracking import TrackedMessage, ga4
from schedules.values.data import Engagement

log = logging.getLogger(__name__)

#: For so long a message that comes again, as in a flood, costs no query. It is counted once in any case.
SECONDS_KNOWN = 3600


def record(uuid: UUID, engagement: Engagement, now: datetime) -> bool:
    """Keep in the ledger when it first happened; Google is told of an open, if the site wants that. Never raises.

    Returns false where it is to be noted again later, for the database is away; nobody waits for that here.
    """
    try:
        key = f"schedules.{engagement}.{uuid.hex}"
        if cache.get(key):
            return True
        is_first = ledger.record_engagement(uuid, engagement, now)
        cache.set(key, True, SECONDS_KNOWN)
        if is_first and engagement == Engagement.OPENED:
            _tell_google(uuid)
    except Exception as error:  # noqa: BLE001
        if is_transient(error):
            reconnect(ScheduledMessage)
            return False
        log.error("Message %s was %s, which could not be noted: %s", uuid, engagement, redacted_traceback(error))
    return True


def _tell_google(uuid: UUID) -> None:
    row = ScheduledMessage.objects.select_related("site").get(pk=uuid)
    values = site_values(get_host(), row.site)
    to = ga4.Property(measurement_id=google_analytics_id(values), api_secret=google_analytics_secret(values))
    if ga4.is_ga4(to.measurement_id) and to.api_secret:
        message = TrackedMessage(
            app_label=ScheduledMessage._meta.app_label,
            name=row.name,
            uuid=row.pk,
            send_uuid=row.run_id,
            site_domain=row.site.domain,
            course_ids=tuple(row.course_ids),
        )
        ga4.tell_opened(to, message)
