"""What is tried again, when, and for how long; and what is taken over from who died."""

import time
from contextlib import suppress
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import InterfaceError, OperationalError
from django.utils import timezone
from kombu import Producer
from kombu.exceptions import OperationalError as BrokerError
from requests import HTTPError

from schedules import api, ledger
from schedules.exceptions import DeliveryError, HostError
from schedules.models import ChannelRate, ScheduledMessage, SendRun
from schedules.sending import ace
from tests.failing_database import refusing
from tests.world import TODAY, enroll, make_course, make_learner, open_site, perform, why

pytestmark = pytest.mark.django_db

Status = ScheduledMessage.Status


@pytest.fixture
def channel(email_channel, monkeypatch):
    """A channel that refuses as often as its list of errors says, and then takes everything."""
    errors = []
    send = ace.ace.send

    def refuse_or_send(message):
        if errors:
            raise errors.pop(0)
        send(message)

    monkeypatch.setattr(ace.ace, "send", refuse_or_send)
    email_channel.errors = errors
    return email_channel


class Outbox(list):
    """pytest-django's outbox is a list; this one can carry errors too."""


@pytest.fixture
def mailoutbox(mailoutbox, monkeypatch):
    from django.core import mail

    outbox = Outbox(mailoutbox)
    monkeypatch.setattr(mail, "outbox", outbox)
    return outbox


def busy(**fields):
    return DeliveryError("channel-refused", "451 busy", is_temporary=True, **fields)


def send(**options):
    out = StringIO()
    call_command("send_recurring_nudge", "example.com", date=TODAY.isoformat(), stdout=out, **options)
    return out.getvalue()


def let_time_pass(**span):
    """Everything in the ledger happened that much earlier."""
    for row in ScheduledMessage.objects.all():
        for field in ("due_at", "leased_until"):
            if getattr(row, field):
                setattr(row, field, getattr(row, field) - timedelta(**span))
        row.save()
    for run in SendRun.objects.all():
        run.started_at -= timedelta(**span)
        run.leased_until -= timedelta(**span)
        run.save()


def one():
    return ScheduledMessage.objects.get()


def test_what_is_refused_for_now_is_tried_again_when_its_time_has_come(channel):
    open_site()
    enroll(make_learner(), make_course())
    channel.errors += [busy()]
    said = send()
    assert "pending" in said
    assert "tried again by recover_messages" in said
    assert (one().status, why(one()), one().attempts) == (Status.CLAIMED, "channel-refused: 451 busy", 1)
    assert timezone.now() + timedelta(seconds=29) < one().due_at < timezone.now() + timedelta(seconds=91)
    api.recover()
    send()
    assert channel == []
    let_time_pass(seconds=91)
    call_command("recover_messages")
    assert (one().status, why(one()), one().attempts) == (Status.SENT, "", 2)
    assert len(channel) == 1
    assert not SendRun.objects.filter(finished_at=None).exists()


def test_the_wait_doubles_with_each_try_up_to_an_hour(channel):
    open_site()
    enroll(make_learner(), make_course())
    channel.errors += [busy() for _ in range(9)]
    send()
    waits = []
    for _ in range(8):
        waits.append((one().due_at - timezone.now()).total_seconds())
        let_time_pass(hours=2)
        api.recover()
    for number, wait in enumerate(waits):
        middle = min(60 * 2**number, 3600)
        assert middle * 0.49 < wait < middle * 1.51


def test_who_refuses_may_say_when_to_come_back(channel):
    open_site()
    enroll(make_learner(), make_course())
    later = timezone.now() + timedelta(hours=5)
    channel.errors += [busy(retry_at=later)]
    send()
    assert one().due_at == later


def test_who_wants_to_be_asked_again_at_once_is_asked_when_it_is_time(channel):
    open_site()
    enroll(make_learner(), make_course())
    begun = timezone.now()
    channel.errors += [busy(retry_at=begun + timedelta(seconds=1))]
    send()
    assert one().due_at > begun + timedelta(seconds=29)


def test_waiting_for_ones_turn_is_no_try(channel, settings):
    settings.SCHEDULES = {"RETRY_ATTEMPTS": 2, "MESSAGES_PER_SECOND": {"django_email": 1}}
    open_site()
    enroll(make_learner(), make_course())
    turn = timezone.now() + timedelta(minutes=7)
    line = ChannelRate.objects.create(channel="django_email", free_at=turn, return_at=turn)
    send()
    assert (one().status, one().due_at, one().attempts) == (Status.CLAIMED, turn, 0)
    for _ in range(2):
        let_time_pass(hours=2)
        api.recover()
        assert (one().status, one().attempts) == (Status.CLAIMED, 0)
    line.delete()
    let_time_pass(hours=2)
    api.recover()
    assert (one().status, one().attempts) == (Status.SENT, 1)


@pytest.mark.parametrize("make_error", [busy, TimeoutError, lambda: HTTPError(response=Unavailable)])
def test_what_waiting_can_mend_is_tried_until_the_message_is_worth_nothing_any_more(channel, settings, make_error):
    settings.SCHEDULES = {"RETRY_ATTEMPTS": 3}
    open_site()
    enroll(make_learner(), make_course())
    channel.errors += [make_error() for _ in range(11)]
    send()
    for _ in range(11):
        assert one().status == Status.CLAIMED
        let_time_pass(hours=6)
        api.recover()
    assert (one().status, one().attempts) == (Status.SENT, 12)


def test_when_no_further_try_fits_into_its_life_the_message_has_failed_with_its_reason(channel, settings):
    settings.SCHEDULES = {"MESSAGE_TTL_DAYS": {"recurring_nudge": 1}, "RETRY_SECONDS": 3600}
    open_site()
    enroll(make_learner(), make_course())
    channel.errors += [busy() for _ in range(3)]
    send()
    for hours in (11, 12.75):
        assert one().status == Status.CLAIMED
        let_time_pass(hours=hours)
        api.recover()
    assert (one().status, why(one()), one().attempts) == (Status.FAILED, "channel-refused: 451 busy", 3)
    assert one().leased_until is None


def test_a_fault_that_nobody_can_name_is_tried_a_few_times(channel, settings):
    settings.SCHEDULES = {"RETRY_ATTEMPTS": 3}
    open_site()
    enroll(make_learner(), make_course())
    channel.errors += [busy(), busy(), busy(), *(ValueError("alice@learners.example.com") for _ in range(3))]
    send()
    for _ in range(5):
        assert one().status == Status.CLAIMED
        let_time_pass(hours=2)
        api.recover()
    assert (one().status, why(one()), one().attempts) == (Status.FAILED, "channel-error: ValueError", 6)
    send()
    assert one().status == Status.SENT


class Unavailable:
    """An answer by HTTP."""

    status_code = 503


def test_a_message_that_waited_too_long_is_worth_nothing_any_more(channel, settings):
    settings.SCHEDULES = {"MESSAGE_TTL_DAYS": {"recurring_nudge": 1}}
    open_site()
    enroll(make_learner(), make_course())
    channel.errors += [busy()]
    send()
    let_time_pass(hours=25)
    api.recover()
    assert (one().status, why(one())) == (Status.SKIPPED, "expired")
    assert channel == []


def test_a_run_for_a_past_day_sends_for_life_begins_with_the_run(channel):
    open_site()
    enroll(make_learner(), make_course(), days_ago=303)
    call_command(
        "send_recurring_nudge", "example.com", date=(TODAY - timedelta(days=300)).isoformat(), stdout=StringIO()
    )
    assert one().status == Status.SENT


def test_a_refusal_that_is_final_fails_at_once(channel):
    open_site()
    enroll(make_learner(), make_course())
    channel.errors += [DeliveryError("channel-refused", "550 no such mailbox")]
    send()
    assert (one().status, why(one())) == (Status.FAILED, "channel-refused: 550 no such mailbox")


def test_an_lms_that_is_away_for_now_is_asked_again(channel, change_host):
    open_site()
    enroll(make_learner(), make_course())
    errors = [HostError("the LMS is restarting", is_temporary=True)]

    def be_away_once(answer, user_ids):
        if errors and ScheduledMessage.objects.exists():  # it is found, and to be delivered
            raise errors.pop()
        return answer(user_ids)

    change_host("learners", be_away_once)
    send()
    assert (one().status, why(one())) == (Status.CLAIMED, "host-error: the LMS is restarting")
    let_time_pass(hours=1)
    api.recover()
    assert one().status == Status.SENT


def test_a_test_message_is_not_tried_again(channel):
    open_site()
    enroll(make_learner(), make_course())
    channel.errors += [busy()]
    assert "1 (channel-refused 1)" in send(override_recipient_email="me@example.org")
    assert not ScheduledMessage.objects.exists()


def test_a_dead_workers_messages_are_taken_over_when_its_lease_ran_out(channel):
    open_site()
    enroll(make_learner(), make_course())
    channel.errors += [busy()]
    send()
    ScheduledMessage.objects.update(status=Status.DELIVERING, leased_until=timezone.now() + timedelta(minutes=1))
    api.recover()
    assert one().status == Status.DELIVERING
    let_time_pass(minutes=2)
    api.recover()
    assert one().status == Status.SENT


def test_what_the_broker_lost_is_handed_out_again(channel, broker):
    open_site()
    enroll(make_learner(), make_course())
    send()
    assert broker()  # which loses it
    let_time_pass(hours=1)
    api.recover()
    api.recover()
    bins = broker()
    assert {name for name, _ in bins} == {"schedules.tasks.resolve_bin"}
    perform(bins)
    assert [name for name, _ in broker()] == ["schedules.tasks.deliver_batch"]  # and again
    let_time_pass(hours=1)
    api.recover()
    assert (one().status, channel) == (Status.CLAIMED, [])
    perform(broker())
    assert one().status == Status.SENT
    assert not SendRun.objects.filter(finished_at=None).exists()


def test_a_run_whose_last_worker_died_before_it_said_so_is_finished_later(channel, broker):
    open_site()
    enroll(make_learner(), make_course())
    send()
    with refusing(KeyboardInterrupt(), 'UPDATE "schedules_sendrun"', '"finished_at"'):
        while queued := broker():
            for task in queued:
                with suppress(KeyboardInterrupt):
                    perform([task])
    assert SendRun.objects.filter(finished_at=None).count() == 2
    let_time_pass(hours=1)
    api.recover()
    assert not SendRun.objects.filter(finished_at=None).exists()
    assert len(channel) == 1


def test_recovering_with_unusable_settings_is_refused_in_one_line(settings):
    settings.SCHEDULES = {"LEASE_SECONDS": 0}
    with pytest.raises(CommandError, match=r"^SCHEDULES\['LEASE_SECONDS'\] is 0; allowed: a whole number"):
        call_command("recover_messages")


def test_bins_of_long_ago_are_left_alone(channel, broker):
    open_site()
    send()
    assert broker()  # which loses it
    let_time_pass(days=4)
    api.recover()
    assert broker() == []


def test_two_who_take_over_at_once_get_different_messages(channel):
    open_site()
    garden = make_course()
    for number in range(4):
        enroll(make_learner(f"learner{number}"), garden)
    channel.errors += [busy() for _ in range(4)]
    send()
    let_time_pass(hours=2)
    now = timezone.now()
    first, second = ledger.reclaim(now, 3), ledger.reclaim(now, 3)
    assert (len(first), len(second), len(ledger.reclaim(now, 3))) == (3, 1, 0)


def test_a_batch_that_is_slow_gives_back_what_is_left(channel, monkeypatch):
    open_site()
    garden = make_course()
    for number in range(1, 4):
        enroll(make_learner(f"learner{number}", pk=24 * number), garden)
    hours = iter(range(1000))
    monkeypatch.setattr(time, "monotonic", lambda: next(hours) * 3600)
    assert "pending" in send()
    assert len(channel) == 1
    waiting_ones = ScheduledMessage.objects.filter(status=Status.CLAIMED)
    assert set(waiting_ones.values_list("attempts", flat=True)) == {0}
    assert waiting_ones.count() == 2
    let_time_pass(seconds=1)
    monkeypatch.undo()
    api.recover()
    assert set(ScheduledMessage.objects.values_list("status", flat=True)) == {Status.SENT}


def test_a_test_that_is_slow_gives_nothing_back_for_it_holds_nothing(channel, monkeypatch):
    open_site()
    garden = make_course()
    for number in range(1, 4):
        enroll(make_learner(f"learner{number}", pk=24 * number), garden)
    hours = iter(range(1000))
    monkeypatch.setattr(time, "monotonic", lambda: next(hours) * 3600)
    send(override_recipient_email="me@example.org")
    assert len(channel) == 3


class Terminal(StringIO):
    def isatty(self):
        return True


@pytest.mark.all_bins
@pytest.mark.parametrize(("out", "shown"), [(StringIO(), "48 of 48 bins searched"), (Terminal(), "bins (")])
def test_waiting_shows_how_far_it_is_until_everything_is_finalized(channel, monkeypatch, out, shown):
    open_site()
    enroll(make_learner(), make_course())
    channel.errors += [busy(), busy()]
    looks = []

    def sleep(seconds):
        looks.append(seconds)
        assert len(looks) < 50
        let_time_pass(minutes=1)

    monkeypatch.setattr(time, "sleep", sleep)
    call_command("send_recurring_nudge", "example.com", date=TODAY.isoformat(), wait=True, stdout=out)
    assert one().status == Status.SENT
    assert looks
    assert shown in out.getvalue()
    assert "recurringnudge_day3   -3   1      0             1" in out.getvalue()


LOOK = ('FROM "schedules_sendrun"', '"uuid" IN (')


@pytest.mark.parametrize("error", [OperationalError("gone"), InterfaceError("closed")])
def test_waiting_outlasts_a_database_that_is_away(channel, monkeypatch, error):
    open_site()
    enroll(make_learner(), make_course())
    looks = []
    monkeypatch.setattr(time, "sleep", looks.append)
    with refusing(error, *LOOK, times=2):
        assert "recurringnudge_day3   -3   1      0             1" in send(wait=True)
    assert len(looks) == 2


def test_waiting_outlasts_a_broker_that_is_away(channel, broker, monkeypatch):
    """It loses a batch, and takes no other at first."""
    open_site()
    enroll(make_learner(), make_course())
    publish, refused = Producer.publish, []

    def refuse_once(self, *arguments, **options):
        if not refused and ScheduledMessage.objects.exclude(leased_until=None).exists():
            refused.append("a batch")
            raise BrokerError("refused")
        return publish(self, *arguments, **options)

    def sleep(seconds):
        let_time_pass(hours=1)
        perform([task for task in broker() if refused or task[0] == "schedules.tasks.resolve_bin"])
        monkeypatch.setattr(Producer, "publish", refuse_once)

    monkeypatch.setattr(time, "sleep", sleep)
    assert "recurringnudge_day3   -3   1      0             1" in send(wait=True)
    assert refused


def test_waiting_does_not_outlast_one_that_stays_away(channel, monkeypatch):
    open_site()
    monkeypatch.setattr(time, "sleep", lambda _: None)
    with refusing(OperationalError("gone"), *LOOK), pytest.raises(CommandError, match="cannot be used"):
        send(wait=True)


def test_waiting_for_nothing_ends_at_once(channel):
    open_site(enqueue_recurring_nudge=False)
    assert "Nothing was queued" in send(wait=True)
