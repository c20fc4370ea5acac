"""Refused alike: what several learners in a row are told in the same words is not about any of them.

No list of answers is complete. So each final refusal that is not known to be its recipient's is compared with those
before it, of this batch and, for batches may be small, of the ledger.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from uuid import UUID

from schedules import ledger
from schedules.models import ScheduledMessage
from schedules.values.outcomes import MAX_ANSWER_CHARACTERS

#: So many learners in a row are enough.
MAX_ALIKE = 3

#: Older refusals of the ledger are another story.
_SPAN = timedelta(days=1)

#: The code and the status are words; any other word with a digit may be an id, a time or a machine.
_CODE = re.compile(r"^\d{3}(?: [45]\.\d{1,3}\.\d{1,3})?(?= |$)")
_CHANGING = re.compile(r"\S*\d\S*")


class Refusals:
    """The final refusals of one batch, in a row."""

    def __init__(self, site_id: int) -> None:
        self._site_id = site_id
        self._earlier: list[tuple[UUID, int, str]] | None = None  # the ledger's, not read yet
        self._words = ""
        self._learners: dict[UUID, int] = {}

    def forget(self) -> None:
        """Somebody was sent to, or told something else."""
        self._earlier, self._words, self._learners = [], "", {}

    def add(self, message: ScheduledMessage, answer: str, now: datetime) -> dict[UUID, int] | None:
        """The messages that were refused alike, this one included, with their learners, once they are enough.

        One that was held back for this answer before is not counted: others were sent to since.
        """
        words = same_words(answer)
        if message.attempts and same_words(str(message.detail.get("answer", ""))) == words:
            return None
        if words != self._words:
            self._words, self._learners = words, {}
        self._learners[message.pk] = message.user_id
        if self._earlier is None:
            self._earlier = ledger.refused_since_last_sent(self._site_id, now - _SPAN)
        found = {uuid: user_id for uuid, user_id, text in self._earlier if same_words(text) == words}
        found |= self._learners
        return found if len(set(found.values())) >= MAX_ALIKE else None


def same_words(answer: str) -> str:
    """An answer without what differs from message to message. Addresses are out of it already."""
    answer = answer[:MAX_ANSWER_CHARACTERS]  # as the ledger keeps it
    code = _CODE.match(answer)
    rest = answer[code.end() :] if code else answer
    return ((code.group() if code else "") + _CHANGING.sub("#", rest)).casefold()
