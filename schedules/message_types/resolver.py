"""A message type: who is due, and what is said. Each is a subclass of `Resolver`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from django.contrib.sites.models import Site

from schedules import ledger
from schedules.conf import conf
from schedules.finding.due import DueSchedules
from schedules.finding.facts import Facts, Moment
from schedules.gates import Gate
from schedules.host import Host, checked, get_host
from schedules.ledger.episodes import EarlierMessage, earlier_messages
from schedules.models import Schedule
from schedules.sites import dashboard_url, site_facts
from schedules.values.data import Course, CourseLinks, ExperienceType, Section
from schedules.values.days import start_of_day
from schedules.values.links import site_root
from schedules.values.runs import Run, RunOrigin


@dataclass(frozen=True, kw_only=True, slots=True)
class DueCourse:
    """A learner's course that is due, with the facts that messages speak of."""

    schedule: Schedule
    course: Course
    sections: Sequence[Section]
    links: CourseLinks
    can_upgrade: bool


class Resolver(ABC):
    """Finds the learners of one message type who are due in one run, and what their message is about.

    A subclass names its `key` (as in commands and switches), the `label` that staff read and the `title` by which
    learners know such e-mails (lazily translated). It asks the host of the settings, if given no other.
    """

    key: ClassVar[str]
    label: ClassVar[Any]
    title: ClassVar[Any]
    #: The date of a schedule that the day offsets count from: `start_date` or `upgrade_deadline`.
    date_field: ClassVar[str] = "start_date"
    #: Whom it serves; a schedule without an experience counts as the default one.
    experiences: ClassVar[tuple[ExperienceType, ...]] = tuple(ExperienceType)
    #: Gates of its own (instances), after those that every message passes.
    gates: ClassVar[tuple[Gate, ...]] = ()
    #: Day offsets that have their texts, though the default settings do not ask for them.
    further_day_offsets: ClassVar[tuple[int, ...]] = ()
    #: Whether a message is about one course alone; else it is about all that a learner has due.
    is_per_course: ClassVar[bool] = False
    needs_sections: ClassVar[bool] = False
    #: Whether a message's name and day offset say all, so that a learner hears of a course once in an episode.
    is_once_per_episode: ClassVar[bool] = True
    #: What custom text about such a message may name: each message must have a value for it.
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
        self.site_values, scope = site_facts(self.host, site)
        self.dashboard_url = dashboard_url(self.host, self.site_values)
        site_root(site.domain)  # a site whose domain makes no links sends nothing
        self.as_of = start_of_day(run.today, conf.time_zone)
        self._due = DueSchedules(run=run, date_field=self.date_field, experiences=self.experiences, scope=scope)

    # What a message type says ---------------------------------------------------------------------

    @classmethod
    @abstractmethod
    def day_offsets(cls) -> tuple[int, ...]:
        """Days from a run's “today” to the target days: −3 is three days after the date, 2 is two days before it."""

    @classmethod
    def message_name(cls, day_offset: int) -> str:  # noqa: ARG003 - most types have one name for every day
        """The name by which edx-ace finds the templates."""
        return cls.key.replace("_", "")

    @classmethod
    def message_key(cls, day_offset: int) -> str:
        """What tells the message from a learner's others for the same target day."""
        return cls.message_name(day_offset)

    @abstractmethod
    def context(self, courses: Sequence[DueCourse]) -> dict[str, Any]:
        """What the templates need beyond the base context: JSON primitives, new for each message."""

    # Finding --------------------------------------------------------------------------------------

    def batches(self, bin_number: int) -> Iterator[list[Schedule]]:
        """A bin's due schedules, whole learners at a time."""
        return self._due.batches(bin_number)

    def schedules_of(self, user_ids: Collection[int]) -> list[Schedule]:
        """The due schedules of these learners."""
        return self._due.of_learners(user_ids)

    def facts(self, schedules: Collection[Schedule], moment: Moment) -> Facts:
        """What is known of these schedules, to be asked for when it is wanted."""
        return Facts(
            schedules,
            host=self.host,
            site=self.site,
            run=self.run,
            moment=moment,
            earlier=self._earlier if self.is_once_per_episode and moment is not Moment.TEST else lambda _: {},
            uuid_of=self.uuid_of,
        )

    def clock(self, now: datetime) -> datetime:
        """The instant for which it is decided what may go out.

        What a message says must be so when it leaves, so a day that is done late is judged as of `now`. But a day that
        was asked for by `--date` is the clock of its run.
        """
        return self.as_of if self.run.origin == RunOrigin.DATE else max(self.as_of, now)

    def uuid_of(self, due: Schedule) -> UUID:
        """The message about this schedule, whoever asks (decision record 0003)."""
        schedule_id = due.pk if self.is_per_course else None
        return ledger.message_uuid(self.run, self.message_key(self.run.day_offset), due.user_id, schedule_id)

    def due_course(self, due: Schedule, course: Course, facts: Facts, clock: datetime) -> DueCourse:
        """What messages say about the course of a schedule."""
        return DueCourse(
            schedule=due,
            course=course,
            sections=facts.sections(due) if self.needs_sections else (),
            links=facts.links(due) or CourseLinks(home=self.dashboard_url),
            can_upgrade=facts.can_upgrade(due, clock),
        )

    def _earlier(self, user_ids: Collection[int]) -> Mapping[int, Sequence[EarlierMessage]]:
        return earlier_messages(self.run, self.message_name(self.run.day_offset), user_ids)
