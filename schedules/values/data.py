"""The frozen values that pass between the host and the app, and the words both use.

All instants are aware datetimes; all ids of courses are text, all ids of learners and sites integers.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum, StrEnum

from schedules.exceptions import HostError
from schedules.values.text import one_line
from schedules.values.typed import check_fields, shown

#: (learner's id, course id): the key of everything that belongs to one enrollment.
EnrollmentKey = tuple[int, str]


class ExperienceType(IntEnum):
    """Which set of e-mails a learner gets; the numbers are stored."""

    DEFAULT = 0
    COURSE_UPDATES = 1


class Engagement(StrEnum):
    """What a learner, or a machine of theirs, can do with a message: the ledger's columns, less `_at`."""

    OPENED = "opened"
    CLICKED = "clicked"
    OPTED_OUT = "opted_out"


class CourseFact(StrEnum):
    """What a host may say has changed about a course (behavior 2.3)."""

    START = "start"
    END = "end"
    PACING = "pacing"
    VERIFIED_MODE = "verified_mode"


@dataclass(frozen=True, kw_only=True, slots=True)
class Course:
    """A course run as its host describes it.

    `start` is `None` while the course team has not set one, `end` when it stays open. `language` is a
    language code or `None`. `is_messaging_enabled`: its weekly highlights may be sent.
    """

    id: str
    org: str
    name: str
    start: datetime | None
    end: datetime | None = None
    is_self_paced: bool = True
    language: str | None = None
    is_messaging_enabled: bool = False
    image_url: str | None = field(default=None, metadata={"is_link": True})

    def __post_init__(self) -> None:
        check_fields(self)
        object.__setattr__(self, "name", one_line(self.name))


@dataclass(frozen=True, kw_only=True, slots=True)
class Learner:
    """A person. `email` is empty or `None` when there is no address; `language` a code or `None`."""

    id: int
    email: str = field(metadata={"if_none": "", "is_personal": True})
    name: str = field(default="", metadata={"is_personal": True})
    language: str | None = None
    is_active: bool = True

    def __post_init__(self) -> None:
        check_fields(self)


@dataclass(frozen=True, kw_only=True, slots=True)
class Enrollment:
    """One learner in one course. `mode` is the host's slug, such as `audit` or `verified`."""

    user_id: int
    course_id: str
    mode: str
    is_active: bool
    created: datetime

    def __post_init__(self) -> None:
        check_fields(self)

    @property
    def key(self) -> EnrollmentKey:
        return self.user_id, self.course_id


@dataclass(frozen=True, kw_only=True, slots=True)
class LearnerProgress:
    """What became of one learner in one course; each is `None` where it did not happen, or no longer holds.

    `last_active_at`: when they last worked in the course; `upgraded_at`: since when they take it for a certificate;
    `completed_at`: when they finished it.
    """

    user_id: int
    course_id: str
    last_active_at: datetime | None = None
    upgraded_at: datetime | None = None
    completed_at: datetime | None = None

    def __post_init__(self) -> None:
        check_fields(self)

    @property
    def key(self) -> EnrollmentKey:
        return self.user_id, self.course_id


@dataclass(frozen=True, kw_only=True, slots=True)
class VerifiedMode:
    """The course sells a verified certificate, until `expires_at` or for as long as it runs (`None`)."""

    course_id: str
    expires_at: datetime | None = None

    def __post_init__(self) -> None:
        check_fields(self)


@dataclass(frozen=True, kw_only=True, slots=True)
class Section:
    """A section of a course, in course order, with what its authors want said about it (plain text)."""

    name: str
    highlights: tuple[str, ...] = ()
    is_hidden_from_toc: bool = False
    is_staff_only: bool = False

    def __post_init__(self) -> None:
        check_fields(self)
        for highlight in self.highlights:
            if not isinstance(highlight, str):
                raise HostError(
                    f"section {self.name!r} has the highlight {shown(highlight)}; a highlight is plain text. "
                    "Correct it where the course's sections are edited."
                )
        object.__setattr__(self, "name", one_line(self.name))
        object.__setattr__(self, "highlights", tuple(text for raw in self.highlights if (text := raw.strip())))


def weekly_sections(course: Course, sections: Iterable[Section]) -> list[Section]:
    """The sections whose highlights are sent, the first of them in week 1; none while the course sends none.

    Whether a course has course updates at all and what a week brings is both decided by this, and nothing else.
    """
    return [
        section
        for section in sections
        if course.is_messaging_enabled
        and section.highlights
        and not section.is_hidden_from_toc
        and not section.is_staff_only
    ]


@dataclass(frozen=True, kw_only=True, slots=True)
class CourseLinks:
    """Where a learner's links lead: a path on the site, or a whole URL. No `upgrade`: nothing is for sale."""

    home: str = field(metadata={"is_link": True})
    upgrade: str | None = field(default=None, metadata={"is_link": True})

    def __post_init__(self) -> None:
        check_fields(self)
