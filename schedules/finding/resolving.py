"""Who is due: what the resolvers of all message types share."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar
from uuid import uuid4

from django.conf import settings
from django.contrib.sites.models import Site
from django.db import DEFAULT_DB_ALIAS
from django.db.models import F, Q, QuerySet
from edx_ace.message import MessageType

from schedules import ledger, optouts
from schedules.conf import conf
from schedules.enrolling import deadlines
from schedules.exceptions import ConfigurationError, SkipRecipient, where
from schedules.host import Answers, Host, ask, checked, get_host
from schedules.ledger.episodes import EarlierMessage, earlier_messages
from schedules.models import Schedule
from schedules.sites import dashboard_url, site_facts
from schedules.values.addresses import is_for_channel
from schedules.values.data import (
    Course,
    CourseLinks,
    Enrollment,
    EnrollmentKey,
    ExperienceType,
    Learner,
    Section,
    VerifiedMode,
)
from schedules.values.days import day_bounds, start_of_day
from schedules.values.links import site_root
from schedules.values.outcomes import FailReason, Outcome, SkipReason, failed, skipped
from schedules.values.runs import BINS, Run, RunOrigin

log = logging.getLogger(__name__)

READ_REPLICA = "read_replica"


@dataclass(frozen=True, kw_only=True, slots=True)
class DueCourse:
    """A learner's course that is due, with the facts that messages speak of."""

    schedule: Schedule
    course: Course
    sections: Sequence[Section]
    links: CourseLinks
    can_upgrade: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Decision:
    """One message that was found: to be sent about `courses` (never empty), or already settled by `outcome`.

    `must_wait`: a worker has a message in hand that may say the same; this one is sent if that one is not.
    """

    entry: ledger.Entry
    learner: Learner | None
    courses: tuple[DueCourse, ...]
    outcome: Outcome | None = None
    must_wait: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Facts:
    """What the host says about a batch of schedules, asked in bulk. `as_of`: the instant for which it is judged."""

    as_of: datetime
    courses: Answers[str, Course]
    learners: Answers[int, Learner]
    enrollments: Answers[EnrollmentKey, Enrollment]
    modes: Answers[str, VerifiedMode]
    sections: Answers[str, Sequence[Section]]
    links: Answers[EnrollmentKey, CourseLinks]
    opt_outs: Answers[EnrollmentKey, bool]
    deadline_days: Mapping[str, int | None]
    earlier: Mapping[int, Sequence[EarlierMessage]]

    def fault(self, schedule: Schedule) -> str:
        """One line on what the host could not say about this schedule; empty when it said everything."""
        course_id, user_id = schedule.course_id, schedule.user_id
        found = (
            *(answers.faults.get(course_id) for answers in (self.courses, self.modes, self.sections)),
            *(answers.faults.get((user_id, course_id)) for answers in (self.enrollments, self.links, self.opt_outs)),
            self.learners.faults.get(user_id),
        )
        return next(filter(None, found), "")


class Resolver(ABC):
    """Finds the learners of one message type who are due in one run, and what their message is about.

    A subclass names its `key` (as in the command and in `ScheduleConfig`), the `label` that staff read and the `title`
    by which learners know such e-mails (lazily translated), the date that is compared, whom it serves and whether a
    message is about one course alone. It asks the host of the settings, if given no other.
    """

    key: ClassVar[str]
    label: ClassVar[Any]
    title: ClassVar[Any]
    date_field: ClassVar[str]
    experience_type: ClassVar[ExperienceType]
    #: Day offsets that have their texts, though the default settings do not ask for them.
    further_day_offsets: ClassVar[tuple[int, ...]] = ()
    is_per_course: ClassVar[bool] = False
    needs_sections: ClassVar[bool] = False
    #: Whether a message's name and day offset say all, so that a learner hears of a course once in an episode.
    is_once_per_episode: ClassVar[bool] = True
    #: What own words about such a message may name: each message must have a value for it.
    placeholders: ClassVar[tuple[str, ...]] = ("course", "platform", "name")
    #: What of its context leads to pages of the platform: URLs, or lists of mappings with a `url`.
    page_links: ClassVar[tuple[str, ...]] = (
        "homepage_url",
        "dashboard_url",
        "course_url",
        "upsell_link",
        "unsubscribe_url",
    )

    def __init__(self, run: Run, site: Site, host: Host | None = None) -> None:
        self.run = run
        self.site = site
        self.host = checked(host or get_host())
        self.site_values, self._scope = site_facts(self.host, site)
        self.dashboard_url = dashboard_url(self.host, self.site_values)
        site_root(site.domain)  # a site whose domain makes no links sends nothing
        self.as_of = start_of_day(run.today, conf.time_zone)

    # What a message type says ---------------------------------------------------------------------

    @classmethod
    @abstractmethod
    def day_offsets(cls) -> tuple[int, ...]:
        """Days from a run's “today” to the target days, by the settings."""

    @classmethod
    @abstractmethod
    def message_name(cls, day_offset: int) -> str:
        """The name by which edx-ace finds the templates."""

    @classmethod
    def message_key(cls, day_offset: int) -> str:
        """What tells the message from a learner's others for the same target day."""
        return cls.message_name(day_offset)

    @abstractmethod
    def message_type(self) -> MessageType:
        """A new edx-ace message type for this run."""

    @abstractmethod
    def context(self, courses: Sequence[DueCourse]) -> dict[str, Any]:
        """What the templates need beyond the base context: JSON primitives, new for each message."""

    def select(self, courses: tuple[DueCourse, ...]) -> tuple[DueCourse, ...]:
        """Those courses that there is something to say about. Raises `SkipRecipient` if there are none."""
        return courses

    # Finding --------------------------------------------------------------------------------------

    def batches(self, bin_number: int) -> Iterator[list[Schedule]]:
        """A bin's due schedules, whole learners at a time, by keyset pages: memory does not grow with the bin."""
        bin_of_day = self._due_schedules().annotate(bin=F("user_id") % BINS).filter(bin=bin_number)
        page = bin_of_day.order_by("user_id").values_list("user_id", flat=True).distinct()
        user_ids = list(page[: conf.resolve_batch_size])
        while user_ids:
            yield self.schedules_of(user_ids)
            user_ids = list(page.filter(user_id__gt=user_ids[-1])[: conf.resolve_batch_size])

    def schedules_of(self, user_ids: Collection[int]) -> list[Schedule]:
        """The due schedules of these learners."""
        return list(self._due_schedules().filter(user_id__in=user_ids).order_by("user_id", "id"))

    def decide(self, schedules: Collection[Schedule], now: datetime) -> list[Decision]:
        """What is to be said to the learners of these schedules; who is not due is left out.

        What a message says must be so when it leaves, so a day that is done late is judged as of `now`. But a day that
        was asked for by `--date` is the clock of its run.
        """
        as_of = self.as_of if self.run.origin == RunOrigin.DATE else max(self.as_of, now)
        facts = self._gather(schedules, as_of)
        groups: dict[tuple[int, int | None], list[Schedule]] = defaultdict(list)
        for schedule in schedules:
            if facts.fault(schedule) or self._is_due(schedule, facts):
                groups[schedule.user_id, schedule.pk if self.is_per_course else None].append(schedule)
        return [self._decide_group(key, group, facts) for key, group in groups.items()]

    def _due_schedules(self) -> QuerySet[Schedule]:
        begins, ends = day_bounds(self.run.target_date, conf.time_zone)
        span = Q((f"{self.date_field}__gte", begins), (f"{self.date_field}__lt", ends))
        experience = Q(experience__experience_type=self.experience_type.value)
        if self.experience_type is ExperienceType.DEFAULT:
            experience |= Q(experience=None)
        database = READ_REPLICA if READ_REPLICA in settings.DATABASES else DEFAULT_DB_ALIAS
        return Schedule.objects.using(database).filter(span & experience & self._scope.condition())

    def _gather(self, schedules: Iterable[Schedule], as_of: datetime) -> Facts:
        user_ids = {schedule.user_id for schedule in schedules}
        keys = {(schedule.user_id, schedule.course_id) for schedule in schedules}
        course_ids = {schedule.course_id for schedule in schedules}

        def hosts_opt_outs(asked: Collection[EnrollmentKey]) -> Mapping[EnrollmentKey, bool]:
            return dict.fromkeys(self.host.opt_outs(asked), True)

        opt_outs = ask(hosts_opt_outs, keys)
        ours = optouts.opted_out(keys, site_id=self.site.pk, message_type=self.key)

        return Facts(
            as_of=as_of,
            courses=ask(self.host.courses, course_ids),
            learners=ask(self.host.learners, user_ids),
            enrollments=ask(self.host.enrollments, keys),
            modes=ask(self.host.verified_modes, course_ids),
            sections=ask(self.host.sections, course_ids if self.needs_sections else ()),
            links=ask(self.host.course_links, keys),
            opt_outs=Answers({**opt_outs.values, **dict.fromkeys(ours, True)}, opt_outs.faults),
            deadline_days=deadlines.deadline_days({schedule.course_id: schedule.org for schedule in schedules}),
            earlier=earlier_messages(self.run, self.message_name(self.run.day_offset), user_ids)
            if self.is_once_per_episode and not self.run.is_test
            else {},
        )

    def _is_due(self, schedule: Schedule, facts: Facts) -> bool:
        course = facts.courses.values.get(schedule.course_id)
        learner = facts.learners.values.get(schedule.user_id)
        enrollment = facts.enrollments.values.get((schedule.user_id, schedule.course_id))
        return (
            course is not None
            and course.is_self_paced
            and not deadlines.has_ended(course, facts.as_of)
            and learner is not None
            and learner.is_active
            and enrollment is not None
            and enrollment.is_active
        )

    def _decide_group(self, group: tuple[int, int | None], schedules: Sequence[Schedule], facts: Facts) -> Decision:
        user_id, schedule_id = group
        learner = facts.learners.values.get(user_id)
        key = self.message_key(self.run.day_offset)
        # A test message is nobody's real message, so it must not be taken for a copy of one.
        uuid = uuid4() if self.run.is_test else ledger.message_uuid(self.run, key, user_id, schedule_id)
        others = [message for message in facts.earlier.get(user_id, ()) if message.uuid != uuid]
        courses: tuple[DueCourse, ...] = ()
        outcome = None
        fault = next(filter(None, map(facts.fault, schedules)), "")
        if fault:
            outcome = failed(FailReason.HOST_ERROR, fault)
        else:
            try:
                courses = self._due_courses(schedules, facts)
                courses = self._wanted(learner, courses, facts, others)
            except SkipRecipient as skip:
                outcome = skipped(SkipReason(skip.reason))
            except ConfigurationError:
                raise
            except Exception as error:  # noqa: BLE001 - the others go on; this one is recorded
                log.error("Nothing could be decided about learner %s: %s", user_id, where(error))
                outcome = failed(FailReason.INTERNAL_ERROR, type(error).__name__)
        entry = ledger.Entry(
            uuid=uuid,
            user_id=user_id,
            schedule_id=schedule_id,
            name=self.message_name(self.run.day_offset),
            course_ids=tuple(due.course.id for due in courses) or tuple(one.course_id for one in schedules),
        )
        must_wait = any(message.is_about(due.schedule) for message in others for due in courses)
        return Decision(entry=entry, learner=learner, courses=courses, outcome=outcome, must_wait=must_wait)

    def _wanted(
        self,
        learner: Learner | None,
        courses: tuple[DueCourse, ...],
        facts: Facts,
        earlier: Collection[EarlierMessage],
    ) -> tuple[DueCourse, ...]:
        if learner is None or not learner.email.strip():
            raise SkipRecipient(SkipReason.NO_ADDRESS)
        if not is_for_channel(learner.email, conf.default_channel):
            raise SkipRecipient(SkipReason.BAD_ADDRESS)
        wanted = tuple(due for due in courses if (learner.id, due.course.id) not in facts.opt_outs.values)
        if not wanted:
            raise SkipRecipient(SkipReason.OPTED_OUT)
        sent = [message for message in earlier if message.sent_at is not None]
        news = tuple(due for due in wanted if not any(message.is_about(due.schedule) for message in sent))
        if not news:
            raise SkipRecipient(SkipReason.ALREADY_TOLD)
        return self.select(news)

    def _due_courses(self, schedules: Iterable[Schedule], facts: Facts) -> tuple[DueCourse, ...]:
        due = [self._due_course(schedule, facts) for schedule in schedules]
        return tuple(sorted(due, key=lambda one: (one.course.name, one.course.id)))

    def _due_course(self, schedule: Schedule, facts: Facts) -> DueCourse:
        key = (schedule.user_id, schedule.course_id)
        links = facts.links.values.get(key) or CourseLinks(home=self.dashboard_url)
        return DueCourse(
            schedule=schedule,
            course=facts.courses.values[schedule.course_id],
            sections=facts.sections.values.get(schedule.course_id, ()),
            links=links,
            can_upgrade=deadlines.can_upgrade(
                schedule=schedule,
                enrollment=facts.enrollments.values[key],
                mode=facts.modes.values.get(schedule.course_id),
                days=facts.deadline_days[schedule.course_id],
                links=links,
                as_of=facts.as_of,
            ),
        )
