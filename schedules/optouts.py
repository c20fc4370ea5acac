"""Leaving: what learners no longer want, kept, read in bulk, and told to edx-ace by a policy."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from functools import partial

from django.dispatch import Signal
from edx_ace.channel import ChannelType
from edx_ace.message import Message
from edx_ace.policy import Policy, PolicyResult

from schedules import signals
from schedules.database.transactions import after_commit
from schedules.host import get_host
from schedules.models import OptOut
from schedules.sites import sites_about
from schedules.values import answers
from schedules.values.data import EnrollmentKey
from schedules.values.text import can_be_stored


@dataclass(frozen=True, kw_only=True, slots=True)
class OptOutScope:
    """Which e-mails of a site an opt-out is about: those about one course and of one type; empty means every one."""

    site_id: int
    course_id: str = ""
    message_type: str = ""

    def __post_init__(self) -> None:
        if not can_be_stored([self.course_id, self.message_type]):
            ids = f"{self.course_id!r} and {self.message_type!r}"
            raise ValueError(f"An opt-out is about {ids}; give ids that a database can store.")


@dataclass(frozen=True, kw_only=True, slots=True)
class CourseOptOuts:
    """A learner's opt-outs that touch one course, and whether they leave nothing that could come."""

    scopes: tuple[OptOutScope, ...]
    is_stopped: bool


# Saying so ------------------------------------------------------------------------------------------


def opt_out(user_id: int, scope: OptOutScope) -> None:
    """The learner wants no such e-mails. Saying it twice changes nothing. Side effect: tells the host."""
    OptOut.objects.get_or_create(user_id=user_id, **asdict(scope))
    _send_signal(signals.learner_opted_out, user_id, scope)


def opt_in(user_id: int, scope: OptOutScope) -> None:
    """Takes back the opt-out of exactly this scope; wider and narrower ones stay. Side effect: tells the host."""
    OptOut.objects.filter(user_id=user_id, **asdict(scope)).delete()
    _send_signal(signals.learner_opted_in, user_id, scope)


def _send_signal(signal: Signal, user_id: int, scope: OptOutScope) -> None:
    """The host's troubles are not the learner's: it hears of a wish that is kept, and what it raises is logged.

    Not by `send_robust`, which logs the words of the error itself; they may hold an address.
    """
    send = partial(signal.send, sender=OptOut, user_id=user_id, **asdict(scope))
    after_commit(send, "The host failed at the wish of learner %s", user_id)


# Reading --------------------------------------------------------------------------------------------


def opted_out(keys: Collection[EnrollmentKey], *, site_id: int, message_type: str) -> set[EnrollmentKey]:
    """Those of `keys` whose learner wants no such message about the course. One query, however many keys."""
    rows = OptOut.objects.filter(
        site_id=site_id, message_type__in=("", message_type), user_id__in={user_id for user_id, _ in keys}
    )
    unwanted = set(rows.values_list("user_id", "course_id"))
    return {key for key in keys if key in unwanted or (key[0], "") in unwanted}


def scopes_of(user_id: int) -> list[OptOutScope]:
    """All that the learner opted out of, on any site; the widest first."""
    rows = OptOut.objects.filter(user_id=user_id).order_by("course_id", "message_type", "site_id")
    return [OptOutScope(site_id=row.site_id, course_id=row.course_id, message_type=row.message_type) for row in rows]


def opt_outs_about(user_id: int, orgs: Mapping[str, str]) -> dict[str, CourseOptOuts]:
    """Course id -> the learner's opt-outs that touch it; courses that none touches are left out.

    `orgs`: course id -> its organization, which decides the sites that write about the course.
    """
    scopes = scopes_of(user_id)
    if not scopes:
        return {}
    sites = sites_about(get_host(), set(orgs.values()))
    found = {course_id: _about(course_id, sites[org], scopes) for course_id, org in orgs.items()}
    return {course_id: opt_outs for course_id, opt_outs in found.items() if opt_outs.scopes}


def _about(course_id: str, site_ids: frozenset[int], scopes: Collection[OptOutScope]) -> CourseOptOuts:
    wide = [scope for scope in scopes if not scope.course_id and scope.site_id in site_ids]
    own = [scope for scope in scopes if scope.course_id == course_id]
    silent = {scope.site_id for scope in wide if not scope.message_type}
    is_stopped = any(not scope.message_type for scope in own) or (bool(site_ids) and site_ids <= silent)
    return CourseOptOuts(scopes=(*wide, *own), is_stopped=is_stopped)


# What edx-ace asks ----------------------------------------------------------------------------------


class BulkEmailOptoutPolicy(Policy):
    """Denies e-mail to a learner who opted out of every course that the message is about (behavior 9.1).

    It reads `course_ids` in the message's context; a message without courses is not denied. The host's opt-outs
    count, and of the app's those that are about every message type: others' messages are of none of them. The app's own
    say by `are_opt_outs_read` that their batch has looked: edx-ace asks once per message.
    """

    def check(self, message: Message) -> PolicyResult:
        course_ids = message.context.get("course_ids")
        if not course_ids or message.recipient is None or getattr(message, "are_opt_outs_read", False):
            return PolicyResult()
        keys = {(message.recipient.lms_user_id, str(course_id)) for course_id in course_ids}
        opt_outs = _all_opt_outs(message.recipient.lms_user_id, keys)
        return PolicyResult(deny={ChannelType.EMAIL} if keys <= opt_outs else set())


def _all_opt_outs(user_id: int, keys: Collection[EnrollmentKey]) -> set[EnrollmentKey]:
    """The host's and the app's. The host is asked about courses only where the app knows of an opt-out."""
    host = get_host()
    opt_outs = set(answers.single(host.opt_outs, keys))
    if OptOut.objects.filter(user_id=user_id, message_type="").exists():
        courses = answers.single(host.courses, {course_id for _, course_id in keys})
        about = opt_outs_about(user_id, {course_id: course.org for course_id, course in courses.items()})
        opt_outs |= {(user_id, course_id) for course_id, found in about.items() if found.is_stopped}
    return opt_outs
