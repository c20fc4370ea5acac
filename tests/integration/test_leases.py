"""A worker whose lease ran out comes back: what it says counts only if it sent the message, and it sends no other."""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from django.utils import timezone
from edx_ace import delivery

from schedules import api, ledger
from schedules.exceptions import DeliveryError
from schedules.ledger import Entry, runs
from schedules.models import ScheduledMessage, SendRun
from schedules.sending import ace
from schedules.values.outcomes import Outcome, OutcomeStatus
from schedules.values.runs import BINS, Run
from tests.world import TODAY, enroll, make_course, make_learner, open_site

pytestmark = pytest.mark.django_db

Status = ScheduledMessage.Status
NOW = timezone.now()
LATER = NOW + timedelta(hours=1)  # the first lease has run out
END = LATER + timedelta(seconds=30)

SENT = Outcome(status=OutcomeStatus.SENT, channel="schedules_email", language="en")
FAILED = Outcome(status=OutcomeStatus.FAILED, reason="channel-refused", detail=(("answer", "550 no"),))
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


def finalize(row, outcome, now=END):
    ledger.record([row.pk], outcome, now, row.lease)


def reclaim(uuid, run, way):
    """How others come to hold a message whose lease ran out."""
    if way == "recover":
        assert len(ledger.reclaim(LATER, 10)) == 1
    else:
        user_id = ScheduledMessage.objects.get().user_id
        entry = Entry(uuid=uuid, user_id=user_id, schedule_id=None, name="recurringnudge_day3", course_ids=("course",))
        assert ledger.claim(run, [entry], LATER) == {uuid}


@pytest.mark.parametrize("outcome", [SENT, *NOT_SENT], ids=name_of)
def test_while_nobody_took_it_over_the_holder_is_believed_though_its_lease_ran_out(uuid, outcome):
    finalize(lease(uuid, NOW), outcome)
    is_retry = outcome.status == OutcomeStatus.RETRY
    assert stored()["status"] == (Status.CLAIMED if is_retry else outcome.status)
    assert stored()["attempts"] == int(outcome.was_tried)


@pytest.mark.parametrize("ours", NOT_SENT, ids=name_of)
@pytest.mark.parametrize("theirs", [None, "leased", SENT, *NOT_SENT], ids=name_of)
@pytest.mark.parametrize("way", ["recover", "run again"])
def test_whoever_took_it_over_is_not_overruled(uuid, run, way, theirs, ours):
    stale = lease(uuid, NOW)
    reclaim(uuid, run, way)
    if theirs is not None:  # `None`: it waits in the queue
        holder = lease(uuid, LATER)
        if theirs != "leased":
            finalize(holder, theirs)
    before = stored()
    finalize(stale, ours)
    ledger.release([stale], END)
    assert stored() == before


@pytest.mark.parametrize("theirs", [None, "leased", *NOT_SENT], ids=name_of)
@pytest.mark.parametrize("way", ["recover", "run again"])
def test_what_was_sent_is_sent_however_late_that_is_heard(uuid, run, way, theirs):
    stale = lease(uuid, NOW)
    reclaim(uuid, run, way)
    if theirs is not None:
        holder = lease(uuid, LATER)
        if theirs != "leased":
            finalize(holder, theirs)
    finalize(stale, SENT)
    row = stored()
    assert (row["status"], row["reason"], row["sent_at"]) == (Status.SENT, "", END)
    assert (row["due_at"], row["leased_until"]) == (None, None)
    if theirs == "leased":  # and what the holder finds afterwards changes nothing
        for outcome in (*NOT_SENT, SENT):
            finalize(holder, outcome, END + timedelta(seconds=1))
    assert stored() == row
    assert ledger.reclaim(END + timedelta(days=1), 10) == []


@pytest.mark.all_bins
def test_a_run_that_is_finished_counts_what_is_heard_late(uuid, run):
    stale = lease(uuid, NOW)
    reclaim(uuid, run, "recover")
    finalize(lease(uuid, LATER), FAILED)
    for bin_number in range(BINS):
        ledger.record_bin(run, bin_number, int(bin_number == 0))
    ledger.finalize(run, END)
    assert SendRun.objects.get().counts["failed"] == {"channel-refused": 1}
    finalize(stale, SENT)
    ledger.finalize(run, END + timedelta(minutes=1))
    row = SendRun.objects.get()
    assert (row.counts["sent"], row.counts["failed"], row.finished_at) == (1, {}, END)


def test_a_run_that_decides_late_does_not_finalize_what_a_worker_holds(uuid):
    row = lease(uuid, NOW)
    ledger.record([uuid], SKIPPED, NOW)
    assert stored()["status"] == Status.DELIVERING
    finalize(row, SENT)
    assert stored()["status"] == Status.SENT


def test_a_batch_gives_back_what_it_holds_and_nothing_else(uuid):
    ledger.release([lease(uuid, NOW)], END)
    assert (stored()["status"], stored()["attempts"], stored()["leased_until"]) == (Status.CLAIMED, 0, END)


def be_patient(monkeypatch):
    """edx-ace gives up a message that is seconds old; here it does not, however slow the machine."""
    monkeypatch.setattr(delivery, "get_current_time", lambda: NOW - timedelta(hours=1))


@pytest.mark.parametrize(
    ("answer", "expected"),
    [(None, (Status.SENT, "")), (DeliveryError("channel-refused", "550 no"), (Status.SENT, ""))],
    ids=["sent as well", "refused"],
)
def test_a_worker_that_slept_through_its_lease_changes_nothing(email_channel, monkeypatch, answer, expected):
    """Its machine was suspended while it sent; another worker took the message over, and sent it."""
    open_site()
    enroll(make_learner(), make_course())
    send, sleepers = ace.ace.send, [answer]

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

    monkeypatch.setattr(ace.ace, "send", sleep_and_answer)
    be_patient(monkeypatch)
    reports = api.enqueue_day("recurring_nudge", api.find_site("example.com"), TODAY, now=timezone.now())
    assert (stored()["status"], stored()["reason"]) == expected
    assert stored()["attempts"] == 2
    assert len({email.extra_headers["Message-ID"] for email in email_channel}) == 1
    assert api.is_finished(reports)
    assert sum(report.totals.sent for report in reports) == 1


class Suspended:
    """A channel that lets others act in the middle of the first hand-over."""

    def __init__(self, monkeypatch):
        self.send, self.meanwhile = ace.ace.send, None
        be_patient(monkeypatch)
        monkeypatch.setattr(ace.ace, "send", self)

    def __call__(self, message):
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile:
            meanwhile()
        return self.send(message)


@pytest.fixture
def suspended(email_channel, monkeypatch):
    """Five learners are due, in one batch."""
    open_site()
    garden = make_course()
    for number in range(1, 6):
        enroll(make_learner(f"learner{number}", pk=24 * number), garden)
    return Suspended(monkeypatch)


def send_nudges():
    return api.enqueue_day("recurring_nudge", api.find_site("example.com"), TODAY, now=timezone.now())


def let_leases_run_out():
    ScheduledMessage.objects.filter(status=Status.DELIVERING).update(leased_until=timezone.now() - timedelta(seconds=1))


def statuses():
    return sorted(ScheduledMessage.objects.values_list("status", flat=True))


def copies(emails):
    return len(emails) - len({email.extra_headers["Message-ID"] for email in emails})


@pytest.fixture
def clock(monkeypatch):
    """A function that sets the clock of whoever acts next, by so many minutes before or after the right one."""
    right = timezone.now

    def go(minutes):
        monkeypatch.setattr(timezone, "now", lambda: right() + timedelta(minutes=minutes))

    return go


def test_a_worker_that_was_overtaken_sends_no_more_than_what_it_was_sending(suspended, email_channel):
    def wake_up_late():
        let_leases_run_out()
        api.recover()
        assert statuses() == [Status.SENT] * 5

    suspended.meanwhile = wake_up_late
    reports = send_nudges()
    assert copies(email_channel) == 1
    assert len(email_channel) == 6
    assert statuses() == [Status.SENT] * 5
    assert api.is_finished(reports)
    assert sum(report.totals.sent for report in reports) == 5


def test_a_worker_that_was_overtaken_gives_back_nothing_that_others_hold(suspended, email_channel):
    def be_overtaken():
        let_leases_run_out()
        taken = ledger.reclaim(timezone.now(), 10)
        holders.extend(ledger.lease([row.pk for row in taken], timezone.now()))

    holders = []
    suspended.meanwhile = be_overtaken
    send_nudges()
    assert len(email_channel) == 1
    assert statuses() == [Status.DELIVERING] * 4 + [Status.SENT]
    assert {row.lease for row in ScheduledMessage.objects.filter(status=Status.DELIVERING)} == {holders[0].lease}


def test_a_worker_that_was_overtaken_at_some_messages_gives_back_the_rest(suspended, email_channel):
    def lose_one():
        second = ScheduledMessage.objects.filter(status=Status.DELIVERING).order_by("user_id")[1]
        ScheduledMessage.objects.filter(pk=second.pk).update(lease=uuid4())

    suspended.meanwhile = lose_one
    send_nudges()
    assert statuses() == [Status.CLAIMED] * 3 + [Status.DELIVERING] + [Status.SENT]
    assert set(ScheduledMessage.objects.filter(status=Status.CLAIMED).values_list("attempts", flat=True)) == {0}


@pytest.mark.parametrize("minutes", [20, -20])
@pytest.mark.parametrize("others", [api.recover, send_nudges], ids=["recovers", "runs the day again"])
def test_a_host_whose_clock_is_wrong_takes_nothing_from_who_holds_it(suspended, email_channel, clock, others, minutes):
    def meanwhile():
        clock(minutes)
        others()
        clock(0)

    suspended.meanwhile = meanwhile
    send_nudges()
    assert statuses() == [Status.SENT] * 5
    assert len(email_channel) == 5


@pytest.mark.parametrize("minutes", [20, -20])
def test_a_worker_whose_clock_is_wrong_holds_what_it_leased(suspended, email_channel, clock, minutes):
    def meanwhile():
        clock(0)
        api.recover()
        send_nudges()
        clock(minutes)

    suspended.meanwhile = meanwhile
    clock(minutes)
    send_nudges()
    assert statuses() == [Status.SENT] * 5
    assert len(email_channel) == 5


def test_of_two_leases_that_end_at_the_same_instant_each_is_its_holders(uuid, run):
    first = lease(uuid, NOW)
    reclaim(uuid, run, "recover")
    second = lease(uuid, NOW)
    assert not ledger.confirm(first, NOW)
    finalize(first, FAILED)
    ledger.release([first], END)
    assert ledger.confirm(second, NOW)
    assert stored()["status"] == Status.DELIVERING


def test_the_lease_begins_anew_with_each_hand_over(uuid):
    row = lease(uuid, NOW)
    assert ledger.confirm(row, LATER)
    assert ledger.reclaim(LATER + timedelta(minutes=1), 10) == []


def test_a_retry_is_ready_at_the_very_instant_at_which_it_is_due(uuid):
    finalize(lease(uuid, NOW), RETRY)
    assert ledger.lease([uuid], RETRY.retry_at - timedelta(microseconds=1)) == []
    assert [row.pk for row in ledger.lease([uuid], RETRY.retry_at)] == [uuid]


def test_a_message_that_is_taken_up_again_begins_with_a_clean_record(uuid, run):
    finalize(lease(uuid, NOW), replace(FAILED, is_known=False))
    assert (stored()["attempts"], stored()["unknown_faults"], stored()["reason"] != "") == (1, 1, True)
    reclaim(uuid, run, "run")
    clean = {"status": Status.CLAIMED, "reason": "", "attempts": 0, "unknown_faults": 0, "due_at": None, "lease": None}
    assert {name: stored()[name] for name in clean} == clean


def test_what_was_left_longest_is_taken_over_first(uuid, run):
    other = Entry(
        uuid=UUID(int=2), user_id=make_learner("bob").pk, schedule_id=None, name="recurringnudge_day3", course_ids=()
    )
    ledger.claim(run, [other], NOW - timedelta(seconds=1))
    assert [row.pk for _ in range(2) for row in ledger.reclaim(LATER, 1)] == [other.uuid, uuid]


def test_bins_are_taken_over_of_runs_begun_at_the_oldest_instant_and_since(run):
    assert ledger.reclaim_bins(LATER, oldest=NOW + timedelta(microseconds=1)) == []
    ((row, bins),) = ledger.reclaim_bins(LATER, oldest=NOW)
    assert (row.pk, bins) == (run.uuid, list(range(runs.BINS)))


def test_a_learner_who_was_erased_in_the_meantime_is_not_written_to(suspended, email_channel):
    suspended.meanwhile = lambda: api.learner_erased(48)
    send_nudges()
    let_leases_run_out()
    api.recover()
    send_nudges()
    assert {email.to[0] for email in email_channel} == {f"learner{n}@learners.example.com" for n in (1, 3, 4, 5)}
    assert copies(email_channel) == 0
