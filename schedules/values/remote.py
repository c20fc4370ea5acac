"""What the errors of clients say of the service that they asked: the status of its answer, and what they are called.

No client's library is imported. They have no class in common: each keeps the status where it likes, and what they call
their errors is much alike.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

#: Of the answers of HTTP, those that a later request may not get (RFC 9110, 15.5 and 15.6; RFC 6585).
LATER = frozenset({408, 425, 429, *range(500, 600)})

#: Amazon says in words what others say by the status: a throttled request is a 400 there.
_AWS_LATER = re.compile(r"throttl|toomany|limitexceeded|slowdown|timeout|unavailable|internal", re.IGNORECASE)

#: Of requests (aiohttp, Kubernetes), of responses (requests, httpx), of the framework's own (REST), of XML-RPC.
_STATUS_NAMES = ("status_code", "status", "code", "errcode")

#: https://github.com/googleapis/googleapis/blob/master/google/rpc/code.proto says which status each is in HTTP.
_GRPC_STATUS = {
    "UNKNOWN": 500,
    "INVALID_ARGUMENT": 400,
    "DEADLINE_EXCEEDED": 504,
    "NOT_FOUND": 404,
    "ALREADY_EXISTS": 409,
    "PERMISSION_DENIED": 403,
    "UNAUTHENTICATED": 401,
    "RESOURCE_EXHAUSTED": 429,
    "FAILED_PRECONDITION": 400,
    "ABORTED": 409,
    "OUT_OF_RANGE": 400,
    "UNIMPLEMENTED": 501,
    "INTERNAL": 500,
    "UNAVAILABLE": 503,
    "DATA_LOSS": 500,
}

#: How clients call what they meet where nobody answers, or not now, without a status.
NAMED_LATER = re.compile(
    r"Timeout|TimedOut|Throttl|TooManyRequests|RateLimit|Unavailable|No\w+Available|Disconnect|ConnectionClosed"
    r"|Connect(ion|or)?Error|\bNetworkError\b|AutoReconnect|MaxRetryError|\bTransientError\b"
    # The other side stopped in the middle, or the connection has to be a new one.
    r"|\b(Remote)?ProtocolError\b|IncompleteRead|BadStatusLine|ImproperConnectionState"
    # Redis: a replica, or a server that starts (https://redis.io/docs/latest/develop/reference/protocol-spec/).
    r"|\bReadOnlyError\b|\bBusyLoadingError\b|\b(Master|Cluster)DownError\b"
    # LDAP: python-ldap calls them as RFC 4511, 4.1.9, does; ldap3 by words.
    r"|\b(SERVER_DOWN|CONNECT_ERROR|UNAVAILABLE|BUSY|TIMEOUT)\b|LDAPSocket|LDAPSessionTerminated"
)


def status_of(error: BaseException) -> int | None:
    """The status of a refusal (400 to 599), wherever the error's library keeps it; `None` if it holds none."""
    response = getattr(error, "response", None)
    holders = (error, response, getattr(error, "resp", None))
    found = [getattr(holder, name, None) for holder in holders for name in _STATUS_NAMES]
    found += [inside(response, "ResponseMetadata", "HTTPStatusCode"), _grpc_status(error)]
    statuses = (int(code) for code in found if isinstance(code, int) and not isinstance(code, bool))
    return next((status for status in statuses if 400 <= status < 600), None)


def aws_code_of(error: BaseException) -> str:
    """Amazon's own word for what is wrong; empty if the error is not of its kind."""
    return str(inside(getattr(error, "response", None), "Error", "Code") or "")


def is_later(error: BaseException) -> bool | None:
    """Whether a service's answer means that a later request may be answered; `None` if the error holds no answer."""
    status, code = status_of(error), aws_code_of(error)
    if status is None and not code:
        return None
    return status in LATER or bool(_AWS_LATER.search(code))


def names_of(error: BaseException) -> str:
    """What an error's classes are called, nearest first, with blanks between."""
    return " ".join(cls.__name__ for cls in type(error).__mro__)


def inside(value: Any, *keys: str) -> Any:
    """What mappings in mappings hold; `None` if they do not."""
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def _grpc_status(error: BaseException) -> int | None:
    """gRPC's `code()` is a member of an enumeration, as the status of HTTP."""
    code = getattr(error, "code", None)
    if not (callable(code) and "RpcError" in names_of(error)):
        return None
    with suppress(Exception):
        code = code()
        return _GRPC_STATUS.get(str(getattr(code, "name", code)).rpartition(".")[2])
    return None
