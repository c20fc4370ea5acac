"""Google Analytics 4 hears of opens from our server, in a thread of its own. Nothing here raises, or waits.

Source: https://developers.google.com/analytics/devguides/collection/protocol/ga4
"""

from __future__ import annotations

import atexit
import logging
import os
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from queue import Full, Queue
from threading import Thread
from typing import Any

import requests

from schedules.conf import conf
from schedules.tracking import TrackedMessage
from schedules.values.links import site_root

log = logging.getLogger(__name__)

#: The event of the pixel, `edx.bi.email.opened`, in the letters that Google takes.
EMAIL_OPENED = "edx_bi_email_opened"

_MEASUREMENT_ID = re.compile(r"G-[A-Z0-9]+")

#: So many may wait for Google; what comes then is dropped. An answer is waited for so long, and the end of a
#: process for as long as this.
MAX_WAITING = 1000
TIMEOUT_SECONDS = 5
MAX_FLUSH_SECONDS = 3.0

# Google takes no longer values, but for `page_location`, and drops an event that has one.
_MAX_CHARACTERS = 100


@dataclass(frozen=True, kw_only=True, slots=True)
class Property:
    """A web stream of a property in Google Analytics 4, with one of its secrets for the Measurement Protocol."""

    measurement_id: str
    api_secret: str


def is_ga4(tracking_id: str) -> bool:
    """Whether it is a measurement id of Google Analytics 4, such as `G-ABC123`."""
    return _MEASUREMENT_ID.fullmatch(tracking_id) is not None


def tell_opened(to: Property, message: TrackedMessage) -> None:
    """Queue the event that a message was opened. It leaves soon, or is dropped with a log line."""
    url = f"{conf.google_analytics_url.rstrip('/')}/mp/collect"
    _sender().put(_Hit(url, {"measurement_id": to.measurement_id, "api_secret": to.api_secret}, opened(message)))


def opened(message: TrackedMessage) -> dict[str, Any]:
    """The body of the request. The learner is not in it: who was there is a message."""
    uuid = str(message.uuid)
    values = {
        "category": "email",
        "label": message.primary_course_id,
        "source": message.app_label,
        "medium": "email",
        "campaign": message.name,
        "content": uuid,
    }
    params = {name: value[:_MAX_CHARACTERS] for name, value in values.items()}
    params["page_location"] = (
        f"{site_root(message.site_domain)}/email/{message.app_label}/{message.name}/{message.send_uuid}/{uuid}"
    )
    return {"client_id": uuid, "events": [{"name": EMAIL_OPENED, "params": params}]}


def flush() -> None:
    """Wait until this process's events have left, `MAX_FLUSH_SECONDS` at most."""
    sender = _senders.get(os.getpid())
    if sender is not None:
        sender.flush()


@dataclass(frozen=True, slots=True)
class _Hit:
    url: str
    keys: Mapping[str, str]
    body: Mapping[str, Any]


class _Sender:
    """A queue and the thread that empties it, for one process."""

    def __init__(self) -> None:
        self._queue: Queue[_Hit] = Queue(MAX_WAITING)
        Thread(target=self._send_all, name="schedules-ga4", daemon=True).start()
        atexit.register(flush)  # of the process that ends: a fork inherits the registration

    def put(self, hit: _Hit) -> None:
        try:
            self._queue.put_nowait(hit)
        except Full:
            log.warning("An open of message %s was dropped: too many wait for Google", hit.body["client_id"])

    def flush(self) -> None:
        end = time.monotonic() + MAX_FLUSH_SECONDS
        while self._queue.unfinished_tasks and time.monotonic() < end:
            time.sleep(0.01)

    def _send_all(self) -> None:
        while True:
            hit = self._queue.get()
            try:
                requests.post(hit.url, params=hit.keys, json=hit.body, timeout=TIMEOUT_SECONDS).raise_for_status()
            except Exception as error:  # noqa: BLE001 - the thread goes on; the words of the error hold the secret
                log.warning("Google did not take the open of %s: %s", hit.body["client_id"], type(error).__name__)
            finally:
                self._queue.task_done()


#: By process: a thread does not survive a fork.
_senders: dict[int, _Sender] = {}


def _sender() -> _Sender:
    process = os.getpid()
    if process not in _senders:
        _senders[process] = _Sender()  # two threads at once may make two: both send
    return _senders[process]
