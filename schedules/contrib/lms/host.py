"""What the embedded LMS answers to `schedules`: each question costs one or two queries, however many keys."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from typing import Any

from django.contrib.auth import get_user_model
from django.urls import reverse
from opaque_keys import InvalidKeyError
from opaque_keys.edx.keys import CourseKey

from schedules import host
from schedules.contrib.lms import models
from schedules.host import EnrollmentKey


class LmsHost(host.Host):
    """The embedded LMS."""

    def courses(self, course_ids: Collection[str]) -> Mapping[str, host.Course]:
        return {
            str(row.pk): host.Course(
                id=str(row.pk),
                org=row.org,
                name=row.display_name,
                start=row.start,
                end=row.end,
                is_self_paced=row.self_paced,
                language=row.language or None,
                is_messaging_enabled=row.highlights_enabled_for_messaging,
            )
            for row in models.Course.objects.filter(pk__in=_course_keys(course_ids))
        }

    def learners(self, user_ids: Collection[int]) -> Mapping[int, host.Learner]:
        users = get_user_model()._default_manager.filter(pk__in=user_ids).select_related("profile")
        return {user.pk: _learner(user) for user in users}

    def enrollments(self, keys: Collection[EnrollmentKey]) -> Mapping[EnrollmentKey, host.Enrollment]:
        asked = set(keys)
        found = (
            host.Enrollment(
                user_id=row.user_id,
                course_id=str(row.course_id),
                mode=row.mode,
                is_active=row.is_active,
                created=row.created,
            )
            for row in models.CourseEnrollment.objects.filter(**_both_sides(keys))
        )
        return {enrollment.key: enrollment for enrollment in found if enrollment.key in asked}

    def verified_modes(self, course_ids: Collection[str]) -> Mapping[str, host.VerifiedMode]:
        modes = models.CourseMode.objects.filter(course__in=_course_keys(course_ids), mode_slug=models.VERIFIED)
        return {
            str(mode.course_id): host.VerifiedMode(course_id=str(mode.course_id), expires_at=mode.expiration_datetime)
            for mode in modes
        }

    def sections(self, course_ids: Collection[str]) -> Mapping[str, list[host.Section]]:
        by_course: defaultdict[str, list[host.Section]] = defaultdict(list)
        for row in models.Section.objects.filter(course__in=_course_keys(course_ids)):
            by_course[str(row.course_id)].append(
                host.Section(
                    name=row.display_name,
                    highlights=tuple(row.highlights),
                    is_hidden_from_toc=row.hide_from_toc,
                    is_staff_only=row.visible_to_staff_only,
                )
            )
        return dict(by_course)

    def opt_outs(self, keys: Collection[EnrollmentKey]) -> Collection[EnrollmentKey]:
        asked = set(keys)
        rows = models.CourseEmailOptout.objects.filter(**_both_sides(keys)).values_list("user_id", "course_id")
        return asked & {(user_id, str(course_id)) for user_id, course_id in rows}

    def site_values(self) -> Mapping[int, Mapping[str, Any]]:
        rows = models.SiteConfiguration.objects.filter(enabled=True)
        return dict(rows.values_list("site_id", "site_values"))

    def dashboard_url(self, site_id: int) -> str:
        return reverse("schedules_lms:dashboard")

    def course_links(self, keys: Collection[EnrollmentKey]) -> Mapping[EnrollmentKey, host.CourseLinks]:
        sold = self.verified_modes({course_id for _, course_id in keys})
        return {
            (user_id, course_id): host.CourseLinks(
                home=reverse("schedules_lms:course", args=[course_id]),
                upgrade=reverse("schedules_lms:upgrade", args=[course_id]) if course_id in sold else None,
            )
            for user_id, course_id in keys
        }


def _learner(user: Any) -> host.Learner:
    profile = getattr(user, "profile", None)
    return host.Learner(
        id=user.pk,
        email=user.email or "",
        name=(profile.name if profile else "") or user.get_full_name(),
        language=(profile.language if profile else "") or None,
        is_active=user.is_active,
    )


def _course_keys(course_ids: Collection[str]) -> list[CourseKey]:
    """The ids that can be ids of courses; any other names no course."""
    keys = []
    for course_id in course_ids:
        try:
            keys.append(CourseKey.from_string(course_id))
        except InvalidKeyError:
            continue
    return keys


def _both_sides(keys: Collection[EnrollmentKey]) -> dict[str, Any]:
    return {
        "user__in": {user_id for user_id, _ in keys},
        "course__in": _course_keys({course_id for _, course_id in keys}),
    }
