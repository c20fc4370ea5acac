"""Trouble with a channel, or with a sender, is everybody's: one worker tries again now and then, the others wait.

A password that is refused is refused for each message, and servers lock out who tries too often. So the first who
meets trouble says so in the database. Whoever comes by when its time is over takes the one trial by an `UPDATE`; what
comes of it ends the trouble, or makes the next interval longer. Where hosts' clocks differ, trials come sooner or later
than they should, and yet one at a time.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from uuid import UUID

from django.db import Error, router
from django.db.models import QuerySet

from schedules import ledger
from schedules.conf import conf
from schedules.database.transient import is_transient, outlasting
from schedules.exceptions import ChannelUnavailable, DeliveryError, OptedOut, RateLimited
from schedules.models import ChannelTrouble, ScheduledMessage
from schedules.sending.refusals import Refusals, same_words
from schedules.values.outcomes import FailReason

log = logging.getLogger(__name__)

MAX_WAIT_SECONDS = 3600

#: Who asks for more patience than this is not believed.
MAX_BLOCK = timedelta(days=1)

#: So many in a row that a channel may be to blame for are blamed on it.
MAX_DOUBTS = 3

#: `site_id` of what every site meets.
EVERY_SITE = 0

_ANSWER_LENGTH = ChannelTrouble._meta.get_field("answer").max_length or 0


def growing_wait(failures: int) -> timedelta:
    """How long to wait after so many failures in a row: twice as long each time, an hour at most."""
    return timedelta(seconds=min(conf.retry_seconds * 2 ** min(failures - 1, 20), MAX_WAIT_SECONDS))


def allow_trial(channel: str, now: datetime) -> None:
    """Somebody mended it, perhaps, and asks: the next message is the trial."""
    _rows(channel).filter(blocked_until__gt=now).update(blocked_until=now)


class ChannelWatch:
    """What one batch, of one site, knows of its channel's trouble; read once.

    `is_urgent`: somebody waits for the one message, so it is tried whatever is known.
    """

    def __init__(self, channel: str, site_id: int, *, is_urgent: bool = False) -> None:
        self._channel, self._site_id, self._is_urgent = channel, site_id, is_urgent
        self._troubles = self._read()
        self._claimed: set[int] = set()
        self._doubt_count = 0
        self._has_sent = False
        self._refusals = Refusals(site_id)
        self._reopened = 0

    @property
    def is_troubled(self) -> bool:
        """Whether what is handed over next is a trial."""
        return bool(self._troubles)

    def take_reopened(self) -> int:
        """How many of the run's messages wait again that had failed, since this was asked last: no fault of theirs."""
        reopened, self._reopened = self._reopened, 0
        return reopened

    def blocked(self, now: datetime) -> ChannelUnavailable | None:
        """Why messages have to wait, and until when; `None` where nothing is known to be wrong, or a trial is due."""
        waiting = [row for row in self._troubles if row.blocked_until > now and row.pk not in self._claimed]
        if self._is_urgent or not waiting:
            return None
        last = max(waiting, key=lambda row: row.blocked_until)
        # Not all at the same moment, of whom one alone could make the trial.
        spread = growing_wait(last.failed_trials) * random.uniform(0, 0.25)  # noqa: S311 - it is no secret
        return ChannelUnavailable(FailReason(last.reason), last.answer, retry_at=last.blocked_until + spread)

    @contextmanager
    def handing_over(self, now: datetime, message: ScheduledMessage | None = None) -> Iterator[None]:
        """Around each hand-over to the channel: hears what comes of it, and tells the other workers.

        `message`: as the ledger has it; `None` for a test. Raises `ChannelUnavailable` where the channel cannot be
        used, be it that nothing was tried; and what is raised within.
        """
        self._claim(now)
        try:
            yield
        except ChannelUnavailable as error:
            if self._has_sent and error.otherwise is not None:
                raise self._refused(error.otherwise, message, now) from error
            raise self._block(error, now) from error
        except DeliveryError as error:
            if (found := self._refused(error, message, now)) is not error:
                raise found from error
            raise
        except OptedOut:
            self._end()
            raise
        self._doubt_count = 0
        self._has_sent = True
        self._refusals.forget()
        self._end()

    def _refused(self, error: DeliveryError, message: ScheduledMessage | None, now: datetime) -> DeliveryError:
        """What a refusal means after those before it: one message's fault, or the channel's trouble after all."""
        self._doubt_count = self._doubt_count + 1 if error.is_doubtful else 0
        if self._doubt_count >= MAX_DOUBTS:
            return self._block(ChannelUnavailable(error.reason, error.detail, retry_at=error.retry_at), now)
        if error.reason != FailReason.CHANNEL_REFUSED or error.is_doubtful:
            return error
        if message is not None and not error.is_temporary and not error.is_recipients:
            if self._is_known(error):
                return self._block(ChannelUnavailable(error.reason, error.detail, is_senders=True), now)
            if alike := self._refusals.add(message, error.detail, now):
                return self._refused_alike(error, alike, message.run_id, now)
        self._end(only={EVERY_SITE})  # it spoke with us; what it holds against the sender is not known yet
        return error

    def _is_known(self, error: DeliveryError) -> bool:
        """Whether this is a trial, and was answered as the one before."""
        trials = [row for row in self._troubles if row.pk in self._claimed]
        return any(same_words(row.answer) == same_words(error.detail) for row in trials)

    def _refused_alike(
        self, error: DeliveryError, alike: Collection[UUID], run_id: UUID, now: datetime
    ) -> ChannelUnavailable:
        """Several learners in a row were told the same: it is this site's trouble, and they wait with the others."""
        found = self._block(ChannelUnavailable(error.reason, error.detail, is_senders=True), now)
        self._reopened += ledger.reopen(alike, found.retry_at or now, run_id)
        self._refusals.forget()
        return found

    def _claim(self, now: datetime) -> None:
        """Take the trials that are due; whose we cannot get is somebody else's, and we wait for what they find."""
        if error := self.blocked(now):
            raise error
        for trouble in [trouble for trouble in self._troubles if trouble.pk not in self._claimed]:
            row = _rows(self._channel).filter(pk=trouble.pk)
            due = row if self._is_urgent else row.filter(blocked_until__lte=now)
            try:
                if due.update(blocked_until=now + growing_wait(trouble.failed_trials + 1)):
                    self._claimed.add(trouble.pk)
            except Error as fault:
                if not is_transient(fault):
                    raise
                raise RateLimited(FailReason.INTERNAL_ERROR, type(fault).__name__, is_temporary=True) from fault
        if any(trouble.pk not in self._claimed for trouble in self._troubles):
            self._troubles = self._read()
            if error := self.blocked(now):
                raise error

    def _block(self, error: ChannelUnavailable, now: datetime) -> ChannelUnavailable:
        """Tell the others, and say until when this message has to wait. Whoever made the trial makes the wait grow."""
        site_id = self._site_id if error.is_senders else EVERY_SITE
        columns = {"reason": str(error.reason), "answer": error.detail[:_ANSWER_LENGTH]}
        if error.is_senders:  # who looks at the sender has let us in
            self._end(only={EVERY_SITE})
        known = next((row for row in self._troubles if row.site_id == site_id and row.pk in self._claimed), None)
        failures = known.failed_trials + 1 if known else 1
        until = max(now + growing_wait(failures), min(error.retry_at or now, now + MAX_BLOCK))
        row = ChannelTrouble(
            channel=self._channel,
            site_id=site_id,
            **columns,
            since=now,
            blocked_until=until,
            failed_trials=failures,
        )

        def keep() -> None:
            if known:
                _rows(self._channel).filter(pk=known.pk).update(**columns, blocked_until=until, failed_trials=failures)
            else:
                _rows(self._channel).bulk_create([row], ignore_conflicts=True)
                _rows(self._channel).filter(site_id=site_id, blocked_until__lte=now).update(
                    **columns, blocked_until=until
                )
            self._troubles = self._read()

        try:
            outlasting(keep)()
        except Error as fault:  # the message waits all the same; the others find out for themselves
            log.warning("A channel's trouble could not be kept: %s", type(fault).__name__)
            self._troubles = [row]
        self._claimed.clear()
        self._is_urgent = False
        return self.blocked(now) or ChannelUnavailable(error.reason, error.detail, retry_at=until)

    def _end(self, only: Collection[int] = ()) -> None:
        """The trial went well: the trouble is over, for everybody. `only`: that of these `site_id`s."""
        over = {row.pk for row in self._troubles if row.pk in self._claimed and (not only or row.site_id in only)}
        if not over:
            return
        try:
            _rows(self._channel).filter(pk__in=over).delete()
        except Error as fault:  # what was sent was sent; the next trial ends it
            log.warning("A channel's trouble is over, which could not be kept: %s", type(fault).__name__)
        self._troubles = [row for row in self._troubles if row.pk not in over]
        self._claimed -= over

    def _read(self) -> list[ChannelTrouble]:
        return list(_rows(self._channel).filter(site_id__in=(EVERY_SITE, self._site_id)))


def _rows(channel: str) -> QuerySet[ChannelTrouble]:
    """Never those of a replica, which may hear of it later."""
    return ChannelTrouble.objects.using(router.db_for_write(ChannelTrouble)).filter(channel=channel)
