"""For the tests of host projects: a host in memory, and the contract that every host keeps."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from schedules.data import Course, CourseLinks, Enrollment, EnrollmentKey, Learner, Section, VerifiedMode
from schedules.host import Host

__all__ = ["FakeHost", "HostContract"]


class FakeHost(Host):
    """An LMS in memory. It knows what it was given; links are made from course ids."""

    def __init__(
        self,
        *,
        courses: Iterable[Course] = (),
        learners: Iterable[Learner] = (),
        enrollments: Iterable[Enrollment] = (),
        verified_modes: Iterable[VerifiedMode] = (),
        sections: Mapping[str, Sequence[Section]] | None = None,
        opt_outs: Iterable[EnrollmentKey] = (),
        site_values: Mapping[int, Any] | None = None,
        site_id: int | None = None,
    ) -> None:
        self._courses = {course.id: course for course in courses}
        self._learners = {learner.id: learner for learner in learners}
        self._enrollments = {enrollment.key: enrollment for enrollment in enrollments}
        self._verified_modes = {mode.course_id: mode for mode in verified_modes}
        self._sections = dict(sections or {})
        self._opt_outs = frozenset(opt_outs)
        self._site_values = dict(site_values or {})
        self._site_id = site_id

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

    def enrollment_site_id(self, user_id: int, course_id: str) -> int | None:
        return self._site_id

    def site_values(self) -> Mapping[int, Mapping[str, Any]]:
        return self._site_values

    def dashboard_url(self, site_id: int) -> str:
        return "/dashboard"

    def course_links(self, keys: Collection[EnrollmentKey]) -> Mapping[EnrollmentKey, CourseLinks]:
        return {
            (user_id, course_id): CourseLinks(
                home=f"/courses/{course_id}/",
                upgrade=f"/courses/{course_id}/upgrade" if course_id in self._verified_modes else None,
            )
            for user_id, course_id in keys
            if course_id in self._courses
        }


class HostContract:
    """Subclass it with pytest, set `host` and what it knows, and every test must pass.

    `course_id` names a course with a verified mode and at least one section with highlights, in which the
    learner `user_id` is enrolled and from whose e-mails they opted out; `site_id` a site with values.
    """

    host: Host
    user_id: int
    course_id: str
    site_id: int

    #: Keys that no LMS knows.
    unknown_course_id = "course-v1:No+Such+Course"
    unknown_user_id = 2**31 - 1

    @property
    def key(self) -> EnrollmentKey:
        return self.user_id, self.course_id

    @property
    def unknown_keys(self) -> list[EnrollmentKey]:
        known_learner, known_course = (self.user_id, self.unknown_course_id), (self.unknown_user_id, self.course_id)
        return [known_learner, known_course, (self.unknown_user_id, self.unknown_course_id)]

    def test_it_answers_what_it_knows_under_the_key_that_was_asked(self) -> None:
        courses = self.host.courses([self.course_id])
        assert {key: course.id for key, course in courses.items()} == {self.course_id: self.course_id}
        learners = self.host.learners([self.user_id])
        assert {key: learner.id for key, learner in learners.items()} == {self.user_id: self.user_id}
        enrollments = self.host.enrollments([self.key])
        assert {key: enrollment.key for key, enrollment in enrollments.items()} == {self.key: self.key}
        modes = self.host.verified_modes([self.course_id])
        assert {key: mode.course_id for key, mode in modes.items()} == {self.course_id: self.course_id}

    def test_its_answers_are_the_frozen_values(self) -> None:
        answers: list[tuple[type, Any]] = [
            (Course, self.host.courses([self.course_id])[self.course_id]),
            (Learner, self.host.learners([self.user_id])[self.user_id]),
            (Enrollment, self.host.enrollments([self.key])[self.key]),
            (VerifiedMode, self.host.verified_modes([self.course_id])[self.course_id]),
            (CourseLinks, self.host.course_links([self.key])[self.key]),
            *((Section, section) for section in self.host.sections([self.course_id])[self.course_id]),
        ]
        for kind, answer in answers:
            assert type(answer) is kind, f"{answer!r} is no {kind.__name__}"

    def test_it_tells_the_highlights_and_the_opt_out(self) -> None:
        assert any(section.highlights for section in self.host.sections([self.course_id])[self.course_id])
        assert set(self.host.opt_outs([self.key])) == {self.key}

    def test_unknown_keys_are_left_out_beside_known_ones(self) -> None:
        course_ids = [self.course_id, self.unknown_course_id, "not an id of a course"]
        for question in (self.host.courses, self.host.verified_modes, self.host.sections):
            assert set(question(course_ids)) == {self.course_id}
        assert set(self.host.learners([self.user_id, self.unknown_user_id])) == {self.user_id}
        assert set(self.host.enrollments([self.key, *self.unknown_keys])) == {self.key}
        assert set(self.host.opt_outs([self.key, *self.unknown_keys])) == {self.key}

    def test_no_keys_get_no_answers(self) -> None:
        for answer in (
            self.host.courses([]),
            self.host.learners([]),
            self.host.enrollments([]),
            self.host.verified_modes([]),
            self.host.sections([]),
            self.host.opt_outs([]),
            self.host.course_links([]),
        ):
            assert not answer

    def test_links_are_text(self) -> None:
        links = self.host.course_links([self.key])[self.key]
        assert links.home
        assert links.upgrade
        assert self.host.dashboard_url(self.site_id)

    def test_site_values_map_ids_to_mappings(self) -> None:
        values = self.host.site_values()
        assert self.site_id in values
        assert all(isinstance(one, Mapping) for one in values.values())


def _only(known: Mapping[Any, Any], keys: Collection[Any]) -> dict[Any, Any]:
    return {key: known[key] for key in keys if key in known}
