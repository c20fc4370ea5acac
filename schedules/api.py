"""What hosts and commands may call. Public too: `host`, `messages`, `signals` and `testing`; all else is private."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial
from uuid import uuid4

from django.contrib.sites.models import Site
from django.db import transaction
from django.utils import translation

from schedules import ledger, toggles
from schedules.channels import batch
from schedules.conf import conf
from schedules.database.transactions import after_commit
from schedules.enrolling import creating
from schedules.exceptions import HostError
from schedules.ledger import status
from schedules.message_types import resolver_for, resolvers, usable_resolvers
from schedules.message_types.gates import gates_of
from schedules.models import HoldBack, OptOut, Schedule, ScheduledMessage, SendRun, database
from schedules.optouts import CourseOptOuts, OptOutScope, opt_in, opt_out, opt_outs_about
from schedules.pages import CheckedAdmin, secured
from schedules.sending import channel_trouble, tasks
from schedules.sites import find_site
from schedules.values.data import CourseFact
from schedules.values.days import last_day as last_day_in
from schedules.values.outcomes import Totals
from schedules.values.runs import Run, RunOrigin

__all__ = [
    "CheckedAdmin",
    "CourseOptOuts",
    "OptOutScope",
    "RunOrigin",
    "RunReport",
    "channel_troubles",
    "course_changed",
    "enqueue_day",
    "find_site",
    "is_finished",
    "last_day",
    "learner_enrolled",
    "learner_erased",
    "message_type_titles",
    "message_types_to_run",
    "opt_in",
    "opt_out",
    "opt_outs_about",
    "recover",
    "secured",
    "send_tests",
]

ENQUEUE_DISABLED = "enqueue-disabled"


@dataclass(kw_only=True)
class RunReport:
    """What one run did. `stopped`: why nothing was queued. `totals`: `None` while workers are still at it.

    `bins`: how many have reported to the ledger, as of `is_finished`.
    """

    run: Run
    name: str
    stopped: str = ""
    totals: Totals | None = None
    failed_bins: Sequence[int] = ()
    bins: int = 0


def learner_enrolled(
    user_id: int, course_id: str, *, enrolled_at: datetime, now: datetime, site_id: int | None = None
) -> None:
    """The learner has a new active enrollment, or one that became active again at `enrolled_at`.

    Creates the schedule or sets it anew, once the caller's transactions have committed, in one of its own. Whatever
    goes wrong is logged: the enrollment must not suffer.
    """
    create = partial(creating.create_schedule, user_id, course_id, enrolled_at=enrolled_at, now=now, site_id=site_id)
    after_commit(create, "No schedule for learner %s in %s", user_id, course_id)


def course_changed(course_id: str, *, facts: Collection[CourseFact], now: datetime) -> None:
    """The course's start, end, pacing or verified mode changed: its schedules follow, in a task.

    It is handed to the queue once the caller's transactions have committed, and outlives a queue that is away. Whatever
    goes wrong is logged: the course must not suffer.
    """
    changed = partial(tasks.course_changed, course_id, list(facts), now)
    after_commit(changed, "The schedules in %s could not follow the course", course_id)


def learner_erased(user_id: int) -> None:
    """Forget a learner: their schedules, hold-backs, opt-outs and messages.

    Not needed where the user row is deleted. Happens at once and as a part of the caller's transaction: a learner is
    erased everywhere or not yet, so what goes wrong here is raised.
    """
    with transaction.atomic(using=database()):
        for model in (ScheduledMessage, HoldBack, OptOut, Schedule):
            model._default_manager.filter(user_id=user_id).delete()


def last_day(end: datetime) -> date:
    """The day by which people know an end, such as a deadline, in the zone of the settings: as messages name it.

    A midnight is the end of the day before it.
    """
    return last_day_in(end, conf.time_zone)


def message_type_titles() -> dict[str, str]:
    """Message type -> how learners know its e-mails, in the language that is active."""
    return {key: str(resolver.title) for key, resolver in usable_resolvers().items()}


def message_types_to_run(site: Site) -> list[str]:
    """The message types whose learners are looked for on this site, in the order of the settings."""
    return [key for key in resolvers() if toggles.is_enqueuing(site, key)]


def enqueue_day(
    message_type: str,
    site: Site,
    today: date,
    *,
    now: datetime,
    origin: RunOrigin = RunOrigin.DAILY,
    day_offsets: Sequence[int] | None = None,
    show_message: Callable[[str], object] | None = None,
) -> list[RunReport]:
    """Find and queue everything due on `today`; one report per day offset, in the order of `day_offsets`.

    `now` is the clock, unless `origin` says that `today` was asked for by date and is to be the clock of its run.
    `show_message` is told each message's text, where the channel is `schedules_file_email` and Celery runs tasks in
    the calling process. Raises `ConfigurationError` before anything is queued when the app, the host or a site is set
    up wrongly, `HostError` when the host fails at what concerns the whole site, and the database's error, or a
    `TaskFailed` for it, when the database stays away; what was begun is recovered.
    """
    conf.validate()
    tasks.reclaim()
    reports = _reports(message_type, site, today, origin, day_offsets)
    try:
        _check_site(reports, site)
    except HostError as error:
        if not error.is_temporary:  # while the host is away, bins are queued: they are searched until it is back
            raise
    stopped = _stopped(reports, site, message_type)
    ledger.open_runs([report.run for report in reports], now, stopped)
    with batch.around(batch.show_message, show_message):
        for report in reports:
            _enqueue(report)
    tasks.enqueue_tracking()
    return reports


def send_tests(
    message_type: str,
    site: Site,
    today: date,
    override_address: str,
    *,
    now: datetime,
    origin: RunOrigin = RunOrigin.DAILY,
    day_offsets: Sequence[int] | None = None,
    show_message: Callable[[str], object] | None = None,
) -> list[RunReport]:
    """As `enqueue_day()`, but every message goes to one address, and the ledger is neither read nor written.

    A channel that is in trouble is tried again: whoever tests it may have mended it.
    """
    conf.validate()
    tasks.reclaim()
    reports = _reports(message_type, site, today, origin, day_offsets)
    _check_site(reports, site)
    channel_trouble.allow_trial(conf.default_channel, now)
    _stopped(reports, site, message_type)
    with batch.around(batch.show_message, show_message):
        for report in reports:
            _enqueue(report, override_address)
    return reports


def recover() -> None:
    """Hand out again what nobody answers for any more: due retries, dead workers' messages, what a broker lost.

    Raises `ConfigurationError` before anything is handed out when the settings cannot be used.
    """
    conf.validate()
    tasks.recover()


def is_finished(reports: Sequence[RunReport]) -> bool:
    """Whether every message of these runs is finalized. The reports' `totals` are brought up to date."""
    rows = SendRun.objects.in_bulk([report.run.uuid for report in reports])
    for report in reports:
        row = rows.get(report.run.uuid)
        if row is not None and not report.stopped:
            is_counted = row.finished_at is not None
            report.totals = ledger.kept_totals(row) if is_counted else ledger.totals_of(row)
            report.bins = ledger.bins_reported(row)
    return all(row.finished_at is not None for row in rows.values())


def channel_troubles(site_id: int) -> list[str]:
    """A line, in English, for all that keeps the site's messages from leaving; empty when they leave."""
    with translation.override("en"):
        return status.channel_troubles([site_id])[site_id]


def _reports(
    message_type: str, site: Site, today: date, origin: RunOrigin, day_offsets: Sequence[int] | None
) -> list[RunReport]:
    resolver = resolver_for(message_type)
    return [
        RunReport(
            run=Run(
                message_type=message_type,
                site_id=site.pk,
                today=today,
                day_offset=day_offset,
                uuid=uuid4(),
                origin=origin,
            ),
            name=resolver.message_name(day_offset),
        )
        for day_offset in (resolver.day_offsets() if day_offsets is None else day_offsets)
    ]


def _check_site(reports: Sequence[RunReport], site: Site) -> None:
    """Read the site's configuration and the gates: they are better refused here than in 24 tasks.

    Once for all day offsets, for neither depends on them.
    """
    for report in reports[:1]:
        resolver = resolver_for(report.run.message_type)
        gates_of(resolver)
        resolver(report.run, site)


def _stopped(reports: Sequence[RunReport], site: Site, message_type: str) -> str:
    """Why nothing is to be queued; empty if it is."""
    stopped = "" if toggles.is_enqueuing(site, message_type) else ENQUEUE_DISABLED
    for report in reports:
        report.stopped = stopped
    return stopped


def _enqueue(report: RunReport, override_address: str | None = None) -> None:
    if not report.stopped:
        report.totals, report.failed_bins = tasks.enqueue_bins(report.run, override_address)
