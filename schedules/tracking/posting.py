"""Events leave by HTTP, from a worker that has nothing else to do then."""

from __future__ import annotations

from typing import Any

import requests

#: An answer is waited for so long; what stands in it is not read.
TIMEOUT_SECONDS = 5

#: Answers that say that the events themselves will not do, today or ever.
_REFUSALS = (400, 413, 414, 422)


class PublishError(Exception):
    """They could not be told, and waiting can mend that. Its words name no URL, which may hold a secret."""


def post(session: requests.Session, url: str, **request: Any) -> bool:
    """Post once; returns false where the events are refused for good. Raises `PublishError`."""
    try:
        with session.post(url, timeout=TIMEOUT_SECONDS, allow_redirects=False, stream=True, **request) as response:
            status = response.status_code
            if status == requests.codes.no_content:  # as Google answers: the connection serves the next one, too
                response.raw.drain_conn()
    except Exception as error:  # noqa: BLE001 - what it makes of a URL or a key that cannot be sent is no error of its own
        raise PublishError(type(error).__name__) from None
    if status in _REFUSALS:
        return False
    if not 200 <= status < 300:
        raise PublishError(f"status {status}")
    return True
