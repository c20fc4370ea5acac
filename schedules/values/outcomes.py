"""What can become of a message, and how many met which end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from schedules.values.text import one_line, without_addresses

#: What was seen, as (name, JSON primitive) pairs: it fills the sentence of a reason.
Detail = tuple[tuple[str, str | int | float | bool | None], ...]

#: Of others' words about a failure, no more is kept.
MAX_ANSWER_CHARACTERS = 250


class SkipReason(StrEnum):
    """Why a learner who was found got no message. These words stand in the ledger and in reports.

    Those of gates stand here so that no two have the same; a host's gates have words of their own.
    """

    NO_ADDRESS = "no-address"
    BAD_ADDRESS = "bad-address"
    OPTED_OUT = "opted-out"
    NO_HIGHLIGHTS = "no-highlights"
    NOTHING_TO_UPGRADE = "nothing-to-upgrade"
    ALREADY_TOLD = "already-told"
    DELIVERY_DISABLED = "delivery-disabled"
    EXPIRED = "expired"
    NO_LONGER_DUE = "no-longer-due"
    POLICY = "denied-by-policy"
    MESSAGE_TYPE_GONE = "message-type-gone"


class FailReason(StrEnum):
    """Why a message that should have gone out did not."""

    HOST_ERROR = "host-error"
    GATE_ERROR = "gate-error"
    MESSAGE_TYPE_ERROR = "message-type-error"
    TEMPLATE_MISSING = "template-missing"
    TEMPLATE_ERROR = "template-error"
    CHANNEL_REFUSED = "channel-refused"
    CHANNEL_ERROR = "channel-error"
    INTERNAL_ERROR = "internal-error"


class OutcomeStatus(StrEnum):
    """What can become of a message: finalized, in the words of `ScheduledMessage.Status`, or to be tried again."""

    SENT = "sent"
    SKIPPED = "skipped"
    FAILED = "failed"
    RETRY = "retry"


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What became of a message: `sent` has a channel and a language, all others a reason and, perhaps, its detail.

    `retry_at`: when a `retry` may be tried again, if whoever refused it said so. `was_tried`: its channel was asked.
    `is_known`: what went wrong has a name; other faults are counted, and tried a few times only. A `detail` that is
    `None` stays as it was.
    """

    status: OutcomeStatus
    retry_at: datetime | None = None
    was_tried: bool = True
    is_known: bool = True
    reason: str = ""
    detail: Detail | None = ()
    channel: str = ""
    language: str = ""


def skipped(reason: str, detail: Detail = ()) -> Outcome:
    return Outcome(status=OutcomeStatus.SKIPPED, reason=str(reason), detail=detail)


def failed(reason: FailReason, answer: str = "") -> Outcome:
    """`answer` may be anybody's words, such as a host's: addresses in it do not reach the ledger."""
    return Outcome(status=OutcomeStatus.FAILED, reason=reason.value, detail=_answer(answer))


def to_retry(reason: FailReason, answer: str = "", retry_at: datetime | None = None) -> Outcome:
    return Outcome(status=OutcomeStatus.RETRY, reason=reason.value, detail=_answer(answer), retry_at=retry_at)


def _answer(text: str) -> Detail:
    text = one_line(without_addresses(text))[:MAX_ANSWER_CHARACTERS]
    return (("answer", text),) if text else ()


@dataclass(kw_only=True)
class Totals:
    """How many messages of a run, or of a report, were found, and what became of them.

    `already`: sent by an earlier run, or in the hands of another. `pending`: claimed, being delivered, or to be tried
    again. `skipped` and `failed` count by reason. `opened`, `clicked` and `opted_out` count messages among the sent
    ones, each once: machines open and click as well, and a message can be clicked without ever being opened. A run
    knows nothing of these three.
    """

    found: int = 0
    already: int = 0
    sent: int = 0
    pending: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    opened: int = 0
    clicked: int = 0
    opted_out: int = 0

    def count(self, outcome: Outcome) -> None:
        """Add one message."""
        self.count_rows(outcome.status, outcome.reason)

    def count_rows(self, status: str, reason: str, number: int = 1) -> None:
        """Add messages of a status, in the words of outcomes or of the ledger."""
        match status:
            case OutcomeStatus.SENT:
                self.sent += number
            case OutcomeStatus.SKIPPED:
                self.skipped[reason] += number
            case OutcomeStatus.FAILED:
                self.failed[reason] += number
            case _:
                self.pending += number

    def __add__(self, other: Totals) -> Totals:
        return Totals(**{name: value + getattr(other, name) for name, value in vars(self).items()})

    def add(self, kept: Any) -> None:
        """Add what `as_dict()` of other totals says, or what a run keeps; what is no number counts for nothing."""
        kept = kept if isinstance(kept, Mapping) else {}
        for name in _NUMBERS:
            setattr(self, name, getattr(self, name) + whole_number(kept.get(name)))
        for name in _BY_REASON:
            reasons = kept.get(name)
            if isinstance(reasons, Mapping):
                getattr(self, name).update({reason: whole_number(count) for reason, count in reasons.items()})

    def as_dict(self) -> dict[str, Any]:
        """JSON primitives; the same shape as `SendRun.counts`."""
        numbers = {name: getattr(self, name) for name in _NUMBERS}
        return {**numbers, **{name: dict(getattr(self, name)) for name in _BY_REASON}}

    def number(self, name: str) -> int:
        """The count of that name, whatever the reasons."""
        count = getattr(self, name)
        return count.total() if isinstance(count, Counter) else int(count)

    @property
    def messages(self) -> int:
        """All that are counted by what became of them."""
        return self.sent + self.pending + self.skipped.total() + self.failed.total()


_NUMBERS = ("found", "already", "sent", "pending")
_BY_REASON = ("skipped", "failed")


def whole_number(value: Any) -> int:
    """What was kept as a number; 0 for all else."""
    return value if isinstance(value, int) and not isinstance(value, bool) else 0
