"""The one decision: the schedules that were found, the gates they pass, and what is left to say."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import uuid4

from schedules import ledger
from schedules.database.transient import outlasting
from schedules.exceptions import ConfigurationError, HostError, redacted_traceback
from schedules.finding.facts import Facts, Moment
from schedules.gates import Answer, Gate
from schedules.message_types.gates import gates_of
from schedules.message_types.resolver import DueCourse, Resolver
from schedules.models import Schedule
from schedules.values.answers import is_outage
from schedules.values.data import Learner
from schedules.values.outcomes import FailReason, Outcome, SkipReason, failed, skipped

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Decision:
    """One message that was found: to be sent about `courses` (never empty), or already finalized by `outcome`.

    `must_wait`: a worker has a message in hand that may say the same; this one is sent if that one is not.
    """

    entry: ledger.Entry
    learner: Learner | None
    courses: tuple[DueCourse, ...]
    outcome: Outcome | None = None
    must_wait: bool = False


class GateError(Exception):
    """A gate raised, or answered what is no answer. Names the gate by its reason."""


@dataclass
class _Group:
    """The schedules of one message on their way through the gates. `counted`: those left when the silent ones end.

    `stopped_by`: the gate that left none, with what it answered about the first.
    """

    left: list[Schedule]
    counted: list[Schedule]
    stopped_by: tuple[Gate, Answer] | None = None


@outlasting
def decide(resolver: Resolver, schedules: Collection[Schedule], now: datetime, moment: Moment) -> list[Decision]:
    """What is to be said to the learners of these schedules.

    When learners are found, whoever is stopped by a silent gate is left out: they are not due. When a message's turn
    has come, it is finalized as no longer due. Raises `HostError` where the host is away for a while.
    """
    facts, clock = resolver.facts(schedules, moment), resolver.clock(now)
    groups: dict[tuple[int, int | None], list[Schedule]] = defaultdict(list)
    for due in schedules:
        groups[due.user_id, due.pk if resolver.is_per_course else None].append(due)
    gates = gates_of(type(resolver))
    decisions = (_decide(resolver, group, gates, facts, clock) for group in groups.values())
    return [decision for decision in decisions if decision is not None]


def _decide(
    resolver: Resolver, schedules: list[Schedule], gates: Sequence[Gate], facts: Facts, clock: datetime
) -> Decision | None:
    group = _Group(left=schedules, counted=schedules)
    courses: tuple[DueCourse, ...] = ()
    learner, must_wait, outcome = None, False, None
    try:
        _pass(group, gates, facts, clock)
        if group.stopped_by is not None:
            gate, answer = group.stopped_by
            if gate.is_silent and facts.moment is not Moment.DELIVERY:
                return None
            outcome = _stopped(gate, answer)
        else:
            learner = facts.learner(group.left[0])
            courses = _courses(resolver, group.left, facts, clock)
            must_wait = any(message.is_about(due) for due in group.left for message in facts.earlier(due))
    except (ConfigurationError, HostError) as error:
        if isinstance(error, ConfigurationError) or error.is_temporary:
            raise
        outcome = failed(FailReason.HOST_ERROR, str(error))
    except GateError as error:
        outcome = failed(FailReason.GATE_ERROR, str(error))
    except Exception as error:
        if is_outage(error):
            raise HostError(f"{resolver.key}: {type(error).__name__}", is_temporary=True) from error
        log.error("Nothing could be decided about learner %s: %s", schedules[0].user_id, redacted_traceback(error))
        outcome = failed(FailReason.INTERNAL_ERROR, type(error).__name__)
    return Decision(
        entry=ledger.Entry(
            # A test message is nobody's real message, so it must not be taken for a copy of one.
            uuid=uuid4() if facts.moment is Moment.TEST else resolver.uuid_of(schedules[0]),
            user_id=schedules[0].user_id,
            schedule_id=schedules[0].pk if resolver.is_per_course else None,
            name=resolver.message_name(resolver.run.day_offset),
            course_ids=tuple(due.course.id for due in courses) or tuple(due.course_id for due in group.counted),
        ),
        learner=learner,
        courses=courses,
        outcome=outcome,
        must_wait=must_wait,
    )


def _pass(group: _Group, gates: Sequence[Gate], facts: Facts, clock: datetime) -> None:
    """Each gate is asked about all that is left of the group; the first that leaves nothing stops it."""
    for gate in gates:
        answers = [_look(gate, due, facts, clock) for due in group.left]
        left = [due for due, answer in zip(group.left, answers, strict=True) if answer.is_yes]
        if not left:
            group.stopped_by = gate, answers[0]
            return
        group.left = left
        if gate.is_silent:
            group.counted = left


def _look(gate: Gate, due: Schedule, facts: Facts, clock: datetime) -> Answer:
    try:
        answer = gate.look(due, facts, clock)
    except (ConfigurationError, HostError):
        raise
    except Exception as error:
        if is_outage(error):
            raise HostError(f"{gate.reason}: {type(error).__name__}", is_temporary=True) from error
        log.error("The gate %s failed at schedule %s: %s", gate.reason, due.pk, redacted_traceback(error))
        raise GateError(f"{gate.reason}: {type(error).__name__}") from error
    if not isinstance(answer, Answer):
        raise GateError(f"{gate.reason}: it answered {type(answer).__name__}; give yes() or no()")
    return answer


def _stopped(gate: Gate, answer: Answer) -> Outcome:
    if gate.is_silent:
        return skipped(SkipReason.NO_LONGER_DUE, (("because", gate.reason), *answer.seen))
    return skipped(gate.reason, answer.seen)


def _courses(
    resolver: Resolver, schedules: Collection[Schedule], facts: Facts, clock: datetime
) -> tuple[DueCourse, ...]:
    """In the order in which messages name them: by name, then id."""
    found = [
        resolver.due_course(due, course, facts, clock)
        for due in schedules
        if (course := facts.course(due)) is not None  # so says a gate
    ]
    return tuple(sorted(found, key=lambda due: (due.course.name, due.course.id)))
