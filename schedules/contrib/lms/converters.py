"""How a course id stands in a URL."""

from __future__ import annotations

from django.urls import reverse


class CourseIdConverter:
    """A course id, as text: one path segment, or the three of an id of the old kind (`Org/Course/Run`).

    Whether it names a course is the page's to say, in a sentence. A `+` may come as `%2B` too.
    """

    regex = "[^/]+(?:/[^/]+/[^/]+)?"

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: object) -> str:
        return str(value)


def course_path(page: str, course_id: object) -> str:
    """The path of a page about a course, with `+` as `%2B`: some mail services read a plain one as a blank."""
    return reverse(f"schedules_lms:{page}", args=[course_id]).replace("+", "%2B")
