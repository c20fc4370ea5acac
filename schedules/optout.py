"""Leaving: edx-ace asks this policy before each message whether the learner still wants it."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from edx_ace.channel import ChannelType
from edx_ace.message import Message
from edx_ace.policy import Policy, PolicyResult

from schedules.data import EnrollmentKey
from schedules.host import get_host

_opt_outs_read: ContextVar[Collection[EnrollmentKey] | None] = ContextVar("opt_outs_read", default=None)


@contextmanager
def opt_outs_already_read(opt_outs: Collection[EnrollmentKey]) -> Iterator[None]:
    """Within, the policy answers from what a batch has read: edx-ace asks it once per message."""
    token = _opt_outs_read.set(opt_outs)
    try:
        yield
    finally:
        _opt_outs_read.reset(token)


class BulkEmailOptoutPolicy(Policy):
    """Denies e-mail to a learner who opted out of every course that the message is about (SPEC 9.1).

    It reads `course_ids` in the message's context; a message without courses is not denied.
    """

    def check(self, message: Message) -> PolicyResult:
        course_ids = message.context.get("course_ids")
        if not course_ids or message.recipient is None:
            return PolicyResult()
        keys = {(message.recipient.lms_user_id, str(course_id)) for course_id in course_ids}
        opt_outs = _opt_outs_read.get()
        if opt_outs is None:
            opt_outs = get_host().opt_outs(keys)
        return PolicyResult(deny={ChannelType.EMAIL} if keys <= set(opt_outs) else set())
