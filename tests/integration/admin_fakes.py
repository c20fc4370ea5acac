"""A host of three courses, and one that is down, for the admin's tests; and what these share."""

from __future__ import annotations

import datetime
from typing import Any, ClassVar

from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from schedules.exceptions import HostError
from schedules.host import Host
from schedules.values.data import Course

BOTANY = "course-v1:Meadow+Botany+2026"
CHESS = "course-v1:Meadow+Chess+2026"
DANCE = "course-v1:River+Dance+2026"
UNKNOWN = "course-v1:Meadow+Forgotten+2019"


def day(month: int, number: int) -> datetime.datetime:
    return datetime.datetime(2026, month, number, 9, 30, tzinfo=datetime.UTC)


def count_queries(client: Client, url_name: str) -> int:
    """How often the page asks the database."""
    with CaptureQueriesContext(connection) as queries:
        assert client.get(reverse(url_name)).status_code == 200
    return len(queries)


class MeadowHost(Host):
    """Botany and Dance started in March; Chess is led by an instructor."""

    questions: ClassVar[list[list[str]]] = []

    def courses(self, course_ids: Any) -> dict[str, Course]:
        self.questions.append(sorted(course_ids))
        known = [
            Course(id=BOTANY, org="Meadow", name="Botany", start=day(3, 10)),
            Course(id=CHESS, org="Meadow", name="Chess", start=None, is_self_paced=False),
            Course(id=DANCE, org="River", name="Dance", start=day(3, 1)),
        ]
        return {course.id: course for course in known if course.id in course_ids}

    def learners(self, user_ids: Any) -> Any:
        raise NotImplementedError

    def enrollments(self, keys: Any) -> Any:
        raise NotImplementedError

    def dashboard_url(self, site_id: int) -> str:
        raise NotImplementedError

    def course_links(self, keys: Any) -> Any:
        raise NotImplementedError


class ManyCoursesHost(MeadowHost):
    """Every course starts on 10 March."""

    def courses(self, course_ids: Any) -> dict[str, Course]:
        return {id_: Course(id=id_, org="Meadow", name=id_, start=day(3, 10)) for id_ in course_ids}


class SilentHost(MeadowHost):
    def courses(self, course_ids: Any) -> dict[str, Course]:
        raise HostError("the LMS is being upgraded", is_temporary=True)
