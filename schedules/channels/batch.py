"""What a channel has to know of the batch that its message is in: edx-ace has no argument for it.

It makes a channel once per process and calls `deliver(message, rendered_message)` (docs/explanation/what-edx-ace-does).
So what is said once for many messages stands around the calls, each in a variable of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

T = TypeVar("T")

#: Against one connection for each message, as `django_email` has it: the `MailConnection` of the batch. `None`: each
#: message has its own.
mail_connection: ContextVar[Any] = ContextVar("mail_connection", default=None)

#: Against text parts on standard output, as `file_email` prints them: whoever asked for them is told of each, headed
#: by its sender, recipient and subject. It reaches tasks in the calling process, to whose arguments it is no text.
show_message: ContextVar[Callable[[str], object] | None] = ContextVar("show_message", default=None)


@contextmanager
def around(variable: ContextVar[T], value: T) -> Iterator[None]:
    """Within, the variable has the value."""
    token = variable.set(value)
    try:
        yield
    finally:
        variable.reset(token)
