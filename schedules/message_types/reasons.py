"""Why a message was not sent, as a sentence for staff, and what can be done about it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext_lazy as _

from schedules.exceptions import redacted_traceback
from schedules.message_types.gates import all_gates
from schedules.values.outcomes import FailReason, SkipReason

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Reason:
    """A reason that no gate has: what it means, and the remedy, as a gate says them."""

    summary: Any
    remedy: Any


_WAIT = _("Nothing needs to be done: it was tried for as long as the message was worth sending.")
_LOOK = _("Fix the cause named above, and run the day again: what was sent is not sent twice.")

#: The reasons of what happens between the gates and the learner.
OTHERS: Mapping[str, Reason] = {
    SkipReason.EXPIRED: Reason(_("The message had expired before it could be sent."), _WAIT),
    SkipReason.NO_LONGER_DUE: Reason(
        _("The message was no longer due when it was about to be sent."),
        _("Nothing needs to be done: dates, enrollments or courses changed."),
    ),
    SkipReason.POLICY: Reason(
        _("A policy of edx-ace denied the message."), _("Check ACE_ENABLED_POLICIES and what those policies require.")
    ),
    SkipReason.MESSAGE_TYPE_GONE: Reason(
        _("The message type is no longer in the settings."),
        _("Add it to SCHEDULES['MESSAGE_TYPES'] again, and run the day again."),
    ),
    FailReason.HOST_ERROR: Reason(_("The learning platform could not answer."), _LOOK),
    FailReason.GATE_ERROR: Reason(_("A gate could not answer."), _("Correct the gate, and run the day again.")),
    FailReason.MESSAGE_TYPE_ERROR: Reason(
        _("A message type could not answer."), _("Correct the message type, and run the day again.")
    ),
    FailReason.TEMPLATE_MISSING: Reason(
        _("The message has no template."), _("Run manage.py check, which names it, and run the day again.")
    ),
    FailReason.TEMPLATE_ERROR: Reason(
        _("A template of the message is not correct."), _("Correct the template, and run the day again.")
    ),
    FailReason.CHANNEL_REFUSED: Reason(_("The channel refused the message."), _LOOK),
    FailReason.CHANNEL_ERROR: Reason(_("The channel failed."), _LOOK),
    FailReason.INTERNAL_ERROR: Reason(
        _("An error in the app kept it from sending this message."),
        _("The log of that time has the traceback; report it."),
    ),
}


def known_reasons() -> list[str]:
    """All that a ledger of these settings may hold."""
    return [*all_gates(), *map(str, OTHERS)]


def sentence(reason: str, detail: Any = None) -> str:
    """What a message's reason says, in the language that is active; the bare word where nobody knows more of it.

    `detail`: the ledger's. What a gate of a host raises here is logged, and costs no page.
    """
    seen: Mapping[str, Any] = detail if isinstance(detail, Mapping) else {}
    gates = all_gates()
    if reason in gates:
        return _said_by(lambda: gates[reason].explain(seen), summary(reason))
    if reason not in OTHERS:
        return reason
    text = summary(reason)
    because = str(seen.get("because", ""))
    if because in gates:
        text = f"{text} {_said_by(lambda: gates[because].explain(seen), summary(because))}"
    return f"{text} {seen['answer']}" if seen.get("answer") else text


def summary(reason: str) -> str:
    """What a reason means, whatever the values; the bare word where nobody knows."""
    known = all_gates().get(reason) or OTHERS.get(reason)
    return _said_by(lambda: str(known.summary), reason) if known else reason


def remedy(reason: str) -> str:
    """What can be done about it, a sentence; empty where nobody knows."""
    known = all_gates().get(reason) or OTHERS.get(reason)
    return _said_by(lambda: str(known.remedy), "") if known else ""


def _said_by(say: Callable[[], str], otherwise: str) -> str:
    try:
        return str(say() or otherwise)
    except Exception as error:  # noqa: BLE001 - older rows, or a host's code
        log.warning("A reason could not be explained: %s", redacted_traceback(error))
        return otherwise
