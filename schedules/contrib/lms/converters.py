"""How a course id stands in a URL."""

from opaque_keys import InvalidKeyError
from opaque_keys.edx.keys import CourseKey


class CourseIdConverter:
    """One path segment that is a course id; anything else is no such page."""

    regex = "[^/]+"

    def to_python(self, value: str) -> CourseKey:
        try:
            return CourseKey.from_string(value)
        except InvalidKeyError as error:
            raise ValueError(value) from error

    def to_url(self, value: object) -> str:
        return str(value)
