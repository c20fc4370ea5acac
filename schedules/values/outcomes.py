"""What can become of a message, and how many met which end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from schedules.values.text import one_line, without_addresses


class SkipReason(StrEnum):
    """Why a learner who was found got no message. These words stand in the ledger and in reports."""

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


class FailReason(StrEnum):
    """Why a message that should have gone out did not. `": "` and a detail may follow in the ledger."""

    HOST_ERROR = "host-error"
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
    """What became of a message: `sent` has a channel and a language, all others a reason.

    `retry_at`: when a `retry` may be tried again, if whoever refused it said so. `was_tried`: its channel was asked.
    `is_known`: what went wrong has a name; other faults are counted, and tried a few times only.
    """

    status: OutcomeStatus
    retry_at: datetime | None = None
    was_tried: bool = True
    is_known: bool = True
    reason: str = ""
    detail: str = ""
    channel: str = ""
    language: str = ""

    @property
    def full_reason(self) -> str:
        return f"{self.reason}: {self.detail}" if self.detail else self.reason


def skipped(reason: SkipReason) -> Outcome:
    return Outcome(status=OutcomeStatus.SKIPPED, reason=reason.value)


def failed(reason: FailReason, detail: str = "") -> Outcome:
    """`detail` may be anybody's words, such as a host's: addresses in it do not reach the ledger."""
    return Outcome(status=OutcomeStatus.FAILED, reason=reason.value, detail=one_line(without_addresses(detail)))


def to_retry(reason: FailReason, detail: str = "", retry_at: datetime | None = None) -> Outcome:
    return Outcome(
        status=OutcomeStatus.RETRY, reason=reason.value, detail=one_line(without_addresses(detail)), retry_at=retry_at
    )


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
