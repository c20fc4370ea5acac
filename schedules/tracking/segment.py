"""Segment: events wait in memory and leave in a thread of their own. Nothing here raises, or waits for long.

Its library, the extra `segment`, is imported at the first event, and only where there is a `LMS_SEGMENT_KEY`.
"""

from __future__ import annotations

import atexit
import logging
import os
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from schedules.conf import conf
from schedules.exceptions import redacted_traceback
from schedules.tracking.events import Event

log = logging.getLogger(__name__)

#: How long the end of a batch waits for Segment. What has not left by then goes on leaving in the background.
MAX_FLUSH_SECONDS = 3.0

#: Of the thread: an answer is waited for so long, what was refused is tried so often again, and then it is dropped.
TIMEOUT_SECONDS = 5
RETRIES = 6
MAX_BACKOFF_SECONDS = 60
MAX_RATE_LIMIT_SECONDS = 300

#: How long the thread waits for events to fill a request; an event that comes alone waits so long.
GATHER_SECONDS = 0.2


def track(event: Event) -> None:
    """Queue an event, if there is a key. It leaves soon, or is dropped with a log line: nobody depends on it."""
    if not conf.segment_key:
        return
    try:
        _sender().put(event)
    except ImportError:
        log.error("Event %s was not queued for Segment: its library is missing (schedules.W008)", event.id)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is not worth a message or an enrollment
        log.error("Event %s was not queued for Segment: %s", event.id, redacted_traceback(error))


@contextmanager
def flushing() -> Iterator[None]:
    """At the end of what is within, wait a little until the events have left."""
    try:
        yield
    finally:
        flush()


def flush() -> None:
    """Wait until this process's events have left: `MAX_FLUSH_SECONDS` at most, and not again while old ones wait."""
    if _current is not None:
        _current.flush()


class _Sender:
    """Segment's client with its thread, for one process, key and URL."""

    def __init__(self, key: str, url: str) -> None:
        from segment.analytics.client import Client  # noqa: PLC0415 - only where there is a key (behavior 10.3)

        self.serves = (key, url)
        self._client: Any = Client(
            key,
            host=url,
            timeout=TIMEOUT_SECONDS,
            max_retries=RETRIES,
            max_total_backoff_duration=MAX_BACKOFF_SECONDS,
            max_rate_limit_duration=MAX_RATE_LIMIT_SECONDS,
            upload_interval=GATHER_SECONDS,
            on_error=_note_loss,
        )
        self._is_stuck = False
        atexit.register(flush)  # before the client's own, which ends the thread and leaves what is queued

    def put(self, event: Event) -> None:
        if not self._client.queue.unfinished_tasks:
            self._is_stuck = False
        is_queued, _ = self._client.track(
            user_id=event.user_id, event=event.name, properties=dict(event.properties), message_id=event.id
        )
        if not is_queued:
            log.warning("Event %s was dropped: too many wait for Segment", event.id)

    def flush(self) -> None:
        """As the client's own `flush()`, which would wait for ever, and for as long as Segment hangs at each batch."""
        queue = self._client.queue
        with queue.all_tasks_done:
            seconds = 0 if self._is_stuck else MAX_FLUSH_SECONDS
            self._is_stuck = not queue.all_tasks_done.wait_for(lambda: not queue.unfinished_tasks, seconds)


_current: _Sender | None = None
_making = threading.Lock()


def _sender() -> _Sender:
    global _current  # noqa: PLW0603 - one client per process
    wanted = (conf.segment_key, conf.segment_url)
    with _making:
        if _current is None or _current.serves != wanted:
            _current = _Sender(*wanted)
        return _current


def _begin_anew() -> None:
    """In the child of a fork, such as Celery's: a thread does not survive it, and what waits is the parent's to tell.

    The library keeps its connections in a module, and two processes must not speak over one: the child loads its own.
    """
    global _current, _making
    _current, _making = None, threading.Lock()
    for name in [name for name in sys.modules if name.partition(".")[0] == "segment"]:
        del sys.modules[name]


if hasattr(os, "register_at_fork"):  # where there is none, nothing forks
    os.register_at_fork(after_in_child=_begin_anew)


def _note_loss(error: Exception, batch: Sequence[dict[str, Any]]) -> None:
    ids = ", ".join(str(one.get("messageId")) for one in batch)
    log.warning("Segment did not take %s events (%s): %s", len(batch), type(error).__name__, ids)
