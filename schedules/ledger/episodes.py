"""What learners were told since they enrolled: a date that moves makes nothing news that was said before."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from schedules.models import Schedule, ScheduledMessage
from schedules.values.runs import Run

Status = ScheduledMessage.Status


@dataclass(frozen=True, kw_only=True, slots=True)
class EarlierMessage:
    """A message of the same name and day offset. `sent_at` is `None` while a worker has it in hand."""

    uuid: UUID
    course_ids: frozenset[str]
    sent_at: datetime | None

    def is_about(self, schedule: Schedule) -> bool:
        """Whether it named the schedule's course, since the learner enrolled there."""
        is_of_episode = self.sent_at is None or self.sent_at >= schedule.enrolled_at
        return is_of_episode and schedule.course_id in self.course_ids


def earlier_messages(run: Run, name: str, user_ids: Collection[int]) -> Mapping[int, list[EarlierMessage]]:
    """Learner's id -> the messages of that name and of the run's day offset that they got, whatever the target day.

    One query. Those that wait to be delivered are left out: they are looked at again when their turn comes.
    """
    found: defaultdict[int, list[EarlierMessage]] = defaultdict(list)
    rows = ScheduledMessage.objects.filter(
        site_id=run.site_id,
        user_id__in=user_ids,
        name=name,
        day_offset=run.day_offset,
        status__in=(Status.SENT, Status.DELIVERING),
    ).order_by()
    for user_id, uuid, course_ids, sent_at in rows.values_list("user_id", "uuid", "course_ids", "sent_at"):
        found[user_id].append(EarlierMessage(uuid=uuid, course_ids=frozenset(course_ids), sent_at=sent_at))
    return found
