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
MAX_SAID_CHARACTERS = 250


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
    TEMPLATE_MISSING = "template-missing"
    TEMPLATE_ERROR = "template-error"
    CHANNEL_REFUSED = "channel-refused"
    CHANNEL_ERROR = "channel-error"
    INTERNAL_ERROR = "internal-error"


class OutcomeStatus(StrEnum):
    """What can become of a message: settled, in the words of `ScheduledMessage.Status`, or to be tried again."""

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


def failed(reason: FailReason, said: str = "") -> Outcome:
    """`said` may be anybody's words, such as a host's: addresses in it do not reach the ledger."""
    return Outcome(status=OutcomeStatus.FAILED, reason=reason.value, detail=_said(said))


def to_retry(reason: FailReason, said: str = "", retry_at: datetime | None = None) -> Outcome:
    return Outcome(status=OutcomeStatus.RETRY, reason=reason.value, detail=_said(said), retry_at=retry_at)


def _said(text: str) -> Detail:
    text = one_line(without_addresses(text))[:MAX_SAID_CHARACTERS]
    return (("said", text),) if text else ()


@dataclass(kw_only=True)
class Totals:
    """How many messages of a run were found, and what became of them.

    `already`: sent by an earlier run, or in the hands of another. `pending`: claimed, or to be tried again.
    `skipped` and `failed` count by reason.
    """

    found: int = 0
    already: int = 0
    sent: int = 0
    pending: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)

    def count(self, outcome: Outcome) -> None:
        """Add one message."""
        match outcome.status:
            case OutcomeStatus.SENT:
                self.sent += 1
            case OutcomeStatus.SKIPPED:
                self.skipped[outcome.reason] += 1
            case OutcomeStatus.FAILED:
                self.failed[outcome.reason] += 1
            case OutcomeStatus.RETRY:
                self.pending += 1

    def add(self, other: Mapping[str, Any]) -> None:
        """Add what `as_dict()` of other totals says."""
        for name in ("found", "already", "sent", "pending"):
            setattr(self, name, getattr(self, name) + other.get(name, 0))
        self.skipped.update(other.get("skipped", {}))
        self.failed.update(other.get("failed", {}))

    def as_dict(self) -> dict[str, Any]:
        """JSON primitives; the same shape as `SendRun.counts`."""
        return {**vars(self), "skipped": dict(self.skipped), "failed": dict(self.failed)}
