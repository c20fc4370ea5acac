"""Trouble with the connection or the sender is the channel's: one tries again now and then, all others wait."""

import gc
import json
import logging
import ssl
import subprocess
import sys
import time
from datetime import timedelta
from io import StringIO
from uuid import uuid4

import django
import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.mail.backends.base import BaseEmailBackend
from django.core.management import call_command
from django.db import OperationalError
from django.utils import timezone

from schedules import api
from schedules.contrib.lms.models import SiteConfiguration
from schedules.exceptions import ChannelUnavailable, DeliveryError
from schedules.ledger.status import site_status
from schedules.models import ChannelTrouble, ScheduledMessage, SendRun
from schedules.previewing import sample_message
from schedules.sending import override
from schedules.sending.channel_trouble import ChannelWatch, allow_trial, growing_wait
from schedules.values.outcomes import FailReason
from tests.failing_database import refusing
from tests.mail_server import DROP, mail_server
from tests.world import TODAY, enroll, free_port, make_course, make_learner, open_site, why

pytestmark = pytest.mark.django_db

Status = ScheduledMessage.Status
#: Django leaves a connection open where logging in fails, and edx-ace's own channel leaves it for Python to collect.
_LEAVES_OPEN = pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
#: The same again by edx-ace's own channel, which connects for each message, is for the suite that has the time.
CHANNELS = ["schedules_email", pytest.param("django_email", marks=[_LEAVES_OPEN, pytest.mark.slow])]
WRONG_PASSWORD = "535 5.7.8 Authentication failed for learning@example.com"
SAID = "535 5.7.8 Authentication failed for (address)"


@pytest.fixture(params=CHANNELS)
def channel(request, settings, monkeypatch):
    monkeypatch.setattr(logging.getLogger("edx_ace.channel.django_email"), "disabled", True)  # its records keep sockets
    settings.ACE_ENABLED_CHANNELS = [request.param]
    settings.ACE_CHANNEL_DEFAULT_EMAIL = request.param
    yield request.param
    if request.param == "django_email":
        gc.collect()


@pytest.fixture
def our_channel(settings):
    settings.ACE_ENABLED_CHANNELS = ["schedules_email"]
    settings.ACE_CHANNEL_DEFAULT_EMAIL = "schedules_email"


@pytest.fixture
def server(smtp_server):
    with mail_server() as keeper:
        smtp_server(keeper.port, username="learning", password="secret")
        yield keeper


def make_school(count, domain="example.com", org="MeadowX", apart=1):
    """`count` learners who are due; `apart`: 24 puts them all into one bin."""
    site = open_site(domain)
    course = make_course("Bees & Wasps", org=org)
    for number in range(1, count + 1):
        enroll(make_learner(f"learner{number}-{org}", pk=apart * number + 1000 * len(org)), course)
    return site


def send(domain="example.com", **options):
    out = StringIO()
    call_command("send_recurring_nudge", domain, date=TODAY.isoformat(), stdout=out, **options)
    return out.getvalue()


def let_time_pass(**span):
    """All that waits has waited that much longer."""
    span = timedelta(**span)
    for row in ScheduledMessage.objects.filter(status=Status.CLAIMED):
        ScheduledMessage.objects.filter(pk=row.pk).update(
            due_at=row.due_at and row.due_at - span, leased_until=row.leased_until and row.leased_until - span
        )
    for row in ChannelTrouble.objects.all():
        ChannelTrouble.objects.filter(pk=row.pk).update(blocked_until=row.blocked_until - span)
    for run in SendRun.objects.filter(finished_at=None):
        SendRun.objects.filter(pk=run.pk).update(started_at=run.started_at - span)


def outcomes():
    return {(row.status, why(row)) for row in ScheduledMessage.objects.all()}


# A password that is refused -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("channel", "count"),
    [("schedules_email", 40), pytest.param("django_email", 5, marks=_LEAVES_OPEN)],
    indirect=["channel"],
)
def test_a_refused_password_is_tried_once_for_all_learners(channel, server, count):
    make_school(count)
    server.answers["AUTH"] = WRONG_PASSWORD
    send()
    assert server.connections == 1
    assert server.logins <= 2  # smtplib tries each way to log in that the server offers
    assert outcomes() == {(Status.CLAIMED, f"channel-refused: {SAID}")}
    rows = ScheduledMessage.objects.all()
    assert len(rows) == count
    assert {row.attempts for row in rows} == {0}
    assert all(row.due_at > timezone.now() for row in rows)
    send()
    api.recover()
    assert server.connections == 1


def test_the_intervals_grow_and_each_has_one_trial(our_channel, server):
    make_school(3)
    server.answers["AUTH"] = WRONG_PASSWORD
    send()
    begun = ChannelTrouble.objects.get().since
    waits = []
    for trials in range(2, 6):
        let_time_pass(hours=2)
        now = timezone.now()
        api.recover()
        trouble = ChannelTrouble.objects.get()
        assert (server.connections, trouble.failed_trials) == (trials, trials)
        waits.append(round((trouble.blocked_until - now).total_seconds() / 60))
    assert waits == [2, 4, 8, 16]
    assert ChannelTrouble.objects.get().since == begun


def test_the_trial_that_goes_well_ends_it_for_all(channel, server):
    make_school(5)
    server.answers["AUTH"] = WRONG_PASSWORD
    send()
    del server.answers["AUTH"]
    let_time_pass(hours=2)
    api.recover()
    assert outcomes() == {(Status.SENT, "")}
    assert len(server.received) == 5
    assert not ChannelTrouble.objects.exists()
    assert {row.attempts for row in ScheduledMessage.objects.all()} == {1}


def test_status_banner_and_command_say_what_was_answered_and_since_when(our_channel, server, admin_client):
    site = make_school(3)
    server.answers["AUTH"] = WRONG_PASSWORD
    said = send()
    since = ChannelTrouble.objects.get().since.strftime("%Y-%m-%d %H:%M UTC")
    line = f"The channel schedules_email takes no messages, since {since}: {SAID}."
    assert f"PROBLEM: {line}" in said
    assert "learning@" not in said
    assert site_status(site, timezone.now()).problems[0].startswith(line)
    assert f"example.com:</strong> {line}" in admin_client.get("/admin/schedules/scheduledmessage/").text
    del server.answers["AUTH"]
    let_time_pass(hours=2)
    api.recover()
    assert site_status(site, timezone.now()).problems == ()


def test_waiting_says_what_for_and_stays_until_it_is_mended(our_channel, server, monkeypatch):
    make_school(3)
    server.answers["AUTH"] = WRONG_PASSWORD
    looks = []

    def sleep(seconds):
        looks.append(seconds)
        assert len(looks) < 60
        if len(looks) == 20:
            del server.answers["AUTH"]
        let_time_pass(minutes=5)

    monkeypatch.setattr(time, "sleep", sleep)
    said = send(wait=True)
    assert said.count("PROBLEM: The channel schedules_email takes no messages") == 1
    assert len(looks) > 20
    assert outcomes() == {(Status.SENT, "")}


def test_when_its_useful_life_ends_a_message_has_failed_with_what_kept_it_back(our_channel, server, settings):
    settings.SCHEDULES = {
        **settings.SCHEDULES,
        "MESSAGE_TTL_DAYS": {"recurring_nudge": 1},
        "RETRY_SECONDS": 3600,
    }
    make_school(2)
    server.answers["AUTH"] = WRONG_PASSWORD
    send()
    for hours in (11, 11, 1.5):
        assert {status for status, _ in outcomes()} == {Status.CLAIMED}
        let_time_pass(hours=hours)
        api.recover()
    assert outcomes() == {(Status.FAILED, f"channel-refused: {SAID}")}
    assert not SendRun.objects.filter(finished_at=None).exists()


# Who else is let in, and who is not ---------------------------------------------------------------


def test_two_who_come_when_the_time_is_over_make_one_trial(our_channel):
    site = open_site()
    now = timezone.now()
    refused = ChannelUnavailable(FailReason.CHANNEL_REFUSED, "535 no")
    with pytest.raises(ChannelUnavailable), ChannelWatch("mail", site.pk).handing_over(now):
        raise refused
    now += timedelta(minutes=2)
    first, second = ChannelWatch("mail", site.pk), ChannelWatch("mail", site.pk)
    assert first.blocked(now) is second.blocked(now) is None
    with first.handing_over(now), pytest.raises(ChannelUnavailable) as caught, second.handing_over(now):
        raise AssertionError("the second was let in")
    assert caught.value.retry_at > now
    with second.handing_over(now + timedelta(hours=1)):
        pass
    assert not ChannelTrouble.objects.exists()


def test_a_worker_that_dies_in_its_trial_leaves_the_next_to_another(our_channel):
    site = open_site()
    now = timezone.now()
    with pytest.raises(ChannelUnavailable), ChannelWatch("mail", site.pk).handing_over(now):
        raise ChannelUnavailable(FailReason.CHANNEL_REFUSED, "535 no")
    now += timedelta(minutes=2)
    with pytest.raises(KeyboardInterrupt), ChannelWatch("mail", site.pk).handing_over(now):
        raise KeyboardInterrupt
    assert ChannelWatch("mail", site.pk).blocked(now + timedelta(minutes=1)) is not None
    assert ChannelWatch("mail", site.pk).blocked(now + timedelta(minutes=3)) is None


def test_what_fails_before_a_channel_is_asked_ends_no_trouble(our_channel):
    site = open_site()
    now = timezone.now()
    with pytest.raises(ChannelUnavailable), ChannelWatch("mail", site.pk).handing_over(now):
        raise ChannelUnavailable(FailReason.CHANNEL_REFUSED, "535 no")
    now += timedelta(minutes=2)
    for error in (
        DeliveryError(FailReason.TEMPLATE_MISSING),
        DeliveryError(FailReason.CHANNEL_ERROR, "ValueError", is_temporary=True, is_known=False),
    ):
        with pytest.raises(DeliveryError), ChannelWatch("mail", site.pk).handing_over(now):
            raise error
        now += timedelta(hours=2)
    assert str(ChannelTrouble.objects.get().answer) == "535 no"
    with pytest.raises(DeliveryError), ChannelWatch("mail", site.pk).handing_over(now):
        raise DeliveryError(FailReason.CHANNEL_REFUSED, "550 no such mailbox")
    assert not ChannelTrouble.objects.exists()


def test_somebody_who_sends_a_test_is_tried_at_once_and_ends_it(our_channel, server):
    make_school(3)
    server.answers["AUTH"] = WRONG_PASSWORD
    send()
    said = send(override_recipient_email="me@example.org")
    assert server.connections == 2
    assert "3 (channel-refused 3)" in said
    del server.answers["AUTH"]
    send(override_recipient_email="me@example.org")
    assert not ChannelTrouble.objects.exists()
    assert {email["To"] for email in server.received} == {"me@example.org"}


def test_another_channel_is_another_matter(our_channel, server, settings, mailoutbox):
    make_school(3)
    server.answers["AUTH"] = WRONG_PASSWORD
    send()
    del server.answers["AUTH"]
    settings.ACE_ENABLED_CHANNELS = ["django_email"]
    settings.ACE_CHANNEL_DEFAULT_EMAIL = "django_email"
    assert ChannelWatch("django_email", 1).blocked(timezone.now()) is None
    ScheduledMessage.objects.update(due_at=timezone.now(), leased_until=timezone.now())
    api.recover()
    assert outcomes() == {(Status.SENT, "")}


def test_a_channel_without_trouble_costs_one_statement_for_a_batch(our_channel, django_assert_num_queries):
    with django_assert_num_queries(1):
        watch = ChannelWatch("mail", 1)
        for _ in range(50):
            with watch.handing_over(timezone.now()):
                pass


# What is the channel's, and what is the learner's -------------------------------------------------


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        ("GREETING", "554 5.3.2 no mail here"),
        ("GREETING", "421 4.3.2 come back later"),
        ("EHLO", "550 5.7.1 who are you"),
        ("MAIL", "550 5.7.1 sender is not welcome"),
        ("MAIL", "421 4.7.0 too many messages"),
        ("MAIL", "451 4.7.1 greylisted"),
        ("MAIL", "530 5.7.0 Authentication required"),
        ("RCPT", "530 5.7.0 Authentication required"),
        ("RCPT", "550 5.1.8 your domain does not resolve"),
        ("RCPT", "554 5.7.1 Sender address rejected: not owned by user learning"),
        ("RCPT", "553 5.7.1 relaying denied"),
        ("DATA", "550 5.4.5 Daily user sending limit exceeded"),
        ("DATA", "554 Message rejected: Email address is not verified"),
        ("DATA", "451 4.3.0 queue file write error"),
        ("MAIL", "452 4.3.1 Insufficient system storage"),
    ],
)
def test_trouble_with_connection_or_sender_stops_the_batch_and_counts_against_nobody(channel, server, command, answer):
    make_school(3)
    server.answers[command] = answer
    send()
    assert server.connections == 1
    assert outcomes() == {(Status.CLAIMED, f"channel-refused: {answer}")}
    assert {row.attempts for row in ScheduledMessage.objects.all()} == {0}
    del server.answers[command]
    let_time_pass(hours=2)
    api.recover()
    assert outcomes() == {(Status.SENT, "")}


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        ("MAIL", "552 5.3.4 message too big"),
        ("RCPT", "550 5.1.1 no such mailbox"),
        ("RCPT", "550 5.7.1 blocked by the recipient"),
        ("DATA", "552 5.3.4 message too big"),
        ("DATA", "554 5.7.1 looks like spam"),
    ],
)
def test_a_refusal_of_a_recipient_or_a_message_is_final_and_theirs_alone(channel, server, command, answer):
    make_school(2, apart=24)
    server.answers[command] = [answer]
    send()
    assert outcomes() == {(Status.FAILED, f"channel-refused: {answer}"), (Status.SENT, "")}
    assert not ChannelTrouble.objects.exists()


@pytest.mark.parametrize(
    "options",
    [
        {"host": "nowhere.invalid"},
        {"host": "label..too"},
        {"port": 0},
        {"use_tls": True},
        {"use_tls": True, "use_ssl": True},
        {"use_ssl": True},
    ],
    ids=str,
)
def test_a_server_that_cannot_be_spoken_to_is_the_channels_trouble(our_channel, smtp_server, options):
    make_school(3)
    with mail_server() as keeper:
        options = {"port": keeper.port, **options}
        options["port"] = options["port"] or free_port()
        smtp_server(**options)
        send()
        assert keeper.connections <= 1
    assert {status for status, _ in outcomes()} == {Status.CLAIMED}
    assert ChannelTrouble.objects.get().site_id == 0


def test_a_sender_that_is_refused_is_one_sites_trouble(our_channel, server):
    site, river = make_school(4), make_school(4, "river.example.com", "RiverX")
    SiteConfiguration.objects.create(
        site=river,
        enabled=True,
        site_values={"course_org_filter": "RiverX", "email_from_address": "us@river.example.com"},
    )

    async def refuse_river(smtp, session, envelope, address, options):
        server.tried += 1
        if address.endswith("@river.example.com"):
            return "550 5.7.1 not your domain"
        envelope.mail_from = address
        return "250 OK"

    server.handle_MAIL = refuse_river
    send("river.example.com")
    assert server.tried == 1
    send()
    assert {row.status for row in ScheduledMessage.objects.filter(site=site)} == {Status.SENT}
    assert {row.status for row in ScheduledMessage.objects.filter(site=river)} == {Status.CLAIMED}
    assert site_status(site, timezone.now()).problems == ()
    (problem, *_) = site_status(river, timezone.now()).problems
    assert "takes no messages of this site's sender" in problem
    assert "550 5.7.1 not your domain" in problem


def test_a_server_that_takes_some_messages_only_on_a_connection_gets_a_new_one(our_channel, server):
    make_school(6, apart=24)
    limit = {"left": 2, "connection": None}

    async def two_each(smtp, session, envelope, address, options):
        if limit["connection"] is not smtp:
            limit.update(connection=smtp, left=2)
        if not limit["left"]:
            return "421 4.7.0 two are enough"
        limit["left"] -= 1
        envelope.mail_from = address
        return "250 OK"

    server.handle_MAIL = two_each
    send()
    assert outcomes() == {(Status.SENT, "")}
    assert server.connections == 3
    assert not ChannelTrouble.objects.exists()


def test_three_in_a_row_that_the_server_drops_are_its_trouble_and_one_is_not(our_channel, server):
    make_school(8, apart=24)
    server.answers["DATA"] = [DROP]
    send()
    assert not ChannelTrouble.objects.exists()
    assert len(server.received) == 7
    ScheduledMessage.objects.all().delete()
    server.received.clear()
    server.answers["DATA"] = DROP
    tried = server.tried
    send()
    assert server.tried - tried == 3
    assert ChannelTrouble.objects.get().answer == "SMTPServerDisconnected"
    assert outcomes() == {(Status.CLAIMED, "channel-error: SMTPServerDisconnected")}
    del server.answers["DATA"]
    let_time_pass(hours=2)
    api.recover()
    assert len(server.received) == 8


# Refused alike ------------------------------------------------------------------------------------

UNHEARD_OF = "554 5.7.1 <ADDRESS>: das geht so nicht, Nummer 4711"


@pytest.mark.parametrize("apart", [24, 1], ids=["one batch", "several batches"])
def test_three_learners_who_are_refused_alike_are_not_to_blame_and_all_wait(our_channel, server, apart):
    site = make_school(6, apart=apart)
    server.answers["RCPT"] = [UNHEARD_OF.replace("4711", str(number)) for number in range(100)]
    said = send()
    assert server.tried == 3
    assert {status for status, _ in outcomes()} == {Status.CLAIMED}
    assert "PROBLEM: The channel schedules_email takes no messages of this site's sender" in said
    assert "channel-refused" not in said
    assert ChannelTrouble.objects.get().site_id == site.pk
    let_time_pass(hours=2)
    api.recover()
    assert (server.tried, ChannelTrouble.objects.get().failed_trials) == (4, 2)
    server.answers.clear()
    let_time_pass(hours=2)
    api.recover()
    assert outcomes() == {(Status.SENT, "")}
    assert len(server.received) == 6
    assert not ChannelTrouble.objects.exists()
    assert not SendRun.objects.filter(finished_at=None).exists()


def test_each_run_counts_its_own_messages_though_those_of_another_wait_again(our_channel, server):
    make_school(2)
    enroll(make_learner("late", pk=500), make_course("Chess"), days_ago=10)
    server.answers["RCPT"] = [UNHEARD_OF] * 3
    said = send()
    assert {status for status, _ in outcomes()} == {Status.CLAIMED}
    assert "channel-refused -" not in said
    assert not SendRun.objects.filter(day_offset=-3, finished_at__isnull=False).exists()
    server.answers.clear()
    let_time_pass(hours=2)
    api.recover()
    assert outcomes() == {(Status.SENT, "")}
    counts = {run.day_offset: (run.counts["sent"], run.counts["failed"]) for run in SendRun.objects.all()}
    assert counts == {-3: (2, {}), -10: (1, {})}


def test_who_would_expire_until_then_is_not_held_back(our_channel, server):
    make_school(2)
    server.answers["RCPT"] = [UNHEARD_OF] * 10
    send()
    SendRun.objects.update(started_at=timezone.now() - timedelta(days=3, seconds=-20))
    enroll(make_learner("late", pk=500), make_course("Chess"), days_ago=4)
    call_command("send_recurring_nudge", "example.com", date=str(TODAY - timedelta(days=1)), verbosity=0)
    statuses = dict(ScheduledMessage.objects.values_list("user__username", "status"))
    assert statuses.pop("late") == Status.CLAIMED
    assert set(statuses.values()) == {Status.FAILED}


@pytest.mark.django_db(transaction=True)
def test_a_session_that_ends_while_the_trouble_is_kept_costs_nobody_a_message(our_channel, server, naps):
    make_school(4)
    server.answers["RCPT"] = [UNHEARD_OF] * 10
    with refusing(OperationalError("gone"), "INSERT", "schedules_channeltrouble", times=1):
        send()
    assert {status for status, _ in outcomes()} == {Status.CLAIMED}
    server.answers.clear()
    let_time_pass(hours=2)
    api.recover()
    assert outcomes() == {(Status.SENT, "")}


def test_two_are_not_enough_and_their_refusal_is_final(our_channel, server):
    make_school(5, apart=24)
    server.answers["RCPT"] = [UNHEARD_OF] * 2
    send()
    assert len(server.received) == 3
    assert ScheduledMessage.objects.filter(status=Status.FAILED).count() == 2
    assert not ChannelTrouble.objects.exists()


@pytest.fixture
def refuse(server):
    """A function that has the server refuse some learners by an answer."""

    def refuse(bad, answer):
        async def look(smtp, session, envelope, address, options):
            server.recipients.append(address)
            if address in bad:
                return answer.replace("ADDRESS", address)
            envelope.rcpt_tos.append(address)
            return "250 OK"

        server.handle_RCPT = look

    return refuse


BAD_MAILBOXES = ["550 5.1.1 <ADDRESS>: no such user", "550 5.2.1 mailbox disabled", "550 No such user here"]


@pytest.mark.parametrize("answer", BAD_MAILBOXES)
def test_five_bad_mailboxes_in_a_row_stay_their_learners(our_channel, server, refuse, answer):
    make_school(10, apart=24)
    refuse([f"learner{number}-MeadowX@learners.example.com" for number in range(1, 6)], answer)
    send()
    assert len(server.received) == 5
    assert ScheduledMessage.objects.filter(status=Status.FAILED).count() == 5
    assert not ChannelTrouble.objects.exists()


@pytest.mark.parametrize("answer", [UNHEARD_OF, "554 5.7.1 <ADDRESS>: Relay access denied"])
def test_whom_a_server_refuses_among_others_keeps_nobody_back_for_long(our_channel, server, refuse, answer):
    """Be it that it says nothing of the recipient: the trials are not always the same learner's."""
    make_school(10, apart=24)
    bad = [f"learner{number}-MeadowX@learners.example.com" for number in range(1, 6)]
    refuse(bad, answer)
    send()
    assert not server.received
    rounds = 0
    while len(server.received) < 5:
        rounds += 1
        assert rounds < 40
        let_time_pass(hours=1)
        ScheduledMessage.objects.update(created=timezone.now())  # the days do not end meanwhile
        api.recover()
    assert not set(bad) & {mail["To"] for mail in server.received}


def test_a_relation_that_was_good_a_moment_ago_is_not_what_a_refusal_is_about(our_channel, server):
    make_school(6, apart=24)
    server.answers["RCPT"] = [None, "554 5.7.1 Relay access denied", None, "550 5.7.1 sender not allowed"]
    send()
    assert len(server.received) == 4
    assert ScheduledMessage.objects.filter(status=Status.FAILED).count() == 2
    assert not ChannelTrouble.objects.exists()


def test_a_sender_that_falls_from_grace_in_the_middle_of_a_batch_is_the_channels_trouble(our_channel, server):
    make_school(8, apart=24)
    server.answers["DATA"] = [None, None, *["550 5.7.1 sender not allowed"] * 6]
    send()
    assert server.tried == 5
    assert ScheduledMessage.objects.filter(status=Status.CLAIMED).count() == 6
    assert ChannelTrouble.objects.get().answer == "550 5.7.1 sender not allowed"


def refused(answer="554 no", **more):
    return DeliveryError(FailReason.CHANNEL_REFUSED, answer, **more)


def test_one_learner_who_is_refused_often_is_one(our_channel):
    watch, now = ChannelWatch("mail", open_site().pk), timezone.now()
    for _ in range(5):
        with pytest.raises(DeliveryError) as caught, watch.handing_over(now, ScheduledMessage(pk=uuid4(), user_id=7)):
            raise refused()
        assert not isinstance(caught.value, ChannelUnavailable)
    assert not ChannelTrouble.objects.exists()


def test_who_was_held_back_for_an_answer_and_hears_it_again_is_to_blame(our_channel):
    """For others were sent to in between: their trouble would be known."""
    watch, now = ChannelWatch("mail", open_site().pk), timezone.now()
    for number in range(5):
        held_back = ScheduledMessage(pk=uuid4(), user_id=number, attempts=1, detail={"answer": "554 no, id 1"})
        with pytest.raises(DeliveryError) as caught, watch.handing_over(now, held_back):
            raise refused("554 no, id 2")
        assert not caught.value.is_temporary
    assert not ChannelTrouble.objects.exists()


def test_a_trial_at_a_bad_mailbox_says_nothing_of_the_sender(our_channel):
    site, now = open_site(), timezone.now()
    error = ChannelUnavailable(FailReason.CHANNEL_REFUSED, "550 5.7.60 not your name", is_senders=True)
    with pytest.raises(ChannelUnavailable), ChannelWatch("mail", site.pk).handing_over(now):
        raise error
    watch = ChannelWatch("mail", site.pk)
    for _ in range(4):
        message = ScheduledMessage(pk=uuid4(), user_id=7)
        with pytest.raises(DeliveryError), watch.handing_over(now + timedelta(minutes=2), message):
            raise refused("550 5.1.1 no such user", is_recipients=True)
    assert ChannelTrouble.objects.get().answer == "550 5.7.60 not your name"


class Backend(BaseEmailBackend):
    """`error`: what it raises, if anything."""

    error = None
    tried = 0

    def send_messages(self, messages):
        type(self).tried += 1
        if self.error is not None:
            raise self.error
        return len(messages)


@pytest.fixture
def backend(settings, monkeypatch):
    path = f"{__name__}.Backend"
    if django.VERSION >= (6, 1):
        settings.MAILERS = {"default": {"BACKEND": path}}
    else:
        settings.EMAIL_BACKEND = path
    monkeypatch.setattr(Backend, "tried", 0)
    return lambda error: monkeypatch.setattr(Backend, "error", error)


class KeyRefusedError(Exception):
    status_code = 401


class NoCredentialsError(Exception):
    pass


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ssl.SSLCertVerificationError("certificate has expired"), "channel-error: SSLCertVerificationError"),
        (ImproperlyConfigured("Set MAILGUN_API_KEY."), "channel-error: ImproperlyConfigured: Set MAILGUN_API_KEY."),
        (KeyRefusedError(), "channel-refused: KeyRefusedError 401"),
        (NoCredentialsError(), "channel-error: NoCredentialsError"),
    ],
    ids=repr,
)
def test_a_provider_that_refuses_us_is_asked_once(our_channel, backend, error, reason):
    make_school(3)
    backend(error)
    send()
    assert Backend.tried == 1
    assert outcomes() == {(Status.CLAIMED, reason)}
    backend(None)
    let_time_pass(hours=2)
    api.recover()
    assert outcomes() == {(Status.SENT, "")}


def test_a_platform_without_a_sender_is_told_so(our_channel, settings, mailoutbox):
    settings.DEFAULT_FROM_EMAIL = ""
    make_school(3)
    send()
    assert outcomes() == {(Status.CLAIMED, "channel-error: no sender; set DEFAULT_FROM_EMAIL")}
    settings.DEFAULT_FROM_EMAIL = "learning@example.com"
    let_time_pass(hours=2)
    api.recover()
    assert len(mailoutbox) == 3


def test_no_channel_at_all_is_nobodys_failure(settings):
    settings.ACE_ENABLED_CHANNELS = []
    settings.ACE_CHANNEL_DEFAULT_EMAIL = "schedules_email"
    make_school(3)
    send()
    assert outcomes() == {(Status.CLAIMED, "channel-error: no e-mail channel is enabled; see ACE_ENABLED_CHANNELS")}


def test_a_sample_is_tried_whatever_trouble_is_known(our_channel, mailoutbox):
    site = open_site()
    now = timezone.now()
    with pytest.raises(ChannelUnavailable), ChannelWatch("schedules_email", site.pk).handing_over(now):
        raise ChannelUnavailable(FailReason.CHANNEL_REFUSED, "535 no")
    override.send_sample(sample_message("recurringnudge_day3", "en"), site.pk)
    assert len(mailoutbox) == 1
    assert not ChannelTrouble.objects.exists()


def test_who_asks_for_years_of_patience_is_not_believed(our_channel):
    site = open_site()
    now = timezone.now()
    error = ChannelUnavailable(FailReason.CHANNEL_REFUSED, "busy", retry_at=now + timedelta(days=4000))
    with pytest.raises(ChannelUnavailable), ChannelWatch("mail", site.pk).handing_over(now):
        raise error
    assert ChannelTrouble.objects.get().blocked_until == now + timedelta(days=1)
    allow_trial("mail", now)
    assert ChannelWatch("mail", site.pk).blocked(now) is None


def test_a_wait_never_outgrows_an_hour():
    assert [growing_wait(number).total_seconds() for number in (1, 2, 3, 7, 5000)] == [60, 120, 240, 3600, 3600]


WORKER = """
import json, os, sys
os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
from django.conf import settings
settings.DATABASES["default"].update(json.loads(sys.argv[1]))
import django
django.setup()
from django.utils import timezone
from schedules.exceptions import ChannelUnavailable
from schedules.models import ChannelTrouble
from schedules.sending.channel_trouble import ChannelWatch
if sys.argv[2] == "migrate":
    from django.db import connection
    with connection.schema_editor() as editor:
        editor.create_model(ChannelTrouble)
    now = timezone.now()
    ChannelTrouble.objects.create(channel="mail", reason="channel-refused", answer="535", since=now, blocked_until=now)
    sys.exit()
watch = ChannelWatch("mail", 1)
print("ready", flush=True)
sys.stdin.readline()
tries = 0
for _ in range(5):
    try:
        with watch.handing_over(timezone.now()):
            tries += 1
            raise ChannelUnavailable("channel-refused", "535")
    except ChannelUnavailable:
        watch = ChannelWatch("mail", 1)
print(tries)
"""


@pytest.mark.slow
def test_many_processes_make_one_trial_together(tmp_path):
    database = json.dumps({"NAME": str(tmp_path / "trouble.sqlite3"), "OPTIONS": {"timeout": 20}})
    command = [sys.executable, "-c", WORKER, database]
    subprocess.run([*command, "migrate"], check=True)  # noqa: S603 - our own interpreter
    workers = [
        subprocess.Popen([*command, "work"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)  # noqa: S603
        for _ in range(3)
    ]
    for worker in workers:
        assert worker.stdout.readline() == "ready\n"
    for worker in workers:
        worker.stdin.write("go\n")
        worker.stdin.flush()
    assert sum(int(worker.communicate(timeout=120)[0]) for worker in workers) == 1
