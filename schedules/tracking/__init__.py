"""What is learned of a message: UTM parameters of its links, clicks and opens, events for Segment and Google.

All of it is about the message and its courses, by ids. A learner's id goes to Segment alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, kw_only=True, slots=True)
class TrackedMessage:
    """Which message it is. `send_uuid` is the run's; The first of `course_ids` is the primary course."""

    app_label: str
    name: str
    uuid: UUID
    send_uuid: UUID
    site_domain: str
    course_ids: tuple[str, ...]

    @property
    def primary_course_id(self) -> str:
        return self.course_ids[0] if self.course_ids else ""
