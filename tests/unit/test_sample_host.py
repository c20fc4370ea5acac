"""The host of the how-to, on the rows of a small campus."""

from functools import reduce
from types import SimpleNamespace as Row

from schedules.host import Course, CourseLinks, Enrollment, Learner, checked
from tests.documentation import code_blocks, part
from tests.world import started


class Rows(list):
    """A manager of rows, as far as the sample asks for one."""

    def filter(self, **conditions):
        return Rows(row for row in self if all(_value(row, path) in wanted for path, wanted in conditions.items()))

    def select_related(self, _):
        return self


def _value(row, path):
    return reduce(getattr, path.removesuffix("__in").split("__"), row)


COURSES = Rows(
    Row(
        code=code,
        faculty="Botany",
        title="A Garden in a Year",
        opens_at=started(100),
        closes_at=None,
        is_self_paced=True,
        language="en",
        has_weekly_mail=False,
    )
    for code in ("garden", "maps")
)
STUDENTS = Rows(
    Row(pk=number, email=f"{number}@learners.example.com", get_full_name=lambda: "Alice", is_active=True)
    for number in (1, 2)
)
SEATS = Rows(
    Row(student=student.pk, student_id=student.pk, course=course, mode="audit", is_active=True, created_at=started(3))
    for student, course in zip(STUDENTS, COURSES, strict=True)
)
MODELS = Row(Course=Row(objects=COURSES), Student=Row(objects=STUDENTS), Seat=Row(objects=SEATS))


def test_the_sample_host_answers_every_question_that_it_must():
    (sample,) = code_blocks(part("howto/plug-in", "Write a host"), "python")
    before, found, after = sample.partition("from campus import models\n")
    names = {"models": MODELS}
    exec(before + after, names)  # noqa: S102 - our own documentation
    host, key = checked(names["CampusHost"]()), (1, "garden")
    assert found
    assert host.courses(["garden", "unknown"]) == {
        "garden": Course(
            id="garden", org="Botany", name="A Garden in a Year", start=started(100), is_self_paced=True, language="en"
        )
    }
    assert host.learners([1, 3]) == {1: Learner(id=1, email="1@learners.example.com", name="Alice")}
    assert host.enrollments([key, (1, "maps")]) == {
        key: Enrollment(user_id=1, course_id="garden", mode="audit", is_active=True, created=started(3))
    }
    assert host.course_links([key, (1, "unknown")]) == {
        key: CourseLinks(home="/learn/garden/", upgrade="/learn/garden/buy")
    }
    assert host.dashboard_url(1) == "/my-courses"
