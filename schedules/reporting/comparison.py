"""Scheduled learners beside those who were held back: is it the e-mails that did it?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from typing import Any

from django.utils.translation import gettext, ngettext

from schedules.conf import conf
from schedules.exceptions import HostError
from schedules.host import Answers, Host, ask, get_host
from schedules.reporting import ReportScope
from schedules.reporting.assignment import Enrolled, Group, Span, assignment_spans, groups
from schedules.reporting.interpretation import LABELS, interpret
from schedules.reporting.statistics import difference
from schedules.reporting.words import interval, number, points, share_of
from schedules.values.data import EnrollmentKey, LearnerProgress
from schedules.values.days import day_bounds


@dataclass(frozen=True, kw_only=True, slots=True)
class Share:
    """`count` learners out of `of`."""

    count: int
    of: int

    @property
    def rate(self) -> float | None:
        """From 0 to 1; `None` of nobody."""
        return self.count / self.of if self.of else None


@dataclass(frozen=True, kw_only=True, slots=True)
class Effect:
    """One thing that learners can do, in both groups.

    `key`: `came_back`, `upgraded` or `completed`; `label`: the same for people (lazily translated). `difference`: of
    the rates, scheduled less held back, from -1 to 1; `low` and `high`: its 95 % interval. The three are `None` where a
    group has nobody. `interpretation`: one plain sentence on what the numbers say, or that they are too few.
    """

    key: str
    label: Any
    scheduled: Share
    held_back: Share
    difference: float | None
    low: float | None
    high: float | None
    interpretation: str

    def in_words(self) -> dict[str, str]:
        """The numbers as people read them, in the order of a table's columns."""
        groups = {"scheduled": self.scheduled, "held_back": self.held_back}
        return {
            **{name: share_of(group.count, group.of, group.rate) for name, group in groups.items()},
            "difference": points(self.difference),
            "interval": interval(self.low, self.high),
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """Both groups, learner by learner: how many are compared, as far as the host knows what became of them.

    `effects` is empty where there is nothing to compare, and `notes` says why; it also says who was left out.
    """

    scheduled_count: int
    held_back_count: int
    effects: tuple[Effect, ...]
    notes: tuple[str, ...]


@dataclass(kw_only=True)
class _Tally:
    """What became of a group: learners who are `known`, who did what, and who is left out."""

    known: int = 0
    done: Counter[str] = field(default_factory=Counter)
    faulty: int = 0
    unknown: int = 0


def compare(scope: ReportScope, now: datetime, host: Host | None = None) -> Comparison:
    """What became of the learners who started on the days of `scope` and were assigned (its message name is not read).

    A learner counts once, however many courses they are in. Asks the host of the settings, if given no other. Raises
    `ConfigurationError` where the host or a site's configuration cannot be used.
    """
    spans = assignment_spans(scope.site)
    if not spans:
        text = gettext(
            "There is no control group: no learner has been held back so far. To begin, set the hold-back ratio in "
            "the schedule configuration of %(site)s to a number between 0 and 1."
        )
        return _nothing([text % {"site": scope.site.domain}])
    host = host or get_host()
    scheduled, held_back, both_count = groups(scope, spans, host, now)
    notes = [*_about_assignment(scope, spans), *_about_groups(scheduled, held_back, both_count)]
    if not (scheduled.count or held_back.count):
        return _nothing([gettext("No learner of these days can be compared."), *notes])
    try:
        tallies = [_tally(group, host) for group in (scheduled, held_back)]
    except HostError:  # a temporary one: what is asked now may be known later
        return _nothing(
            [
                gettext(
                    "The learning platform cannot say at the moment what became of these learners. Try again later."
                ),
                *notes,
            ]
        )
    notes += _about_answers(tallies)
    mine, others = tallies
    if not (mine.known or others.known):
        return _nothing(notes)
    return Comparison(
        scheduled_count=mine.known,
        held_back_count=others.known,
        effects=tuple(_effect(key, mine, others) for key in LABELS),
        notes=tuple(notes),
    )


def _nothing(notes: Sequence[str]) -> Comparison:
    return Comparison(scheduled_count=0, held_back_count=0, effects=(), notes=tuple(notes))


def _effect(key: str, mine: _Tally, others: _Tally) -> Effect:
    scheduled, held_back = (Share(count=tally.done[key], of=tally.known) for tally in (mine, others))
    found = None
    if scheduled.of and held_back.of:
        found = difference(scheduled.count, scheduled.of, held_back.count, held_back.of)
    return Effect(
        key=key,
        label=LABELS[key],
        scheduled=scheduled,
        held_back=held_back,
        difference=found.value if found else None,
        low=found.low if found else None,
        high=found.high if found else None,
        interpretation=interpret(
            key,
            scheduled_count=scheduled.of,
            held_back_count=held_back.of,
            done_count=scheduled.count + held_back.count,
            found=found,
        ),
    )


# Asking the host ----------------------------------------------------------------------------------


def _tally(group: Group, host: Host) -> _Tally:
    """Ask about a group page by page. Where the host fails at a whole page, it is not asked about the rest."""
    tally, asked = _Tally(), 0
    for page in group.pages():
        answers = ask(host.progress, [enrollment.key for enrollment in page])
        for _, learner in groupby(page, key=lambda enrolled: enrolled.key[0]):
            _count(list(learner), answers, tally)
            asked += 1
        if page and len(answers.faults) == len(page):
            tally.faulty += group.count - asked
            break
    return tally


def _count(learner: Sequence[Enrolled], answers: Answers[EnrollmentKey, LearnerProgress], tally: _Tally) -> None:
    """A learner did what they did in any of their enrollments that the host knows."""
    if any(enrollment.key in answers.faults for enrollment in learner):
        tally.faulty += 1
        return
    known = [(enrollment, answers.values[enrollment.key]) for enrollment in learner if enrollment.key in answers.values]
    if not known:
        tally.unknown += 1
        return
    tally.known += 1
    tally.done.update({did for enrollment, progress in known for did in _deeds(enrollment, progress)})


def _deeds(enrolled: Enrolled, progress: LearnerProgress) -> Iterator[str]:
    if progress.last_active_at is not None and progress.last_active_at >= enrolled.first_message_at:
        yield "came_back"
    if progress.upgraded_at is not None and progress.upgraded_at > enrolled.began_at:
        yield "upgraded"
    if progress.completed_at is not None:
        yield "completed"


# What is to be said -------------------------------------------------------------------------------


def _about_assignment(scope: ReportScope, spans: Sequence[Span]) -> Iterator[str]:
    begins, _ = day_bounds(scope.first_day, conf.time_zone)
    _, ends = day_bounds(scope.last_day, conf.time_zone)
    if len({span.ratio for span in spans if span.touches(begins, ends)}) > 1:
        yield gettext(
            "The hold-back ratio was changed on these days, so the groups differ in when their learners started. "
            "Compare days with one ratio."
        )


def _about_groups(scheduled: Group, held_back: Group, both_count: int) -> Iterator[str]:
    if both_count:
        text = ngettext(
            "%(count)s learner is left out, for they are in both groups: the ratio was changed while they enrolled.",
            "%(count)s learners are left out, for they are in both groups: the ratio was changed while they enrolled.",
            both_count,
        )
        yield text % {"count": number(both_count)}
    if too_new_count := scheduled.too_new_count + held_back.too_new_count:
        text = ngettext(
            "%(count)s learner is too new: the day of their first message has not passed.",
            "%(count)s learners are too new: the day of their first message has not passed.",
            too_new_count,
        )
        yield text % {"count": number(too_new_count)}
    for group, text in (
        (scheduled, gettext("Of %(all)s scheduled learners, a sample of %(count)s is compared.")),
        (held_back, gettext("Of %(all)s learners who were held back, a sample of %(count)s is compared.")),
    ):
        if group.count < group.all_count:
            yield text % {"all": number(group.all_count), "count": number(group.count)}


def _about_answers(tallies: Sequence[_Tally]) -> Iterator[str]:
    known, faulty, unknown = (sum(getattr(tally, name) for tally in tallies) for name in ("known", "faulty", "unknown"))
    if not (known or faulty):
        yield gettext(
            "The learning platform does not say what became of learners: its host has no answers to “progress”. "
            "Without them there is no comparison."
        )
        return
    if faulty:
        text = ngettext(
            "%(count)s learner is left out, for the learning platform failed when it was asked about them; the log "
            "says how.",
            "%(count)s learners are left out, for the learning platform failed when it was asked about them; the log "
            "says how.",
            faulty,
        )
        yield text % {"count": number(faulty)}
    if unknown:
        text = ngettext(
            "%(count)s learner is left out, for the learning platform does not say what became of them.",
            "%(count)s learners are left out, for the learning platform does not say what became of them.",
            unknown,
        )
        yield text % {"count": number(unknown)}
