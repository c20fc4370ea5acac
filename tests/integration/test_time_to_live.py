"""How long a message is worth sending, and who may begin its life anew."""

from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import call_command
from django.db.models import F
from django.utils import timezone

from schedules import api
from schedules.exceptions import DeliveryError
from schedules.models import ScheduledMessage, SendRun
from schedules.sending import ace
from tests.world import enroll, make_course, make_learner, open_site, perform, why

pytestmark = pytest.mark.django_db


@pytest.fixture
def channel(email_channel, monkeypatch):
    """A channel that refuses as often as its list of errors says, and then takes everything."""
    errors, send = [], ace.ace.send

    def refuse_or_send(message):
        if errors:
            raise errors.pop(0)
        send(message)

    monkeypatch.setattr(ace.ace, "send", refuse_or_send)
    return errors


@pytest.fixture
def day():
    """Alice is due today, and so on that day."""
    open_site()
    enroll(make_learner(), make_course(), created=timezone.now() - timedelta(days=3))
    return str(timezone.now().date())


def send(**options):
    out = StringIO()
    call_command("send_recurring_nudge", "example.com", stdout=out, **options)
    return out.getvalue()


def let_time_pass(**span):
    """Everything in the ledger happened that much earlier."""
    span = timedelta(**span)
    ScheduledMessage.objects.update(
        created=F("created") - span, due_at=F("due_at") - span, leased_until=F("leased_until") - span
    )
    SendRun.objects.update(started_at=F("started_at") - span, leased_until=F("leased_until") - span)


def state():
    row = ScheduledMessage.objects.get()
    return f"{row.status} {why(row)}".strip()


BUSY = DeliveryError("channel-refused", "451 busy", is_temporary=True)
REFUSED = DeliveryError("channel-refused", "550 no such mailbox")


def test_what_expired_stays_so_however_often_its_day_is_repeated(channel, day, email_channel):
    channel.append(BUSY)
    send(date=day)
    let_time_pass(days=4)
    api.recover()
    assert state() == "skipped expired"
    for _ in range(3):
        assert "1 (expired 1)" in send(date=day)
        assert state() == "skipped expired"
        let_time_pass(days=1)
    assert email_channel == []


def test_since_takes_up_again_what_expired_and_gives_it_a_whole_life(channel, day, email_channel):
    channel += [BUSY, BUSY]
    send(date=day)
    let_time_pass(days=4)
    api.recover()
    send(since=day)
    assert state() == "claimed channel-refused: 451 busy"
    let_time_pass(days=2)
    api.recover()
    assert state() == "sent"
    assert len(email_channel) == 1


def test_since_does_so_also_where_the_broker_lost_its_tasks(channel, day, email_channel, broker):
    channel.append(BUSY)
    send(date=day)
    perform(broker())
    perform(broker())
    let_time_pass(days=4)
    api.recover()
    perform(broker())
    assert state() == "skipped expired"
    send(since=day)
    broker()
    let_time_pass(hours=1)
    api.recover()
    perform(broker())
    perform(broker())
    assert state() == "sent"


def test_since_does_so_also_with_what_still_waits_in_a_queue(channel, day, email_channel, broker):
    channel.append(BUSY)
    send(date=day)
    perform(broker())
    perform(broker())
    let_time_pass(days=4)
    send(since=day)  # recovers first: that batch is queued before the bins
    batch, *bins = broker()
    perform(bins)
    perform([batch, *broker()])
    assert state() == "sent"


@pytest.mark.parametrize(("days", "ends_as"), [(2, "sent"), (4, "skipped expired")])
@pytest.mark.parametrize("reason", ["failed", "no-address", "no-longer-due", "lease ran out"])
def test_what_was_not_sent_is_taken_up_for_the_rest_of_its_life_alone(channel, day, reason, days, ends_as):
    channel.append(REFUSED)
    send(date=day)
    states = {
        "failed": {"status": "failed", "reason": "channel-refused"},
        "no-address": {"status": "skipped", "reason": "no-address"},
        "no-longer-due": {"status": "skipped", "reason": "no-longer-due"},
        "lease ran out": {"status": "delivering", "reason": "", "leased_until": timezone.now()},
    }
    ScheduledMessage.objects.update(**states[reason])
    let_time_pass(days=days)
    send(date=day)
    assert state() == ends_as


def test_many_repetitions_do_not_prolong_a_life(channel, day):
    channel += [REFUSED] * 9
    for _ in range(4):
        send(date=day)
        let_time_pass(days=1)
    channel.clear()
    send(date=day)
    assert state() == "skipped expired"


def test_what_the_switch_held_back_is_sent_however_late_it_is_switched_on(channel, day):
    open_site(deliver_recurring_nudge=False)
    send(date=day)
    assert state() == "skipped delivery-disabled"
    let_time_pass(days=10)
    open_site()
    channel.append(BUSY)
    send(date=day)
    let_time_pass(days=2)
    api.recover()
    assert state() == "sent"


def test_the_first_run_for_a_day_long_past_sends(channel, day):
    past = timezone.now() - timedelta(days=300)
    enroll(make_learner("bob"), make_course(), created=past - timedelta(days=3))
    send(date=str(past.date()))
    assert state() == "sent"
