"""What the embedded LMS answers to `schedules`: each question costs one query, however many keys."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from typing import Any

from django.contrib.auth import get_user_model
from django.db.models import Exists, OuterRef
from django.urls import reverse
from opaque_keys import InvalidKeyError
from opaque_keys.edx.keys import CourseKey

from schedules import host
from schedules.contrib.lms import models
from schedules.contrib.lms.converters import course_path
from schedules.host import EnrollmentKey


class LmsHost(host.Host):
    """The embedded LMS. A course id that is malformed names no course, so it is left out as any unknown one."""

    def courses(self, course_ids: Collection[str]) -> Mapping[str, host.Course]:
        rows = models.Course.objects.filter(pk__in=_course_keys(course_ids))
        return {str(row.pk): _course(row) for row in rows}

    def learners(self, user_ids: Collection[int]) -> Mapping[int, host.Learner]:
        users = get_user_model()._default_manager.filter(pk__in=user_ids).select_related("profile")
        return {user.pk: _learner(user) for user in users}

    def enrollments(self, keys: Collection[EnrollmentKey]) -> Mapping[EnrollmentKey, host.Enrollment]:
        asked = set(keys)
        rows = models.CourseEnrollment.objects.filter(**_both_sides(keys))
        found = (_enrollment(row) for row in rows)
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
            by_course[str(row.course_id)].append(_section(row))
        return dict(by_course)

    def opt_outs(self, keys: Collection[EnrollmentKey]) -> Collection[EnrollmentKey]:
        rows = models.CourseEmailOptout.objects.filter(**_both_sides(keys)).values_list("user_id", "course_id")
        return set(keys) & {(user_id, str(course_id)) for user_id, course_id in rows}

    def progress(self, keys: Collection[EnrollmentKey]) -> Mapping[EnrollmentKey, host.LearnerProgress]:
        asked = set(keys)
        names = ("user_id", "course_id", "last_active_at", "upgraded_at", "completed_at")
        rows = models.CourseEnrollment.objects.filter(**_both_sides(keys)).values(*names)  # many, so no whole rows
        found = (host.LearnerProgress(**{**row, "course_id": str(row["course_id"])}) for row in rows)
        return {progress.key: progress for progress in found if progress.key in asked}

    def site_values(self) -> Mapping[int, Mapping[str, Any]]:
        rows = models.SiteConfiguration.objects.filter(enabled=True)
        return dict(rows.values_list("site_id", "site_values"))

    def dashboard_url(self, site_id: int) -> str:
        return reverse("schedules_lms:dashboard")

    def course_links(self, keys: Collection[EnrollmentKey]) -> Mapping[EnrollmentKey, host.CourseLinks]:
        is_sold = Exists(models.CourseMode.objects.filter(course=OuterRef("pk"), mode_slug=models.VERIFIED))
        rows = models.Course.objects.filter(pk__in=_course_keys({course_id for _, course_id in keys}))
        links = {str(pk): _links(str(pk), sold) for pk, sold in rows.values_list("pk", is_sold)}
        return {key: links[key[1]] for key in keys if key[1] in links}


def _course(row: models.Course) -> host.Course:
    return host.Course(
        id=str(row.pk),
        org=row.org,
        name=row.display_name,
        start=row.start,
        end=row.end,
        is_self_paced=row.self_paced,
        language=row.language or None,
        is_messaging_enabled=row.highlights_enabled_for_messaging,
        image_url=row.image_url or None,
    )


def _learner(user: Any) -> host.Learner:
    profile = getattr(user, "profile", None)
    return host.Learner(
        id=user.pk,
        email=getattr(user, user.get_email_field_name()) or "",
        name=(profile.name if profile else "") or user.get_full_name(),
        language=(profile.language if profile else "") or None,
        is_active=user.is_active,
    )


def _enrollment(row: models.CourseEnrollment) -> host.Enrollment:
    return host.Enrollment(
        user_id=row.user_id,
        course_id=str(row.course_id),
        mode=row.mode,
        is_active=row.is_active,
        created=row.created,
    )


def _section(row: models.Section) -> host.Section:
    """The section as it stands. Raises `HostError` where its highlights are no list of texts."""
    if not isinstance(row.highlights, list):
        raise host.HostError(
            f"Section {row.pk} of {row.course_id} has the highlights {row.highlights!r}, which are no list; "
            "write one on each line where the course is edited in the admin."
        )
    return host.Section(
        name=row.display_name,
        highlights=tuple(row.highlights),
        is_hidden_from_toc=row.hide_from_toc,
        is_staff_only=row.visible_to_staff_only,
    )


def _links(course_id: str, is_sold: bool) -> host.CourseLinks:
    return host.CourseLinks(
        home=course_path("course", course_id), upgrade=course_path("upgrade", course_id) if is_sold else None
    )


def _course_keys(course_ids: Collection[str]) -> list[CourseKey]:
    """The ids as keys, less those that can be no course's. One that names a branch or version is no course run's."""
    keys = []
    for course_id in course_ids:
        try:
            key = CourseKey.from_string(course_id)
        except InvalidKeyError:
            continue
        if getattr(key, "branch", None) is None and getattr(key, "version_guid", None) is None:
            keys.append(key)
    return keys


def _both_sides(keys: Collection[EnrollmentKey]) -> dict[str, Any]:
    """Rows of these learners in these courses: more than the pairs that were asked for, to be narrowed."""
    return {
        "user__in": {user_id for user_id, _ in keys},
        "course__in": _course_keys({course_id for _, course_id in keys}),
    }
