"""The embedded LMS tells `schedules` what happened, and hears what learners want again.

Fixtures that are loaded (`raw`) are not news.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from django.db.models.signals import post_delete, post_save
from django.dispatch import receiver
from django.utils import timezone
from model_utils.tracker import FieldInstanceTracker
from opaque_keys.edx.keys import CourseKey

from schedules import signals
from schedules.contrib.lms.models import VERIFIED, Course, CourseEmailOptout, CourseEnrollment, CourseMode

_FACTS = {
    "start": signals.CourseFact.START,
    "end": signals.CourseFact.END,
    "self_paced": signals.CourseFact.PACING,
}


@receiver(post_save, sender=CourseEnrollment)
def report_enrollment(
    instance: CourseEnrollment, created: bool, raw: bool, update_fields: Collection[str] | None, **_: Any
) -> None:
    """A new active enrollment, or one that became active again."""
    is_news = created or "is_active" in _stored_changes(instance.tracker, update_fields)
    if raw or not is_news or not instance.is_active:
        return
    signals.learner_enrolled.send(
        sender=CourseEnrollment,
        user_id=instance.user_id,
        course_id=str(instance.course_id),
        enrolled_at=instance.created if created else timezone.now(),
        site_id=instance.enrolling_site_id,
    )


@receiver(post_save, sender=Course)
def report_course(instance: Course, created: bool, raw: bool, update_fields: Collection[str] | None, **_: Any) -> None:
    """Its dates or its pacing changed."""
    facts = frozenset(_FACTS[field] for field in _stored_changes(instance.tracker, update_fields))
    if facts and not raw and not created:
        signals.course_changed.send(sender=Course, course_id=str(instance.pk), facts=facts)


@receiver(post_save, sender=CourseMode)
def report_mode(instance: CourseMode, raw: bool, update_fields: Collection[str] | None, **_: Any) -> None:
    """A verified mode is new or expires at another time, or a mode became or is no longer the verified one."""
    is_about_verified = VERIFIED in (instance.mode_slug, instance.tracker.previous("mode_slug"))
    if is_about_verified and not raw and _stored_changes(instance.tracker, update_fields):
        _report_verified_mode(instance)


@receiver(post_delete, sender=CourseMode)
def report_mode_that_went(instance: CourseMode, **_: Any) -> None:
    """A verified mode is no longer for sale."""
    if instance.mode_slug == VERIFIED:
        _report_verified_mode(instance)


@receiver(signals.learner_opted_in)
def take_back_our_opt_out(user_id: int, course_id: str, message_type: str, **_: Any) -> None:
    """Who wants all e-mail about a course again must not be stopped by the LMS's own row."""
    if course_id and not message_type:
        CourseEmailOptout.objects.filter(user_id=user_id, course=CourseKey.from_string(course_id)).delete()


def _report_verified_mode(mode: CourseMode) -> None:
    signals.course_changed.send(
        sender=CourseMode, course_id=str(mode.course_id), facts=frozenset({signals.CourseFact.VERIFIED_MODE})
    )


def _stored_changes(tracker: FieldInstanceTracker, update_fields: Collection[str] | None) -> set[str]:
    """The tracked fields that differ from the row as it was: what `save(update_fields=…)` left out is no change."""
    return {field for field in tracker.changed() if update_fields is None or field in update_fields}
