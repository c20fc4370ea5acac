"""What is known of the schedules that were found: each fact is asked for all of them, when it is first wanted."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from functools import cached_property
from typing import Any, TypeVar
from uuid import UUID

from django.contrib.sites.models import Site

from schedules import optouts, toggles
from schedules.enrolling import deadlines
from schedules.exceptions import HostError
from schedules.host import Answers, Host, ask, ask_opt_outs
from schedules.ledger.episodes import EarlierMessage
from schedules.models import Schedule
from schedules.values.data import Course, CourseLinks, Enrollment, EnrollmentKey, Learner, Section, VerifiedMode
from schedules.values.runs import Run

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Moment(StrEnum):
    """When it is asked whether a message may go out: when it is found, when its turn comes, or in a test."""

    FINDING = "finding"
    DELIVERY = "delivery"
    TEST = "test"


class Facts:
    """The facts of a batch of due schedules. A fact that nobody wants costs no question.

    Each question is put once, for the whole batch; `host` is one whose answers are checked. The methods raise
    `HostError` where the host failed at this schedule's part of an answer, and a temporary one where it is away.
    """

    def __init__(
        self,
        schedules: Collection[Schedule],
        *,
        host: Host,
        site: Site,
        run: Run,
        moment: Moment = Moment.FINDING,
        earlier: Callable[[Collection[int]], Mapping[int, Sequence[EarlierMessage]]] = lambda _: {},
        uuid_of: Callable[[Schedule], UUID | None] = lambda _: None,
    ) -> None:
        self.schedules = schedules
        self.host = host
        self.site = site
        self.run = run
        self.moment = moment
        self._read_earlier, self._uuid_of = earlier, uuid_of
        self._read: dict[Any, Any] = {}
        self._answers: dict[Any, Answers[Any, Any]] = {}

    # Of one schedule ------------------------------------------------------------------------------

    def course(self, due: Schedule) -> Course | None:
        """The course, or `None` where the host knows none by that id."""
        return self._told(self.host.courses, self.course_ids, due.course_id)

    def learner(self, due: Schedule) -> Learner | None:
        """The learner, or `None` where the host knows nobody by that id."""
        return self._told(self.host.learners, self.user_ids, due.user_id)

    def enrollment(self, due: Schedule) -> Enrollment | None:
        """The learner's enrollment in the course, or `None`."""
        return self._told(self.host.enrollments, self.keys, _key(due))

    def verified_mode(self, due: Schedule) -> VerifiedMode | None:
        """What the course sells, or `None`."""
        return self._told(self.host.verified_modes, self.course_ids, due.course_id)

    def sections(self, due: Schedule) -> Sequence[Section]:
        """All sections of the course, in their order."""
        return self._told(self.host.sections, self.course_ids, due.course_id) or ()

    def links(self, due: Schedule) -> CourseLinks | None:
        """Where the links about the course lead this learner; `None` where the host does not say."""
        return self._told(self.host.course_links, self.keys, _key(due))

    def is_opted_out(self, due: Schedule) -> bool:
        """Whether the learner wants no such message about the course, by the host's word or by ours."""
        is_hosts: bool | None = _part(self._hosts_opt_outs, _key(due))
        return bool(is_hosts) or _key(due) in self._own_opt_outs

    def can_upgrade(self, due: Schedule, clock: datetime) -> bool:
        """Whether an upgrade may be offered at that instant."""
        enrollment, links = self.enrollment(due), self.links(due)
        return (
            enrollment is not None
            and links is not None
            and deadlines.can_upgrade(
                schedule=due,
                enrollment=enrollment,
                mode=self.verified_mode(due),
                days=self.deadline_days[due.course_id],
                links=links,
                as_of=clock,
            )
        )

    def earlier(self, due: Schedule) -> list[EarlierMessage]:
        """Messages of the same name and day offset that the learner got, or that a worker has in hand: not this one."""
        found = self._earlier.get(due.user_id)
        return [message for message in found if message.uuid != self._uuid_of(due)] if found else []

    # Of the batch ---------------------------------------------------------------------------------

    @cached_property
    def is_delivering(self) -> bool:
        """Whether messages of this type are sent on this site."""
        return toggles.is_delivering(self.site, self.run.message_type)

    @cached_property
    def deadline_days(self) -> Mapping[str, int | None]:
        """Course id -> days from a start to its upgrade deadline, by today's configuration; `None` for no deadline."""
        return deadlines.deadline_days({due.course_id: due.org for due in self.schedules})

    @cached_property
    def keys(self) -> set[EnrollmentKey]:
        """(learner's id, course id) of each schedule of the batch."""
        return set(map(_key, self.schedules))

    @cached_property
    def user_ids(self) -> set[int]:
        """The learners of the batch."""
        return {due.user_id for due in self.schedules}

    @cached_property
    def course_ids(self) -> set[str]:
        """The courses of the batch."""
        return {due.course_id for due in self.schedules}

    def read(self, reader: Any) -> Any:
        """What a gate's own `read(facts)` returns: called once for the batch, also where it raises."""
        if reader not in self._read:
            try:
                self._read[reader] = reader.read(self), None
            except Exception as error:  # noqa: BLE001 - raised below, for each that asks
                self._read[reader] = None, error
        value, fault = self._read[reader]
        if fault is not None:
            raise fault
        return value

    def _told(self, question: Callable[[Collection[K]], Mapping[K, V]], keys: Collection[K], key: K) -> V | None:
        if question not in self._answers:
            self._answers[question] = ask(question, keys)
        return _part(self._answers[question], key)

    @cached_property
    def _hosts_opt_outs(self) -> Answers[EnrollmentKey, bool]:
        return ask_opt_outs(self.host, self.keys)

    @cached_property
    def _own_opt_outs(self) -> set[EnrollmentKey]:
        return optouts.opted_out(self.keys, site_id=self.site.pk, message_type=self.run.message_type)

    @cached_property
    def _earlier(self) -> Mapping[int, Sequence[EarlierMessage]]:
        return self._read_earlier(self.user_ids)


def _key(due: Schedule) -> EnrollmentKey:
    return due.user_id, due.course_id


def _part(answers: Answers[K, V], key: K) -> V | None:
    if key in answers.faults:
        raise HostError(answers.faults[key])
    return answers.values.get(key)
