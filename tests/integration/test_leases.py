"""A worker whose lease ran out comes back: what it says counts only if it sent the message."""

from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from django.utils import timezone

from schedules import api, delivering, ledger
from schedules.data import BINS, Outcome, OutcomeStatus, Run
from schedules.exceptions import DeliveryError
from schedules.ledger import Entry
from schedules.models import ScheduledMessage, SendRun
from tests.world import TODAY, enroll, make_course, make_learner, open_site

pytestmark = pytest.mark.django_db

Status = ScheduledMessage.Status
NOW = timezone.now()
LATER = NOW + timedelta(hours=1)  # the first lease has run out
END = LATER + timedelta(seconds=30)

SENT = Outcome(status=OutcomeStatus.SENT, channel="schedules_email", language="en")
FAILED = Outcome(status=OutcomeStatus.FAILED, reason="channel-refused", detail="550 no")
SKIPPED = Outcome(status=OutcomeStatus.SKIPPED, reason="expired")
RETRY = Outcome(status=OutcomeStatus.RETRY, reason="channel-refused", retry_at=END + timedelta(minutes=1))
TURN_LATER = Outcome(
    status=OutcomeStatus.RETRY, reason="channel-refused", retry_at=END + timedelta(minutes=1), was_tried=False
)
NOT_SENT = [FAILED, SKIPPED, RETRY, TURN_LATER]


def name_of(what):
    """A test's name, the same in each process that collects it: an outcome's own text holds the time."""
    if isinstance(what, Outcome):
        return what.status.value if what.was_tried else "turn later"
    return str(what)


@pytest.fixture
def run():
    run = Run(message_type="recurring_nudge", site_id=open_site().pk, today=TODAY, day_offset=-3, uuid=uuid4())
    ledger.open_run(run, NOW)
    return run


@pytest.fixture
def uuid(run):
    """A message that was claimed."""
    uuid = UUID(int=1)
    entry = Entry(
        uuid=uuid, user_id=make_learner().pk, schedule_id=None, name="recurringnudge_day3", course_ids=("course",)
    )
    assert ledger.claim(run, [entry], NOW) == {uuid}
    return uuid


def lease(uuid, now):
    (row,) = ledger.lease([uuid], now)
    return row


def stored():
    return ScheduledMessage.objects.values().get()


def settle(row, outcome, now=END):
    ledger.record([row.pk], outcome, now, row.leased_until)


def take_over(uuid, run, way):
    """How others come to hold a message whose lease ran out."""
    if way == "recover":
        assert len(ledger.take_over(LATER, 10)) == 1
    else:
        user_id = ScheduledMessage.objects.get().user_id
        entry = Entry(uuid=uuid, user_id=user_id, schedule_id=None, name="recurringnudge_day3", course_ids=("course",))
        assert ledger.claim(run, [entry], LATER) == {uuid}


@pytest.mark.parametrize("outcome", [SENT, *NOT_SENT], ids=name_of)
def test_while_nobody_took_it_over_the_holder_is_believed_though_its_lease_ran_out(uuid, outcome):
    settle(lease(uuid, NOW), outcome)
    is_retry = outcome.status == OutcomeStatus.RETRY
    assert stored()["status"] == (Status.CLAIMED if is_retry else outcome.status)
    assert stored()["attempts"] == int(outcome.was_tried)


@pytest.mark.parametrize("ours", NOT_SENT, ids=name_of)
@pytest.mark.parametrize("theirs", [None, "leased", SENT, *NOT_SENT], ids=name_of)
@pytest.mark.parametrize("way", ["recover", "run again"])
def test_whoever_took_it_over_is_not_overruled(uuid, run, way, theirs, ours):
    stale = lease(uuid, NOW)
    take_over(uuid, run, way)
    if theirs is not None:  # null: it waits in the queue
        holder = lease(uuid, LATER)
        if theirs != "leased":
            settle(holder, theirs)
    before = stored()
    settle(stale, ours)
    ledger.give_back([stale], END)
    assert stored() == before


@pytest.mark.parametrize("theirs", [None, "leased", *NOT_SENT], ids=name_of)
@pytest.mark.parametrize("way", ["recover", "run again"])
def test_what_was_sent_is_sent_however_late_that_is_heard(uuid, run, way, theirs):
    stale = lease(uuid, NOW)
    take_over(uuid, run, way)
    if theirs is not None:
        holder = lease(uuid, LATER)
        if theirs != "leased":
            settle(holder, theirs)
    settle(stale, SENT)
    row = stored()
    assert (row["status"], row["reason"], row["sent_at"]) == (Status.SENT, "", END)
    assert (row["due_at"], row["leased_until"]) == (None, None)
    if theirs == "leased":  # and what the holder finds afterwards changes nothing
        for outcome in (*NOT_SENT, SENT):
            settle(holder, outcome, END + timedelta(seconds=1))
    assert stored() == row
    assert ledger.take_over(END + timedelta(days=1), 10) == []


def test_a_run_that_is_finished_counts_what_is_heard_late(uuid, run):
    stale = lease(uuid, NOW)
    take_over(uuid, run, "recover")
    settle(lease(uuid, LATER), FAILED)
    for bin_number in range(BINS):
        ledger.record_bin(run, bin_number, int(bin_number == 0))
    ledger.settle(run, END)
    assert SendRun.objects.get().counts["failed"] == {"channel-refused": 1}
    settle(stale, SENT)
    ledger.settle(run, END + timedelta(minutes=1))
    row = SendRun.objects.get()
    assert (row.counts["sent"], row.counts["failed"], row.finished_at) == (1, {}, END)


def test_a_run_that_decides_late_does_not_settle_what_a_worker_holds(uuid):
    row = lease(uuid, NOW)
    ledger.record([uuid], SKIPPED, NOW)
    assert stored()["status"] == Status.DELIVERING
    settle(row, SENT)
    assert stored()["status"] == Status.SENT


def test_a_batch_gives_back_what_it_holds_and_nothing_else(uuid):
    ledger.give_back([lease(uuid, NOW)], END)
    assert (stored()["status"], stored()["attempts"], stored()["leased_until"]) == (Status.CLAIMED, 0, END)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [(None, (Status.SENT, "")), (DeliveryError("channel-refused", "550 no"), (Status.SENT, ""))],
    ids=["sent as well", "refused"],
)
def test_a_worker_that_slept_through_its_lease_changes_nothing(email_channel, monkeypatch, answer, expected):
    """Its machine was suspended while it sent; another worker took the message over, and sent it."""
    open_site()
    enroll(make_learner(), make_course())
    send, sleepers = delivering.ace.send, [answer]

    def sleep_and_answer(message):
        if not sleepers:
            return send(message)
        answer = sleepers.pop()
        ScheduledMessage.objects.update(leased_until=timezone.now() - timedelta(seconds=1))
        api.recover()
        assert stored()["status"] == Status.SENT
        if answer is not None:
            raise answer
        return send(message)

    monkeypatch.setattr(delivering.ace, "send", sleep_and_answer)
    reports = api.enqueue_day("recurring_nudge", api.find_site("example.com"), TODAY, now=timezone.now())
    assert (stored()["status"], stored()["reason"]) == expected
    assert stored()["attempts"] == 2
    assert len({email.extra_headers["Message-ID"] for email in email_channel}) == 1
    assert api.is_finished(reports)
    assert sum(report.totals.sent for report in reports) == 1
