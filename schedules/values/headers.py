"""Headers that are written as they are: a long word in them is neither encoded nor put on a line of its own.

Python's modern e-mail policies, which Django 6 uses, encode a word that is longer than a line (`=?utf-8?q?…`), and mail
clients then see no URL: https://github.com/python/cpython/issues/87659. The older one, of Django 5, leaves the name
alone on its line. Lines may be up to 998 characters (RFC 5322, 2.1.1).
"""

from __future__ import annotations

from email.header import Header
from email.message import Message
from email.policy import Policy, compat32

LIST_UNSUBSCRIBE, FEEDBACK_ID = "List-Unsubscribe", "Feedback-ID"


class WholeHeader(str):
    """The value of a header. Modern policies take a text that has a `name` for a header already made, and fold it."""

    name: str

    def __new__(cls, text: str, name: str = "") -> WholeHeader:  # a copy is made of the text, and then gets its name
        value = super().__new__(cls, text)
        value.name = name
        return value

    def fold(self, *, policy: Policy) -> str:
        return f"{self.name}: {_in_lines(self, policy.linesep)}{policy.linesep}"


def keep_whole(message: Message) -> None:
    """The same under the older policy, which asks a `Header` to encode itself. Django has made texts of the values."""
    if message.policy is compat32:
        for name in (LIST_UNSUBSCRIBE, FEEDBACK_ID):
            if text := message[name]:
                message.replace_header(name, _WholeText(text))  # type: ignore[arg-type] # as Python documents it


class _WholeText(Header):
    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._text = text

    def encode(self, splitchars: str = "", maxlinelen: int | None = None, linesep: str = "\n") -> str:  # noqa: ARG002
        return _in_lines(self._text, linesep)


def _in_lines(text: str, linesep: str) -> str:
    """Each URL on a line."""
    return text.replace(">, <", f">,{linesep} <")
