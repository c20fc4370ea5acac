"""What a report can be about, as far as that can be said without reading the whole ledger."""

from __future__ import annotations

import logging
from datetime import date, timedelta

from schedules.exceptions import redacted_traceback
from schedules.message_types import messages, usable_resolvers
from schedules.models import ScheduledMessage, SendRun

log = logging.getLogger(__name__)

#: So many days, today the last, where nobody asks for others.
USUAL_DAYS = 30

#: So many of the latest messages are asked for their courses.
_LATEST = 500


def usual_first_day(last_day: date) -> date:
    return last_day - timedelta(days=USUAL_DAYS - 1)


def known_messages() -> dict[str, str]:
    """Message name -> its message type: those that the app has texts for, and those of the runs that were made."""
    found = {name: resolver.key for name, (resolver, _) in messages().items()}
    made = SendRun.objects.order_by("message_type", "day_offset").values_list("message_type", "day_offset").distinct()
    for message_type, day_offset in made:
        if name := _name(message_type, day_offset):
            found.setdefault(name, message_type)
    return found


def _name(message_type: str, day_offset: int) -> str:
    """The message name of a day that was run; empty where the message type, or that day of it, is no more."""
    resolver = usable_resolvers().get(message_type)
    try:
        return resolver.message_name(day_offset) if resolver else ""
    except Exception as error:  # noqa: BLE001 - a host's class need not know days that it no longer asks for
        log.warning("%s has no message name for day %s: %s", message_type, day_offset, redacted_traceback(error))
        return ""


def recent_courses() -> list[str]:
    """Ids of the courses that the latest messages were about, in order. There may be others."""
    latest = ScheduledMessage.objects.order_by("-created").values_list("course_ids", flat=True)[:_LATEST]
    return sorted({str(course_id) for ids in latest if isinstance(ids, list) for course_id in ids})
