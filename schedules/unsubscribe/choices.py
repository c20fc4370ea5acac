"""The unsubscribe page: what a link lets its learner choose, and what becomes of a choice.

It reads our own tables first: a learner can leave while the LMS is away, and then sees ids in place of names.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.sites.models import Site
from django.utils.functional import cached_property
from django.utils.translation import gettext as _

from schedules import ledger
from schedules.exceptions import redacted_traceback
from schedules.host import ask, ask_opt_outs, get_host
from schedules.message_types import usable_resolvers
from schedules.models import Schedule, ScheduledMessage
from schedules.optouts import OptOutScope, opt_in, opt_out, scopes_of
from schedules.sites import dashboard_url, site_values
from schedules.unsubscribe.links import Token, read_token
from schedules.values import languages
from schedules.values.data import Course, Engagement
from schedules.values.links import absolute_url
from schedules.values.text import one_line

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """What can be stopped and taken back: a message type, a course, one of the two within the other, or all.

    `value` stands for it in the form. `title` is the message type's, `course` the course with its name; either may
    be missing. `is_partly`: something that it includes is stopped. `is_hosts`: the LMS stops it, too.
    """

    value: str
    scope: OptOutScope
    title: str = ""
    course: Course | None = None
    is_stopped: bool = False
    is_partly: bool = False
    is_hosts: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Choices:
    """All choices of a link, as they stand. `left`: titles of the message types that can still come."""

    all: Choice
    single: tuple[Choice, ...]
    left: tuple[str, ...]

    @property
    def shown(self) -> tuple[Choice, ...]:
        """What brought the learner here, then all, then the rest; all alone where it is stopped."""
        return (self.all,) if self.all.is_stopped else (self.single[0], self.all, *self.single[1:])

    @property
    def silent_courses(self) -> list[Choice]:
        """Courses about which nothing comes."""
        return [choice for choice in self.single if choice.is_stopped and choice.course and not choice.title]

    def find(self, value: str) -> Choice | None:
        return next((choice for choice in (*self.single, self.all) if choice.value == value), None)


class Link:
    """A link that is ours, of a learner who is there. `course_ids`: those of its message, in their order."""

    def __init__(self, token: Token, site: Site, course_ids: Sequence[str]) -> None:
        self.token, self.site, self.course_ids = token, site, course_ids

    @classmethod
    def of(cls, text: str) -> Link | None:
        """The link whose token is `text`; `None` if it is not ours, or its site or learner is no more.

        The learner need not have a schedule any more: what they want stays so when they enroll again. A link that came
        with a test is of nobody whom it could change anything for.
        """
        token = read_token(text)
        if token is None:
            return None
        site = Site.objects.filter(pk=token.site_id).first()
        if site is None or not (token.is_test or _is_user(token.user_id)):
            return None
        return cls(token, site, _course_ids(token))

    @property
    def language(self) -> str:
        """The message's, while it has words."""
        return languages.nearest(self.token.language) or languages.SOURCE

    @cached_property
    def platform_name(self) -> str:
        values = _whatever(lambda: site_values(get_host(), self.site))
        return one_line(str((values and values.get("PLATFORM_NAME")) or self.site.name))

    @cached_property
    def dashboard_url(self) -> str:
        """Where more can be set; empty while the LMS cannot say."""
        url = _whatever(lambda: dashboard_url(get_host(), site_values(get_host(), self.site)))
        return absolute_url(self.site.domain, url) if url else ""

    @cached_property
    def course_facts(self) -> Mapping[str, Course]:
        ids = set(self.course_ids)
        known = _whatever(lambda: ask(get_host().courses, ids).values) or {}
        return {
            course_id: known.get(course_id) or Course(id=course_id, org="", name=course_id, start=None)
            for course_id in ids
        }

    def choices(self) -> Choices:
        """As they stand now, in the language that is active."""
        stopped = [scope for scope in scopes_of(self.token.user_id) if scope.site_id == self.site.pk]
        by_host = {OptOutScope(site_id=self.site.pk, course_id=course_id) for course_id in self._stopped_by_host()}
        everything = OptOutScope(site_id=self.site.pk)
        offered = [
            OptOutScope(site_id=self.site.pk, message_type=self.token.message_type),
            *(OptOutScope(site_id=self.site.pk, course_id=course_id) for course_id in self.course_ids),
        ]
        about_us = {"", *self.course_ids}
        others = [scope for scope in stopped if scope.course_id in about_us and scope not in (everything, *offered)]
        types = {scope.message_type for scope in stopped if not scope.course_id}
        return Choices(
            all=self._choice(everything, stopped, by_host),
            single=tuple(self._choice(scope, stopped, by_host) for scope in (*offered, *others)),
            left=() if "" in types else tuple(_title(key) for key in usable_resolvers() if key not in types),
        )

    def choose(self, choice: Choice, *, is_wanted: bool, now: datetime) -> None:
        """Stop it, or take it back. Changes nothing if the link came with a test.

        That the message made its learner stop something stays in the ledger, also when they take it back.
        """
        if self.token.is_test:
            return
        (opt_in if is_wanted else opt_out)(self.token.user_id, choice.scope)
        if self.token.message_uuid and not is_wanted:
            ledger.record_engagement(self.token.message_uuid, Engagement.OPTED_OUT, now)

    def _choice(self, scope: OptOutScope, stopped: Sequence[OptOutScope], by_host: Collection[OptOutScope]) -> Choice:
        is_stopped = scope in stopped or scope in by_host
        return Choice(
            value=f"{scope.course_id}:{scope.message_type}",
            scope=scope,
            title=_title(scope.message_type),
            course=self.course_facts[scope.course_id] if scope.course_id else None,
            is_stopped=is_stopped,
            is_partly=not is_stopped and any(_overlap(scope, other) for other in (*stopped, *by_host)),
            is_hosts=scope in by_host,
        )

    def _stopped_by_host(self) -> set[str]:
        """Ids of the courses about which the LMS itself lets nothing through."""
        keys = {(self.token.user_id, course_id) for course_id in self.course_ids}
        return {course_id for _user_id, course_id in _whatever(lambda: ask_opt_outs(get_host(), keys).values) or {}}


def _is_user(user_id: int) -> bool:
    """Whether there is such a user, whatever a project's own manager hides."""
    return get_user_model()._base_manager.filter(pk=user_id).exists()  # noqa: SLF001 - Django documents it


def _course_ids(token: Token) -> Sequence[str]:
    """The courses of the link's message, by the link itself.

    The ledger, while it has the message, knows those that a link had no room for, and those of an old link, which
    names schedules, that are no more.
    """
    course_ids, is_whole = token.course_ids, not token.is_cut
    if token.schedule_ids:
        rows = Schedule.objects.filter(user_id=token.user_id, pk__in=token.schedule_ids)
        owned = dict(rows.values_list("pk", "course_id"))
        course_ids = tuple(owned[pk] for pk in token.schedule_ids if pk in owned)
        is_whole = len(course_ids) == len(token.schedule_ids)
    if is_whole or token.message_uuid is None:
        return course_ids
    message = ScheduledMessage.objects.filter(pk=token.message_uuid, user_id=token.user_id).first()
    return message.course_ids if message else course_ids


def _overlap(scope: OptOutScope, other: OptOutScope) -> bool:
    """Whether there can be an e-mail that both are about."""
    pairs = ((scope.course_id, other.course_id), (scope.message_type, other.message_type))
    return all(here == there or "" in (here, there) for here, there in pairs)


def _title(message_type: str) -> str:
    """Of a message type that is no more, too: its e-mails lie in mailboxes still."""
    if not message_type:
        return ""
    resolver = usable_resolvers().get(message_type)
    return str(resolver.title) if resolver else _("E-mails of this kind")


def _whatever(question: Callable[[], Any]) -> Any:
    """The host's answer, or `None` whatever it raises: nobody must stay because an LMS is away."""
    try:
        return question()
    except Exception as error:  # noqa: BLE001 - a host may raise anything
        log.warning("The unsubscribe page does without the host's answer: %s", redacted_traceback(error))
        return None
