"""Segment and Google hear of what the tables say they are yet to hear of (decision record 0016).

In the way of no message and no page: a batch of deliveries tells of its own when it has ended, and `flush()`, in a task
of its own, of all else: opens, hold-backs, and what could not be told before. What happened is told once, unless a
process is killed between the telling and our knowing of it; Segment counts that once, by the event's id.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any
from uuid import UUID

import requests
from django.contrib.sites.models import Site
from django.core.cache import cache
from django.utils import timezone

from schedules.conf import conf
from schedules.exceptions import ConfigurationError, HostError, redacted_traceback
from schedules.host import get_host
from schedules.ledger.outbox import Outbox
from schedules.models import HoldBack, ScheduledMessage
from schedules.sites import site_values
from schedules.tracking import TrackedMessage, ga4, segment
from schedules.tracking.events import Event, email_sent, schedule_suppressed
from schedules.tracking.posting import PublishError

log = logging.getLogger(__name__)

#: `flush()` ends then, for the next one comes in a minute.
MAX_SECONDS = 50

#: Rows of one request to Segment, and those that are taken for Google at once, which gets a request for each.
_SEGMENT_ROWS = segment.MAX_EVENTS
_GOOGLE_ROWS = 10

_SENT = Outbox(ScheduledMessage, "segment_due_at")
_SUPPRESSED = Outbox(HoldBack, "segment_due_at")
_OPENED = Outbox(ScheduledMessage, "google_due_at")

#: After a failure the ends of batches do not try Segment for so long, so that one that hangs holds up one of them.
SECONDS_AWAY = 60
_AWAY = "schedules.segment.away"

#: Tells of rows; yields the primary keys of those that are done with. Raises `PublishError`.
_Publish = Callable[[Sequence[Any]], Iterator[Collection[Any]]]


def is_waiting() -> bool:
    """Whether there is anything to tell."""
    return not all(outbox.is_empty() for outbox, _, _ in _outboxes())


def flush() -> None:
    """Tell of all that waits, for a minute at most; who is away hears of it another time."""
    end = time.monotonic() + MAX_SECONDS
    for outbox, publish, count in _outboxes():
        try:
            while time.monotonic() < end and (rows := outbox.take(count)):
                _publish(outbox, publish, rows)
        except PublishError as error:
            log.warning("%s of %s wait on: %s", outbox.column, outbox.model.__name__, error)


def publish_sent(uuids: Collection[UUID]) -> None:
    """At the end of a batch, tell Segment of its messages that were sent. Never raises."""
    if not conf.segment_key:
        return
    try:
        if cache.get(_AWAY):
            return
        while rows := _SENT.take(_SEGMENT_ROWS, uuids):
            _publish(_SENT, _publish_sent, rows)
    except PublishError as error:
        log.warning("Segment hears of a batch of messages later: %s", error)
        cache.set(_AWAY, True, SECONDS_AWAY)
    except Exception as error:  # noqa: BLE001 - the messages are sent; the outbox has what is to be told
        log.error("Segment hears of a batch of messages later: %s", redacted_traceback(error))


def publish_tests(events: Sequence[Event]) -> None:
    """Tell Segment of messages that are in no ledger. What it does not hear now, it never does."""
    if not conf.segment_key:
        return
    for first in range(0, len(events), segment.MAX_EVENTS):
        try:
            segment.send(events[first : first + segment.MAX_EVENTS])
        except PublishError as error:
            log.warning("Segment does not hear of %s test messages: %s", len(events) - first, error)
            return


def _outboxes() -> Iterator[tuple[Outbox, _Publish, int]]:
    if conf.segment_key:
        yield _SENT, _publish_sent, _SEGMENT_ROWS
        yield _SUPPRESSED, _publish_suppressed, _SEGMENT_ROWS
    yield _OPENED, _publish_opened, _GOOGLE_ROWS


def _publish(outbox: Outbox, publish: _Publish, rows: Sequence[Any]) -> None:
    left = {row.pk for row in rows}
    try:
        for pks in publish(rows):
            outbox.clear(pks)
            left -= set(pks)
    except PublishError:
        outbox.release(left)
        raise


def _publish_sent(rows: Sequence[ScheduledMessage]) -> Iterator[Collection[Any]]:
    def event(row: ScheduledMessage) -> Event:
        return email_sent(_message(row), row.user_id, row.language, row.sent_at or row.created)

    return _publish_to_segment(rows, event)


def _publish_suppressed(rows: Sequence[HoldBack]) -> Iterator[Collection[Any]]:
    return _publish_to_segment(rows, schedule_suppressed)


def _publish_to_segment(rows: Sequence[Any], event_of: Callable[[Any], Event]) -> Iterator[Collection[Any]]:
    """A row of which nothing can be told, for somebody has edited it, is left out."""
    events = []
    for row in rows:
        try:
            events.append(event_of(row))
        except Exception as error:  # noqa: BLE001 - the others are told
            log.error("Segment does not hear of %s %s: %s", row._meta.label, row.pk, redacted_traceback(error))
    if events:
        segment.send(events)
    yield [row.pk for row in rows]


def _publish_opened(rows: Sequence[ScheduledMessage]) -> Iterator[Collection[Any]]:
    """Those of a site whose property nobody can say wait for another time, and nobody waits behind them."""
    properties: dict[Site, ga4.Property | None] = {}
    with requests.Session() as session:
        for row in rows:
            try:
                if row.site not in properties:
                    properties[row.site] = ga4.property_of(site_values(get_host(), row.site))
            except (ConfigurationError, HostError) as error:
                log.warning("Google hears of the open of %s later: %s", row.pk, redacted_traceback(error))
                continue
            to, at = properties[row.site], row.opened_at
            if at is None or at < timezone.now() - ga4.MAX_AGE:
                log.warning("Google does not hear of the open of %s, which is too long ago", row.pk)
            elif to is not None:
                ga4.send_opened(session, to, _message(row), at)
            yield [row.pk]


def _message(row: ScheduledMessage) -> TrackedMessage:
    return TrackedMessage(
        app_label=row._meta.app_label,
        name=row.name,
        uuid=row.pk,
        send_uuid=row.run_id,
        site_domain=row.site.domain,
        course_ids=tuple(row.course_ids),
    )
