"""A database that is read-only for a while, as at a failover: everything waits, nothing is lost or doubled."""

import random
import re
import time
from datetime import timedelta

import pytest
from celery.exceptions import Retry
from django.core.management import call_command
from django.db import DataError, InternalError, connection
from django.utils import timezone
from edx_ace import delivery
from edx_ace.signals import ACE_MESSAGE_SENT

from schedules import api, ledger
from schedules.models import ChannelRate, ScheduledMessage, SendRun
from schedules.sending import ace
from schedules.values.runs import BINS
from tests.world import TODAY, enroll, make_course, make_learner, open_site, perform, why

pytestmark = pytest.mark.django_db(transaction=True)

Status = ScheduledMessage.Status

WRITES = ("INSERT", "UPDATE", "DELETE")


class ReadOnlyError(Exception):
    """What psycopg raises, as far as it matters here."""

    sqlstate = "25006"


class Database:
    """Refuses writes of some table as read-only while `refuses()` says so; `refused` are those statements.

    The clock goes on by sleeping alone.
    """

    def __init__(self, monkeypatch):
        self.seconds = 0.0
        self.refuses = lambda: False
        self.refused = []
        self.table = "schedules_"
        self.error = InternalError
        monkeypatch.setattr(time, "sleep", self.sleep)
        monkeypatch.setattr(time, "monotonic", lambda: self.seconds)

    def sleep(self, seconds):
        self.seconds += seconds

    def away_for(self, seconds):
        end = self.seconds + seconds
        self.refuses = lambda: self.seconds < end

    def __call__(self, execute, sql, params, many, context):
        if sql.startswith(WRITES) and self.table in sql and self.refuses():
            self.refused.append(sql)
            raise self.error("cannot execute in a read-only transaction") from ReadOnlyError()
        return execute(sql, params, many, context)


@pytest.fixture
def database(monkeypatch):
    fake = Database(monkeypatch)
    with connection.execute_wrapper(fake):
        yield fake


@pytest.fixture
def channel(email_channel, monkeypatch):
    """A channel that calls its `at_hand_over` before it takes a message, and its `at_yes` right after."""
    send = ace.ace.send
    email_channel.at_hand_over = email_channel.at_yes = lambda: None

    def take(message):
        email_channel.at_hand_over()
        send(message)
        email_channel.at_yes()

    monkeypatch.setattr(ace.ace, "send", take)
    # edx-ace gives up a message that is seconds old; here it does not, however slow the machine.
    monkeypatch.setattr(delivery, "get_current_time", lambda: timezone.now() - timedelta(hours=1))
    return email_channel


class Outbox(list):
    """pytest-django's outbox is a list; this one can carry functions too."""


@pytest.fixture
def mailoutbox(mailoutbox, monkeypatch):
    from django.core import mail

    outbox = Outbox(mailoutbox)
    monkeypatch.setattr(mail, "outbox", outbox)
    return outbox


@pytest.fixture(autouse=True)
def _school(settings):
    """Three learners are due, in one batch. A lease is short, so that what outlives it is soon done."""
    settings.SCHEDULES = {**settings.SCHEDULES, "LEASE_SECONDS": 60}
    open_site()
    garden = make_course()
    for number in range(1, 4):
        enroll(make_learner(f"learner{number}", pk=24 * number), garden)


def send():
    call_command("send_recurring_nudge", "example.com", date=TODAY.isoformat(), verbosity=0)


def let_leases_run_out():
    for rows in (ScheduledMessage.objects, SendRun.objects):
        rows.update(leased_until=timezone.now() - timedelta(minutes=1))


def statuses():
    return sorted(ScheduledMessage.objects.values_list("status", flat=True))


def is_all_sent_once(emails):
    ids = {email.extra_headers["Message-ID"] for email in emails}
    return statuses() == [Status.SENT] * 3 and len(emails) == len(ids) == 3


@pytest.mark.parametrize("seconds", [4, 90], ids=["a failover", "longer than a lease"])
def test_what_a_channel_took_is_recorded_however_long_the_database_is_read_only(database, channel, seconds):
    channel.at_yes = lambda: database.away_for(seconds)
    send()
    for _ in range(3):  # a batch that took so long has given back what was left
        api.recover()
    assert is_all_sent_once(channel)
    assert len(database.refused) >= 3 * seconds
    assert not SendRun.objects.filter(finished_at=None).exists()


def test_after_its_useful_life_nobody_would_send_it_again_so_nobody_waits(database, channel):
    database.table = ScheduledMessage._meta.db_table
    channel.at_yes = lambda: database.away_for(86400)
    begun = timezone.now() - timedelta(days=ledger.MESSAGE_TTL_DAYS, minutes=-15)
    api.enqueue_day("recurring_nudge", api.find_site("example.com"), TODAY, now=begun)
    assert len(channel) == 1
    assert 0 < database.seconds < 16 * 60


def test_nothing_is_handed_over_that_could_not_be_recorded(database, channel, change_nudges):
    """The database is away right before the hand-over, and for longer than anybody waits for that."""
    database.table = ScheduledMessage._meta.db_table
    losses = [3600]

    def lose_the_database_once(answer, courses):
        if losses:
            database.away_for(losses.pop())
        return answer(courses)

    change_nudges("context", lose_the_database_once)
    with pytest.raises(Exception, match="bins failed"):
        send()
    assert channel == []
    database.refuses = lambda: False
    let_leases_run_out()
    api.recover()
    assert is_all_sent_once(channel)


@pytest.mark.all_bins
def test_a_whole_day_gets_through_though_every_other_write_is_refused(database, channel):
    chance = random.Random(9)  # noqa: S311 - to be repeated, nothing secret
    database.refuses = lambda: chance.random() < 0.5
    send()
    assert is_all_sent_once(channel)
    assert all(sorted(map(int, run.counts["bins"])) == list(range(BINS)) for run in SendRun.objects.all())
    assert not SendRun.objects.filter(finished_at=None).exists()
    assert len(database.refused) > BINS


def test_messages_are_recovered_once_the_database_takes_them(database, channel):
    channel.at_hand_over = _die
    with pytest.raises(KeyboardInterrupt):
        send()
    channel.at_hand_over = lambda: None
    let_leases_run_out()
    database.away_for(10)
    api.recover()
    assert is_all_sent_once(channel)


def _die():
    raise KeyboardInterrupt


def test_the_rate_limit_waits_too_and_costs_nobody_a_try(database, channel, settings):
    settings.SCHEDULES = {**settings.SCHEDULES, "MESSAGES_PER_SECOND": {"django_email": 100}, "RETRY_ATTEMPTS": 1}
    database.table = ChannelRate._meta.db_table
    database.refuses = lambda: len(database.refused) < 3
    send()
    assert statuses() == [Status.CLAIMED] * 3
    assert {(why(row), row.attempts) for row in ScheduledMessage.objects.all()} == {
        ("internal-error: InternalError", 0)
    }
    ScheduledMessage.objects.update(due_at=timezone.now(), leased_until=timezone.now() - timedelta(minutes=1))
    api.recover()
    assert is_all_sent_once(channel)


@pytest.mark.parametrize("stage", ["context", "policy"])
def test_a_question_to_a_database_that_is_away_makes_no_failure(database, channel, change_nudges, stage):
    def be_away(*_):
        raise InternalError("cannot execute in a read-only transaction") from ReadOnlyError()

    if stage == "context":
        change_nudges("context", be_away)
    else:
        channel.at_hand_over = be_away
    send()
    assert statuses() == [Status.CLAIMED] * 3


def test_whoever_is_told_that_it_was_sent_and_cannot_write_that_down_changes_nothing(database, channel):
    """A host that keeps a diary, in a database that turns read-only after the channel's yes."""

    def keep_a_diary(**_):
        raise InternalError("cannot execute in a read-only transaction") from ReadOnlyError()

    ACE_MESSAGE_SENT.receivers.insert(0, ((id(keep_a_diary), 0), keep_a_diary, False))
    ACE_MESSAGE_SENT.sender_receivers_cache.clear()
    try:
        send()
    finally:
        ACE_MESSAGE_SENT.disconnect(keep_a_diary)
    assert is_all_sent_once(channel)


def test_a_record_that_no_waiting_mends_is_told_at_once(database, channel):
    database.table = ScheduledMessage._meta.db_table
    channel.at_yes = lambda: database.away_for(3600)
    database.error = DataError
    ReadOnlyError.sqlstate, kept = "22001", ReadOnlyError.sqlstate
    try:
        with pytest.raises(Exception, match="bins failed"):
            send()
    finally:
        ReadOnlyError.sqlstate = kept
    assert len(database.refused) == 1


def test_a_click_is_noted_later_and_the_visitor_notices_nothing(database, channel, client, request):
    send()
    broker = request.getfixturevalue("broker")  # from here on; until here all was done at once
    link = re.search(r"https://example.com(/schedules/click/[^\s\"]+)", channel[0].body)[1]
    uuid = channel[0].extra_headers["Message-ID"][1:37]
    before = timezone.now()
    database.refuses = lambda: True
    assert client.get(link, headers={"host": "example.com"}).status_code == 302
    after = timezone.now()
    ((name, arguments),) = broker()
    assert name == "schedules.tasks.note_reaction"
    with pytest.raises(Retry):
        perform([(name, arguments)])  # the database is still away
    database.refuses = lambda: False
    perform([(name, arguments)])
    assert before <= ScheduledMessage.objects.get(pk=uuid).clicked_at <= after
    assert broker() == []
