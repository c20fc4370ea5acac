"""To which addresses an e-mail can be sent at all: decided in one place, before any channel is asked."""

from __future__ import annotations

import re

from schedules.values.links import ascii_host

_ASKS_THE_SERVER = "schedules_email"

#: RFC 5321, 4.5.3.1.3: a path is at most 256 octets, with its angle brackets.
MAX_LENGTH = 254

#: Unquoted local parts (RFC 5321, 4.1.2), with the dots where some providers allow them, and letters of all languages.
_LOCAL_PART = re.compile(r"[^\s\"(),:;<>@\[\\\]]+")
_DOMAIN = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)(\.(?!-)[a-z0-9_-]{1,63}(?<!-))*", re.IGNORECASE)


def sendable(address: str) -> str | None:
    """`address` as channels get it, its domain in ASCII (IDNA, RFC 5891); `None` if no e-mail can be sent to it.

    Of what is in a mailbox's own name, left of the @, nothing is changed: it is the other server's to read.
    """
    local_part, _, domain = address.strip().rpartition("@")
    if not _LOCAL_PART.fullmatch(local_part) or not local_part.isprintable():
        return None
    if "=?" in local_part and "?=" in local_part:  # mail libraries would write to what the encoded word stands for
        return None
    try:
        domain = ascii_host(domain)
    except ValueError:
        return None
    found = f"{local_part}@{domain}"
    return found if _DOMAIN.fullmatch(domain) and len(found.encode()) <= MAX_LENGTH else None


def is_international(address: str) -> bool:
    """Whether it takes SMTPUTF8 (RFC 6531) to write there: the mailbox's name is not ASCII.

    Encoded like a word of a header it would be another mailbox.
    """
    return not address.rpartition("@")[0].isascii()


def is_for_channel(address: str, channel: str) -> bool:
    """Whether the channel may be asked to write there. Ours alone asks its server about SMTPUTF8, and may say no."""
    return sendable(address) is not None and (channel == _ASKS_THE_SERVER or not is_international(address))
