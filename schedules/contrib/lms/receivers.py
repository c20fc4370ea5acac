"""The embedded LMS tells `schedules` what happened."""

from __future__ import annotations

from typing import Any

from django.db.models.signals import post_delete, post_save
from django.dispatch import receiver
from django.utils import timezone

from schedules import signals
from schedules.contrib.lms.models import VERIFIED, Course, CourseEnrollment, CourseMode

_FACTS = {
    "start": signals.CourseFact.START,
    "end": signals.CourseFact.END,
    "self_paced": signals.CourseFact.PACING,
}


@receiver(post_save, sender=CourseEnrollment)
def tell_about_enrollment(instance: CourseEnrollment, created: bool, **_: Any) -> None:
    """A new active enrollment, or one that became active again."""
    became_active = not created and instance.tracker.has_changed("is_active")
    if instance.is_active and (created or became_active):
        signals.learner_enrolled.send(
            sender=CourseEnrollment,
            user_id=instance.user_id,
            course_id=str(instance.course_id),
            enrolled_at=instance.created if created else timezone.now(),
            site_id=None,
        )


@receiver(post_save, sender=Course)
def tell_about_course(instance: Course, created: bool, **_: Any) -> None:
    facts = frozenset(fact for field, fact in _FACTS.items() if instance.tracker.has_changed(field))
    if facts and not created:
        signals.course_changed.send(sender=Course, course_id=str(instance.pk), facts=facts)


@receiver(post_save, sender=CourseMode)
def tell_about_mode(instance: CourseMode, **_: Any) -> None:
    if VERIFIED in (instance.mode_slug, instance.tracker.previous("mode_slug")) and instance.tracker.changed():
        _tell_about_verified_mode(instance)


@receiver(post_delete, sender=CourseMode)
def tell_about_mode_that_went(instance: CourseMode, **_: Any) -> None:
    if instance.mode_slug == VERIFIED:
        _tell_about_verified_mode(instance)


def _tell_about_verified_mode(mode: CourseMode) -> None:
    signals.course_changed.send(
        sender=CourseMode, course_id=str(mode.course_id), facts=frozenset({signals.CourseFact.VERIFIED_MODE})
    )
