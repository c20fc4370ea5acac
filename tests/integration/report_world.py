"""A ledger to report on, row by row, and a comparison made by hand."""

from __future__ import annotations

import uuid
from datetime import UTC, date, datetime
from typing import Any

from django.contrib.auth.models import User
from django.contrib.sites.models import Site

from schedules.models import ScheduledMessage, SendRun
from schedules.reporting.comparison import Comparison, Effect, Share

BOTANY = "course-v1:Meadow+Botany+2026"
CHESS = "course-v1:Meadow+Chess+2026"
FIRST, LAST = date(2026, 3, 1), date(2026, 3, 5)
THEN = datetime(2026, 3, 20, 9, tzinfo=UTC)

#: What marks a message that was opened, clicked, or whose learner opted out by it.
DONE = {"opened": "opened_at", "clicked": "clicked_at", "opted_out": "opted_out_at"}

_TYPES = {
    "recurringnudge_day3": ("recurring_nudge", -3),
    "recurringnudge_day10": ("recurring_nudge", -10),
    "recurringnudge_day4": ("recurring_nudge", -4),
    "courseupdate": ("course_update", -7),
}


def message(
    site: Site,
    name: str = "recurringnudge_day3",
    status: str = "sent",
    *,
    day: date = FIRST,
    learner: str = "alice",
    done: tuple[str, ...] = (),
    **fields: Any,
) -> ScheduledMessage:
    """A message of the run for `day`. `done`: keys of `DONE`."""
    message_type, day_offset = _TYPES[name]
    at = datetime.combine(day, datetime.min.time(), tzinfo=UTC)
    values = {"site": site, "message_type": message_type, "date": day, "day_offset": day_offset}
    run = SendRun.objects.get_or_create(**values, defaults={"started_at": at})[0]
    return ScheduledMessage.objects.create(
        uuid=uuid.uuid4(),
        run=run,
        site=site,
        user=User.objects.get_or_create(username=learner)[0],
        name=name,
        day_offset=day_offset,
        status=status,
        **{"target_date": day, "created": at, "course_ids": [BOTANY], **{DONE[one]: THEN for one in done}, **fields},
    )


def comparison(**fields: Any) -> Comparison:
    """Two effects: one whose interval lies above zero, and one of which there is too little to say anything."""
    came_back = Effect(
        key="came_back",
        label="Came back",
        scheduled=Share(count=240, of=1900),
        held_back=Share(count=16, of=200),
        difference=0.0463,
        low=0.0021,
        high=0.0905,
        interpretation="More of the scheduled learners came back.",
    )
    upgraded = Effect(
        key="upgraded",
        label="Upgraded",
        scheduled=Share(count=3, of=1900),
        held_back=Share(count=0, of=0),
        difference=None,
        low=None,
        high=None,
        interpretation="=Too little data to say.",
    )
    values = {"effects": (came_back, upgraded), "notes": ("Two learners were left out.",), **fields}
    return Comparison(scheduled_count=1900, held_back_count=200, **values)
