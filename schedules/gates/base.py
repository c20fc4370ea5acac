"""What a gate is: one question about a due schedule, answered yes or no with what was seen."""

from __future__ import annotations

import json
import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, ClassVar

from django.core.serializers.json import DjangoJSONEncoder
from django.utils import formats
from django.utils.dateparse import parse_datetime

from schedules.conf import conf
from schedules.finding.facts import Facts
from schedules.models import Schedule
from schedules.values.days import last_day
from schedules.values.outcomes import Detail
from schedules.values.text import one_line, without_addresses


@dataclass(frozen=True, slots=True)
class Answer:
    """Yes or no, with what the gate saw: (name, JSON primitive) pairs, kept in the ledger; no address, no name."""

    is_yes: bool
    seen: Detail = ()

    def __post_init__(self) -> None:
        if not isinstance(self.is_yes, bool):
            raise TypeError(f"is_yes is {self.is_yes!r}; give True or False")
        object.__setattr__(self, "seen", tuple((str(name), _primitive(value)) for name, value in self.seen))


def yes(**seen: Any) -> Answer:
    """The message may go out, as far as this gate is concerned."""
    return Answer(True, tuple(seen.items()))


def no(**seen: Any) -> Answer:
    """It may not. `seen` fills the gate's sentence."""
    return Answer(False, tuple(seen.items()))


class Gate(ABC):
    """One question: may a message about this due schedule go out?

    A subclass names its `reason` (kebab-case, its own), what that means (`summary`) and where it is changed (`remedy`),
    a sentence for staff each. Instances are shared, so they keep nothing: what a gate needs of its own, `read()` reads.
    """

    reason: ClassVar[str]
    summary: ClassVar[Any]
    remedy: ClassVar[Any]
    #: The keys of the message types that it is asked about; empty: all.
    message_types: ClassVar[tuple[str, ...]] = ()
    #: Whoever it stops was not due at all: they are not counted, and there is no row in the ledger.
    is_silent: ClassVar[bool] = False

    def read(self, facts: Facts) -> Any:  # noqa: B027 - most gates need nothing that `facts` does not have
        """What the gate needs beyond `facts`, in bulk: `look()` gets it as `facts.read(self)`.

        Called once for each batch, and only if somebody gets as far as this gate. `facts.user_ids`, `course_ids`
        and `keys` say about whom.
        """

    @abstractmethod
    def look(self, due: Schedule, facts: Facts, clock: datetime) -> Answer:
        """`yes()`, or `no()` with what was seen. `clock`: the instant for which it is asked, aware, in UTC."""

    def explain(self, seen: Mapping[str, Any]) -> str:
        """The `summary` with the values that were seen, in the language that is active.

        `seen` is what `no()` was given, as JSON; the ledger keeps it.
        """
        return str(self.summary)


def day_text(instant: Any) -> str:
    """The day of an instant that was seen, in the format of the language that is active; a dash for none."""
    moment = parse_datetime(str(instant or ""))
    return formats.date_format(last_day(moment, conf.time_zone), "DATE_FORMAT") if moment else "—"


def _primitive(value: Any) -> str | int | float | bool | None:
    if value is None or (isinstance(value, int | float) and math.isfinite(value)):  # as JSON has no infinity
        return value
    if isinstance(value, datetime | date):
        value = json.loads(json.dumps(value, cls=DjangoJSONEncoder))
    return one_line(without_addresses(str(value)))
