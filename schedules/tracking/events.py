"""The events that Segment is told of, with their names and properties."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

from schedules.models import HoldBack
from schedules.tracking import TrackedMessage

EMAIL_SENT = "edx.bi.email.sent"
SCHEDULE_SUPPRESSED = "edx.bi.schedule.suppressed"

_MAX_COURSES = 10

#: The uuid5 namespace of events that have no message.
_NAMESPACE = UUID("0f5a3f7e-6f0b-4c1d-8f0e-3f0a6f6f2a9b")


@dataclass(frozen=True, kw_only=True, slots=True)
class Event:
    """Something that happened to a learner. `id`: the same whoever tells of it again, so that it counts once."""

    id: str
    at: datetime
    name: str
    user_id: int
    properties: Mapping[str, Any]


def email_sent(message: TrackedMessage, user_id: int, language: str, at: datetime) -> Event:
    """A channel took the message."""
    return Event(
        id=f"{EMAIL_SENT}:{message.uuid}",
        at=at,
        name=EMAIL_SENT,
        user_id=user_id,
        properties={
            "send_uuid": str(message.send_uuid),
            "uuid": str(message.uuid),
            "site": message.site_domain,
            "app_label": message.app_label,
            "name": message.name,
            "primary_course_id": message.primary_course_id,
            "language": language,
            "course_ids": list(message.course_ids[:_MAX_COURSES]),
            "num_courses": len(message.course_ids),
            "nonInteraction": 1,
        },
    )


def schedule_suppressed(row: HoldBack) -> Event:
    """The learner was held back from a schedule that would have had these values."""
    deadline = row.upgrade_deadline
    properties = {
        "course_id": row.course_id,
        "experience_type": row.experience_type,
        "upgrade_deadline": deadline.isoformat() if deadline else None,
        "content_availability_date": row.content_availability_date.isoformat(),
    }
    parts = (row.site_id, row.user_id, *properties.values())
    return Event(
        id=f"{SCHEDULE_SUPPRESSED}:{uuid5(_NAMESPACE, ':'.join(map(str, parts)))}",
        at=row.modified,
        name=SCHEDULE_SUPPRESSED,
        user_id=row.user_id,
        properties=properties,
    )
