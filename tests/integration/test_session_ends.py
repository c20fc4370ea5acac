"""A session with the database that ends, and a database that lets nobody in: who comes next has a new connection."""

from datetime import timedelta
from functools import partial

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection
from django.utils import timezone

from schedules import api
from schedules.daily import run_daily, run_day
from schedules.models import ScheduledMessage, SendRun
from tests.failing_database import Session, refusing
from tests.world import enroll, make_course, make_learner, open_site, send_nudges

pytestmark = pytest.mark.django_db(transaction=True)

Status = ScheduledMessage.Status

LEASE_SECONDS = 60

COMMANDS = {
    "send_recurring_nudge": ("example.com",),
    "send_upgrade_reminder": ("example.com",),
    "send_course_update": ("example.com",),
    "send_messages": ("example.com", "--type=recurring_nudge"),
    "send_daily": ("--all-sites",),
    "recover_messages": (),
    "schedules_status": ("example.com",),
    "schedules_report": ("example.com",),
    "prune_messages": ("--older-than=40",),
    "preview_messages": ("--message=recurringnudge_day3", "--language=en"),
}


@pytest.fixture
def channel(email_channel, settings):
    """Two bins have learners who are due. A lease is short."""
    settings.SCHEDULES = {**settings.SCHEDULES, "LEASE_SECONDS": LEASE_SECONDS}
    open_site()
    garden = make_course(price=49)
    for number in (1, 2, 3):
        enroll(make_learner(f"learner{number}", pk=number), garden)
    return email_channel


@pytest.fixture
def session(channel, naps, monkeypatch):
    session = Session(monkeypatch)
    with connection.execute_wrapper(session):
        yield session


@pytest.fixture
def locked(session, naps):
    """A function: nobody is let in for so many seconds."""

    def lock(seconds):
        end = sum(naps) + seconds
        session.is_locked = lambda: sum(naps) < end

    return lock


def is_all_sent_once(emails):
    rows = ScheduledMessage.objects.values_list("status", flat=True)
    return list(rows) == [Status.SENT] * 3 and len({email.to[0] for email in emails}) == len(emails) == 3


def at_first(*words):
    """The first statement with these words, once a run has been opened."""
    is_open, is_over = [], []

    def ends(sql):
        if sql.startswith("INSERT") and "schedules_sendrun" in sql:
            is_open.append(sql)
        if is_open and not is_over and all(word in sql for word in words):
            is_over.append(sql)
            return True
        return False

    return ends


@pytest.mark.parametrize(
    "table",
    [
        "django_site",
        "schedules_schedule",
        "schedules_lms_siteconfiguration",
        "auth_user",
        "schedules_lms_courseenrollment",
        "schedules_lms_course",
        "schedules_optout",
        "schedules_orgdynamicupgradedeadlineconfiguration",
        "schedules_scheduleconfig",
        "schedules_channeltrouble",
        "schedules_customtext",
        "waffle_flag",
        "schedules_scheduledmessage",
    ],
)
def test_a_session_that_ends_once_costs_no_message(session, channel, table):
    session.ends = at_first(f'FROM "{table}"')
    send_nudges()
    assert session.ended == 1
    assert is_all_sent_once(channel)


def test_a_bin_that_fails_leaves_the_next_one_a_connection_that_works(session, channel, change_nudges):
    """What a message type of others asks is tried again by nobody."""
    question = "SELECT 1 AS mine"

    def ask_first(answer, bin_number):
        with connection.cursor() as cursor:
            cursor.execute(question)
        return answer(bin_number)

    change_nudges("batches", ask_first)
    session.ends = lambda sql: sql == question and not session.ended
    with pytest.raises(CommandError, match=r"^1 bins failed"):
        send_nudges()
    assert is_all_sent_once(channel)


def test_no_bin_is_tried_where_the_database_stays_away(session, channel, change_nudges, locked):
    asked = []

    def lock_out_first(answer, bin_number):
        if not asked:
            locked(3600)
            session.is_dead = True
        asked.append(bin_number)
        return answer(bin_number)

    change_nudges("batches", lock_out_first)
    with pytest.raises(CommandError, match=r"^The database cannot be used"):
        send_nudges()
    assert asked == [0]
    locked(0)
    SendRun.objects.update(leased_until=timezone.now() - timedelta(minutes=1))
    api.recover()
    assert is_all_sent_once(channel)
    assert not SendRun.objects.filter(finished_at=None).exists()


def test_what_cannot_be_read_about_a_course_fails_no_message(session, channel):
    """The table is asked outside of all gates."""
    gone = OperationalError("gone")
    with (
        refusing(gone, "schedules_orgdynamicupgradedeadlineconfiguration"),
        pytest.raises(CommandError, match="failed"),
    ):
        send_nudges()
    assert not ScheduledMessage.objects.filter(status=Status.FAILED).exists()
    SendRun.objects.update(leased_until=timezone.now() - timedelta(minutes=1))
    api.recover()
    assert is_all_sent_once(channel)


def test_a_read_only_spell_that_began_before_the_runs_ends_in_one_line(session, channel):
    with (
        refusing(OperationalError(1792, "Cannot execute in a READ ONLY transaction"), "INSERT INTO"),
        pytest.raises(CommandError, match=r"^The database cannot be used for now .*READ ONLY"),
    ):
        send_nudges()
    assert not SendRun.objects.exists()
    assert channel == []
    send_nudges()
    assert is_all_sent_once(channel)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_that_is_let_in_by_nobody_ends_in_one_line(channel, locked, naps, name):
    locked(3600)
    with pytest.raises(
        CommandError, match=r"^The database cannot be used for now \(OperationalError: .*4151.*"
    ) as said:
        call_command(name, *COMMANDS[name])
    assert "\n" not in str(said.value)
    assert sum(naps) == LEASE_SECONDS / 4
    assert channel == []


def test_a_command_waits_for_as_long_as_others_do(locked, naps, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for number, (name, options) in enumerate(COMMANDS.items(), start=1):
        locked(LEASE_SECONDS / 4)
        call_command(name, *options, verbosity=0)
        assert sum(naps) == number * LEASE_SECONDS / 4


@pytest.mark.parametrize("task", [partial(run_day, "recurring_nudge"), run_daily], ids=["run_day", "run_daily"])
def test_the_tasks_of_beat_wait_too_and_do_not_break(locked, naps, task):
    locked(3600)
    task("example.com")
    assert sum(naps) == LEASE_SECONDS / 4
    locked(2)
    task("example.com")
    assert SendRun.objects.exists()
    assert not SendRun.objects.filter(finished_at=None).exists()
