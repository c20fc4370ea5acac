"""For the tests of host projects: a host in memory, and the contract that every host keeps."""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import ExitStack
from typing import Any

from django.db import connections

from schedules.host import Host, checked
from schedules.memory_host import MemoryHost
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
from schedules.values.typed import check_fields

__all__ = ["FakeHost", "HostContract"]


class FakeHost(MemoryHost):
    """An LMS in memory, for tests. It knows what it was given."""


class HostContract:
    """Mix it in to a test class (pytest's or `unittest`'s), set `host` and what it knows, and every test must pass.

    `course_id` names a course with a verified mode and at least one section with highlights, in which the
    learner `user_id` is enrolled and from whose e-mails they opted out; `site_id` a site with values. Set them in
    the class, or before each test where they come from a database. What fails says which question was asked, with what,
    and what was answered.
    """

    host: Host
    user_id: int
    course_id: str
    site_id: int

    #: Other enrollments, of other learners in other courses. With some, the count of queries is proved.
    more_keys: Sequence[EnrollmentKey] = ()

    #: Keys that no LMS knows.
    unknown_course_id = "course-v1:No+Such+Course"
    unknown_user_id = 2**31 - 1

    @property
    def asked(self) -> Any:
        """The host, whose answers are looked at as the app does: each field's type, and whose answer it is."""
        return _Asked(self.host)

    @property
    def key(self) -> EnrollmentKey:
        return self.user_id, self.course_id

    @property
    def unknown_keys(self) -> list[EnrollmentKey]:
        known_learner, known_course = (self.user_id, self.unknown_course_id), (self.unknown_user_id, self.course_id)
        return [known_learner, known_course, (self.unknown_user_id, self.unknown_course_id)]

    def test_it_answers_what_it_knows_under_the_key_that_was_asked(self) -> None:
        courses = self.asked.courses([self.course_id])
        assert {key: course.id for key, course in courses.items()} == {self.course_id: self.course_id}
        learners = self.asked.learners([self.user_id])
        assert {key: learner.id for key, learner in learners.items()} == {self.user_id: self.user_id}
        enrollments = self.asked.enrollments([self.key])
        assert {key: enrollment.key for key, enrollment in enrollments.items()} == {self.key: self.key}
        modes = self.asked.verified_modes([self.course_id])
        assert {key: mode.course_id for key, mode in modes.items()} == {self.course_id: self.course_id}

    def test_its_answers_are_the_frozen_values(self) -> None:
        answers: list[tuple[type, Any]] = [
            (Course, self.asked.courses([self.course_id])[self.course_id]),
            (Learner, self.asked.learners([self.user_id])[self.user_id]),
            (Enrollment, self.asked.enrollments([self.key])[self.key]),
            (VerifiedMode, self.asked.verified_modes([self.course_id])[self.course_id]),
            (CourseLinks, self.asked.course_links([self.key])[self.key]),
            *((Section, section) for section in self.asked.sections([self.course_id])[self.course_id]),
        ]
        for cls, answer in answers:
            assert type(answer) is cls, f"{answer!r} is no {cls.__name__}"
            check_fields(answer)

    def test_it_tells_the_highlights_and_the_opt_out(self) -> None:
        assert any(section.highlights for section in self.asked.sections([self.course_id])[self.course_id])
        assert set(self.asked.opt_outs([self.key])) == {self.key}

    def test_progress_if_any_is_told_under_the_key_that_was_asked(self) -> None:
        """The question is optional: a host that answers nothing keeps the contract."""
        answers = self.asked.progress([self.key, *self.unknown_keys])
        assert set(answers) <= {self.key}
        for key, answer in answers.items():
            assert type(answer) is LearnerProgress, f"{answer!r} is no LearnerProgress"
            check_fields(answer)
            assert answer.key == key

    def test_unknown_keys_are_left_out_beside_known_ones(self) -> None:
        course_ids = [self.course_id, self.unknown_course_id, "not an id of a course"]
        for question in (self.asked.courses, self.asked.verified_modes, self.asked.sections):
            assert set(question(course_ids)) == {self.course_id}
        assert set(self.asked.learners([self.user_id, self.unknown_user_id])) == {self.user_id}
        assert set(self.asked.enrollments([self.key, *self.unknown_keys])) == {self.key}
        assert set(self.asked.opt_outs([self.key, *self.unknown_keys])) == {self.key}
        assert set(self.asked.course_links([self.key, (self.user_id, self.unknown_course_id)])) == {self.key}

    def test_no_keys_get_no_answers(self) -> None:
        about_courses = (self.asked.courses, self.asked.verified_modes, self.asked.sections)
        about_enrollments = (self.asked.enrollments, self.asked.opt_outs, self.asked.progress, self.asked.course_links)
        for question in (*about_courses, self.asked.learners, *about_enrollments):
            assert not question([])

    def test_links_are_text(self) -> None:
        links = self.asked.course_links([self.key])[self.key]
        for link in (links.home, links.upgrade, self.asked.dashboard_url(self.site_id)):
            assert isinstance(link, str), f"{link!r} is no path and no URL"
            assert link

    def test_the_site_of_an_enrollment_is_an_id_or_none(self) -> None:
        assert isinstance(self.asked.enrollment_site_id(*self.key), int | None)

    def test_many_keys_cost_no_more_queries_than_one(self) -> None:
        few, many = [self.key], [self.key, *self.more_keys, *self.unknown_keys]
        for question in (self.asked.enrollments, self.asked.opt_outs, self.asked.course_links, self.asked.progress):
            _assert_no_growth(question, few, many)
        for about_courses in (self.asked.courses, self.asked.verified_modes, self.asked.sections):
            _assert_no_growth(about_courses, [key[1] for key in few], [key[1] for key in many])
        _assert_no_growth(self.asked.learners, [key[0] for key in few], [key[0] for key in many])

    def test_site_values_map_ids_to_mappings(self) -> None:
        values = self.asked.site_values()
        assert self.site_id in values
        assert all(isinstance(site_values, Mapping) for site_values in values.values())


class _Asked:
    """A host whose questions fail as tests do, with what was asked and answered, whatever goes wrong."""

    def __init__(self, host: Host) -> None:
        self._host = host

    def __getattr__(self, name: str) -> Callable[..., Any]:
        question = getattr(checked(self._host), name)

        @functools.wraps(question)
        def asking(*asked: Any) -> Any:
            try:
                return question(*asked)
            except Exception as error:
                line = f"{type(self._host).__name__}.{name}{asked!r} cannot be used: {type(error).__name__}: {error}"
                raise AssertionError(line) from error

        return asking


def _assert_no_growth(question: Callable[[Collection[Any]], Any], few: list[Any], many: list[Any]) -> None:
    question(few)  # what is read once and kept does not count
    for_few, for_many = _count_queries(question, few), _count_queries(question, many)
    assert for_many <= for_few, (
        f"{question.__name__}: {for_few} queries for {len(few)} keys, {for_many} for {len(many)}; ask for all at once."
    )


def _count_queries(question: Callable[[Collection[Any]], Any], keys: list[Any]) -> int:
    """Queries through Django's databases: none where the host does not use them, and then none is opened."""
    count = 0

    def count_one(execute: Callable[..., Any], *arguments: Any) -> Any:
        nonlocal count
        count += 1
        return execute(*arguments)

    with ExitStack() as stack:
        for connection in connections.all():
            stack.enter_context(connection.execute_wrapper(count_one))
        question(keys)
    return count
