"""What a report can be about, as far as that can be said without reading the whole ledger."""

from __future__ import annotations

from datetime import date, timedelta

from schedules.message_types import messages, usable_resolvers
from schedules.models import ScheduledMessage, SendRun

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
    for kind, day_offset in made:
        if kind in usable_resolvers():
            found.setdefault(usable_resolvers()[kind].message_name(day_offset), kind)
    return found


def recent_courses() -> list[str]:
    """Ids of the courses that the latest messages were about, in order. There may be others."""
    latest = ScheduledMessage.objects.order_by("-created").values_list("course_ids", flat=True)[:_LATEST]
    return sorted({str(course_id) for ids in latest if isinstance(ids, list) for course_id in ids})
