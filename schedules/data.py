"""The frozen values that pass between the host and the app, and the words both use.

All instants are aware datetimes; all ids of courses are text, all ids of learners and sites integers.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import IntEnum, StrEnum
from typing import Any
from uuid import UUID

from schedules.exceptions import HostError
from schedules.typed import check_fields, shown

#: (learner's id, course id): the key of everything that belongs to one enrollment.
EnrollmentKey = tuple[int, str]

#: A day's learners are searched in this many parts, learner's id modulo 24: one Celery task each.
BINS = 24

# Words are tried at their beginning alone: at each of its letters, a long one would be read to its end.
_ENDS_ADDRESS = r"\s<>()\[\],;:'\""
_ADDRESS = re.compile(rf"(?<![^{_ENDS_ADDRESS}@])[^{_ENDS_ADDRESS}@]+@[^{_ENDS_ADDRESS}]+")
_WORD_AT_END = re.compile(rf"(?<![^{_ENDS_ADDRESS}])[^{_ENDS_ADDRESS}]+\Z")

#: Of what others say about a failure, no more is read.
MAX_DETAIL_CHARACTERS = 2_000
_LINE_BREAKS = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029\ud800-\udfff]+")
_NOT_STORED = re.compile(r"[\x00\ud800-\udfff]")


class ExperienceType(IntEnum):
    """Which set of e-mails a learner gets; the numbers are stored."""

    DEFAULT = 0
    COURSE_UPDATES = 1


class SkipReason(StrEnum):
    """Why a learner who was found got no message. These words stand in the ledger and in reports."""

    NO_ADDRESS = "no-address"
    BAD_ADDRESS = "bad-address"
    OPTED_OUT = "opted-out"
    NO_HIGHLIGHTS = "no-highlights"
    NOTHING_TO_UPGRADE = "nothing-to-upgrade"
    ALREADY_TOLD = "already-told"
    DELIVERY_DISABLED = "delivery-disabled"
    EXPIRED = "expired"
    NO_LONGER_DUE = "no-longer-due"
    POLICY = "denied-by-policy"


class FailReason(StrEnum):
    """Why a message that should have gone out did not. `": "` and a detail may follow in the ledger."""

    HOST_ERROR = "host-error"
    TEMPLATE_MISSING = "template-missing"
    TEMPLATE_ERROR = "template-error"
    CHANNEL_REFUSED = "channel-refused"
    CHANNEL_ERROR = "channel-error"
    INTERNAL_ERROR = "internal-error"


class OutcomeStatus(StrEnum):
    """What can become of a message: settled, in the words of `ScheduledMessage.Status`, or to be tried again."""

    SENT = "sent"
    SKIPPED = "skipped"
    FAILED = "failed"
    RETRY = "retry"


class Reaction(StrEnum):
    """What a learner, or a machine of theirs, can do with a message: the ledger's columns, less `_at`."""

    OPENED = "opened"
    CLICKED = "clicked"
    OPTED_OUT = "opted_out"


class CourseFact(StrEnum):
    """What a host may say has changed about a course (SPEC 2.3)."""

    START = "start"
    END = "end"
    PACING = "pacing"
    VERIFIED_MODE = "verified_mode"


class RunOrigin(StrEnum):
    """What a run's day comes from; these words are stored."""

    DAILY = "daily"
    DATE = "date"
    SINCE = "since"


@dataclass(frozen=True, kw_only=True, slots=True)
class Course:
    """A course run as its host describes it.

    `start` is null while the course team has not set one, `end` when it stays open. `language` is a
    language code or null. `is_messaging_enabled`: its weekly highlights may be sent.
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
    """What became of one learner in one course; each is null where it did not happen, or no longer holds.

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
    """The course sells a verified certificate, until `expires_at` or for as long as it runs (null)."""

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


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """One message type for one site, day and day offset.

    `today` is the day for which everything is decided; `uuid` the `SendRun`'s. `origin`: whether that day is today's
    or a missed one, or was asked for by `--date` or `--since`. With an `override_address` it is a test: there is no
    `SendRun`, every message goes to that address, and the ledger is left alone.
    """

    message_type: str
    site_id: int
    today: date
    day_offset: int
    uuid: UUID
    origin: RunOrigin = RunOrigin.DAILY
    override_address: str | None = None

    @property
    def target_date(self) -> date:
        return self.today + timedelta(days=self.day_offset)

    @property
    def is_test(self) -> bool:
        return self.override_address is not None


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What became of a message: `sent` has a channel and a language, all others a reason.

    `retry_at`: when a `retry` may be tried again, if whoever refused it said so. `was_tried`: its channel was asked.
    `is_known`: what went wrong has a name; other faults are counted, and tried a few times only.
    """

    status: OutcomeStatus
    retry_at: datetime | None = None
    was_tried: bool = True
    is_known: bool = True
    reason: str = ""
    detail: str = ""
    channel: str = ""
    language: str = ""

    @property
    def full_reason(self) -> str:
        return f"{self.reason}: {self.detail}" if self.detail else self.reason


def skipped(reason: SkipReason) -> Outcome:
    return Outcome(status=OutcomeStatus.SKIPPED, reason=reason.value)


def failed(reason: FailReason, detail: str = "") -> Outcome:
    """`detail` may be anybody's words, such as a host's: addresses in it do not reach the ledger."""
    return Outcome(status=OutcomeStatus.FAILED, reason=reason.value, detail=one_line(without_addresses(detail)))


def to_retry(reason: FailReason, detail: str = "", retry_at: datetime | None = None) -> Outcome:
    return Outcome(
        status=OutcomeStatus.RETRY, reason=reason.value, detail=one_line(without_addresses(detail)), retry_at=retry_at
    )


@dataclass(kw_only=True)
class Totals:
    """How many messages of a run were found, and what became of them.

    `already`: sent by an earlier run, or in the hands of another. `pending`: claimed, or to be tried again.
    `skipped` and `failed` count by reason.
    """

    found: int = 0
    already: int = 0
    sent: int = 0
    pending: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)

    def count(self, outcome: Outcome) -> None:
        """Add one message."""
        match outcome.status:
            case OutcomeStatus.SENT:
                self.sent += 1
            case OutcomeStatus.SKIPPED:
                self.skipped[outcome.reason] += 1
            case OutcomeStatus.FAILED:
                self.failed[outcome.reason] += 1
            case OutcomeStatus.RETRY:
                self.pending += 1

    def add(self, other: Mapping[str, Any]) -> None:
        """Add what `as_dict()` of other totals says."""
        for name in ("found", "already", "sent", "pending"):
            setattr(self, name, getattr(self, name) + other.get(name, 0))
        self.skipped.update(other.get("skipped", {}))
        self.failed.update(other.get("failed", {}))

    def as_dict(self) -> dict[str, Any]:
        """JSON primitives; the same shape as `SendRun.counts`."""
        return {**vars(self), "skipped": dict(self.skipped), "failed": dict(self.failed)}


class QuietText(str):
    """A text that keeps itself to itself where a whole context is logged."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"<{len(self)} characters>"


def can_be_stored(value: Any) -> bool:
    """Whether every database takes a text, or JSON's values: none with a NUL, half a surrogate pair, or infinity."""
    match value:
        case str():
            return not _NOT_STORED.search(value)
        case float():
            return math.isfinite(value)
        case Mapping():
            return all(map(can_be_stored, (*value.keys(), *value.values())))
        case list() | tuple():
            return all(map(can_be_stored, value))
    return True


def one_line(text: str) -> str:
    """`text` with control characters and halves of characters as blanks, fit for a mail header (RFC 5322, 2.2)."""
    return _LINE_BREAKS.sub(" ", text).strip()


def without_addresses(text: str, *known: str) -> str:
    """`text` with e-mail addresses taken out; those that are `known` also where their name stands alone.

    It may be anybody's, such as a server's answer: a long one is cut between two words, so that no part of an
    address is left.
    """
    if len(text) > MAX_DETAIL_CHARACTERS:
        text = f"{_WORD_AT_END.sub('', text[:MAX_DETAIL_CHARACTERS])}…"
    text = _ADDRESS.sub("(address)", text)
    for address in known:
        name = address.partition("@")[0]
        if name:
            text = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", "(address)", text, flags=re.IGNORECASE)
    return text
