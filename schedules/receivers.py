"""What the host says by signal reaches `schedules.api` here."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

from django.dispatch import receiver
from django.utils import timezone

from schedules import api, signals


@receiver(signals.learner_enrolled)
def on_learner_enrolled(
    *, user_id: int, course_id: str, enrolled_at: datetime, site_id: int | None = None, **_: Any
) -> None:
    api.learner_enrolled(user_id, course_id, enrolled_at=enrolled_at, now=timezone.now(), site_id=site_id)


@receiver(signals.course_changed)
def on_course_changed(*, course_id: str, facts: Collection[signals.CourseFact], **_: Any) -> None:
    api.course_changed(course_id, facts=facts, now=timezone.now())


@receiver(signals.learner_erased)
def on_learner_erased(*, user_id: int, **_: Any) -> None:
    api.learner_erased(user_id)
