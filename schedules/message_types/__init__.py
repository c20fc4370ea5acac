"""The message types: who is due, and what is said. The shipped ones are a module each.

`SCHEDULES["MESSAGE_TYPES"]` names them; a host's stand in its own package.
"""

from schedules.message_types.registry import (
    MessageTypeGoneError,
    message_names,
    message_type_problems,
    messages,
    resolver_for,
    resolver_of,
    resolvers,
    usable_resolvers,
)

__all__ = [
    "MessageTypeGoneError",
    "message_names",
    "message_type_problems",
    "messages",
    "resolver_for",
    "resolver_of",
    "resolvers",
    "usable_resolvers",
]
