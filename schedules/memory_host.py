"""An LMS in memory: the school that previews speak of, and `schedules.testing.FakeHost`."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from schedules.host import Host
from schedules.values.data import (
    Course,
    CourseLinks,
    Enrollment,
    EnrollmentKey,
    Learner,
    LearnerProgress,
    Section,
    VerifiedMode,
)


class MemoryHost(Host):
    """An LMS in memory. It knows what it was given.

    `links`: by course id; of other courses they are made from the id, with an upgrade where a verified mode is
    for sale. `site_id`: where learners are enrolling now.
    """

    def __init__(
        self,
        *,
        courses: Iterable[Course] = (),
        learners: Iterable[Learner] = (),
        enrollments: Iterable[Enrollment] = (),
        verified_modes: Iterable[VerifiedMode] = (),
        sections: Mapping[str, Sequence[Section]] | None = None,
        opt_outs: Iterable[EnrollmentKey] = (),
        progress: Iterable[LearnerProgress] = (),
        site_values: Mapping[int, Any] | None = None,
        site_id: int | None = None,
        links: Mapping[str, CourseLinks] | None = None,
        dashboard: str = "/dashboard",
    ) -> None:
        self._courses = {course.id: course for course in courses}
        self._learners = {learner.id: learner for learner in learners}
        self._enrollments = {enrollment.key: enrollment for enrollment in enrollments}
        self._verified_modes = {mode.course_id: mode for mode in verified_modes}
        self._sections = dict(sections or {})
        self._opt_outs = frozenset(opt_outs)
        self._progress = {row.key: row for row in progress}
        self._site_values = dict(site_values or {})
        self._site_id = site_id
        self._links = dict(links or {})
        self._dashboard = dashboard

    def courses(self, course_ids: Collection[str]) -> Mapping[str, Course]:
        return _only(self._courses, course_ids)

    def learners(self, user_ids: Collection[int]) -> Mapping[int, Learner]:
        return _only(self._learners, user_ids)

    def enrollments(self, keys: Collection[EnrollmentKey]) -> Mapping[EnrollmentKey, Enrollment]:
        return _only(self._enrollments, keys)

    def verified_modes(self, course_ids: Collection[str]) -> Mapping[str, VerifiedMode]:
        return _only(self._verified_modes, course_ids)

    def sections(self, course_ids: Collection[str]) -> Mapping[str, Sequence[Section]]:
        return _only(self._sections, course_ids)

    def opt_outs(self, keys: Collection[EnrollmentKey]) -> Collection[EnrollmentKey]:
        return self._opt_outs & set(keys)

    def progress(self, keys: Collection[EnrollmentKey]) -> Mapping[EnrollmentKey, LearnerProgress]:
        return _only(self._progress, keys)

    def enrollment_site_id(self, user_id: int, course_id: str) -> int | None:
        return self._site_id

    def site_values(self) -> Mapping[int, Mapping[str, Any]]:
        return self._site_values

    def dashboard_url(self, site_id: int) -> str:
        return self._dashboard

    def course_links(self, keys: Collection[EnrollmentKey]) -> Mapping[EnrollmentKey, CourseLinks]:
        return {key: self._course_links(key[1]) for key in keys if key[1] in self._courses}

    def _course_links(self, course_id: str) -> CourseLinks:
        upgrade = f"/courses/{course_id}/upgrade" if course_id in self._verified_modes else None
        return self._links.get(course_id, CourseLinks(home=f"/courses/{course_id}/", upgrade=upgrade))


def _only(known: Mapping[Any, Any], keys: Collection[Any]) -> dict[Any, Any]:
    return {key: known[key] for key in keys if key in known}
