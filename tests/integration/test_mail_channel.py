"""The channel `schedules_email` against a real SMTP server: connections, headers, and what a refusal becomes."""

import logging
import smtplib
import socket
from types import SimpleNamespace
from uuid import uuid4

import django
import pytest
from django.core.mail.backends.base import BaseEmailBackend
from django.core.management import call_command
from edx_ace.recipient import Recipient
from edx_ace.renderers import RenderedEmail

from schedules.channels import mail
from schedules.channels.mail import MailChannel, mail_connection
from schedules.exceptions import DeliveryError
from schedules.models import ScheduledMessage
from schedules.values.outcomes import FailReason
from tests.mail_server import DROP, HANG, mail_server, wait_until
from tests.world import TODAY, enroll, free_port, make_course, make_learner, open_site, why

Status = ScheduledMessage.Status


@pytest.fixture
def our_channel(settings):
    settings.ACE_ENABLED_CHANNELS = ["schedules_email"]
    settings.ACE_CHANNEL_DEFAULT_EMAIL = "schedules_email"


@pytest.fixture
def server(smtp_server):
    with mail_server() as keeper:
        smtp_server(keeper.port)
        yield keeper


def change(settings, **keys):
    settings.SCHEDULES = {**settings.SCHEDULES, **keys}


def use_backend(settings, backend):
    path = f"{backend.__module__}.{backend.__qualname__}"
    if django.VERSION >= (6, 1):
        settings.MAILERS = {"default": {"BACKEND": path}}
    else:
        settings.EMAIL_BACKEND = path


def deliver(address="alice@learners.example.com", **options):
    """One message through the channel, as edx-ace hands it over."""
    subject, from_name = options.pop("subject", "Hello"), options.pop("from_name", "Bees & Wasps")
    language = options.pop("language", "en")
    message = SimpleNamespace(
        recipient=Recipient(lms_user_id=1, email_address=address),
        options={"from_address": "learning@example.com", **options},
        headers={"Message-ID": f"<{uuid4()}@example.com>"},
        language=language,
    )
    rendered = RenderedEmail(from_name=from_name, subject=subject, body_html="<p>Hi</p>", head_html="", body="Hi")
    MailChannel().deliver(message, rendered)


def refusal(**more):
    with pytest.raises(DeliveryError) as caught:
        deliver(**more)
    return caught.value.reason, caught.value.is_temporary, caught.value.detail


# The whole way ------------------------------------------------------------------------------------


def run_nudge(count):
    open_site()
    course = make_course("Bees & Wasps")
    for number in range(count):
        enroll(make_learner(f"learner{number}"), course)
    call_command("send_recurring_nudge", "example.com", date=TODAY.isoformat(), verbosity=0)
    return ScheduledMessage.objects.order_by("user_id")


@pytest.mark.django_db
def test_a_message_arrives_with_its_sender_name_and_headers(our_channel, server):
    (row,) = run_nudge(1)
    assert (row.status, row.channel) == (Status.SENT, "schedules_email")
    (email,) = server.received
    assert email["From"] == "Bees & Wasps <learning@example.com>"
    assert email["To"] == "learner0@learners.example.com"
    assert email["Message-ID"] == f"<{row.pk}@example.com>"
    assert email["Auto-Submitted"] == "auto-generated"
    assert email["Feedback-ID"] == "recurringnudge_day3:example.com:schedules"
    assert [part.get_content_type() for part in email.walk()] == ["multipart/alternative", "text/plain", "text/html"]
    assert "Bees & Wasps" in email.get_body(["plain"]).get_content()
    assert "Bees &amp; Wasps" in email.get_body(["html"]).get_content()


@pytest.mark.parametrize(
    ("language", "root"),
    [
        ("he", '<html lang="he" dir="rtl">'),
        ("pt-br", '<html lang="pt-br" dir="ltr">'),
        (None, '<html lang="en" dir="ltr">'),
    ],
)
def test_a_document_says_its_language_and_direction(mailoutbox, language, root):
    deliver(language=language)
    (email,) = mailoutbox
    assert f"<!DOCTYPE html>\n{root}\n" in email.alternatives[0].content


@pytest.mark.django_db
def test_the_other_mail_channel_gets_the_headers_too(email_channel):
    run_nudge(1)
    (email,) = email_channel
    assert email.extra_headers["Auto-Submitted"] == "auto-generated"
    assert email.extra_headers["Feedback-ID"] == "recurringnudge_day3:example.com:schedules"


@pytest.mark.django_db
def test_one_refused_address_fails_alone_and_without_its_address(our_channel, server, caplog):
    caplog.set_level(logging.DEBUG, logger="schedules")
    server.answers["RCPT"] = ["550 5.1.1 <ADDRESS>: learner0 is unknown here"]
    rows = run_nudge(1)
    assert [(row.status, why(row)) for row in rows] == [
        (Status.FAILED, "channel-refused: 550 5.1.1 <(address)>: (address) is unknown here")
    ]
    assert "learner0@" not in caplog.text
    assert server.received == []


@pytest.mark.django_db
def test_what_is_refused_for_now_goes_back_to_be_tried_again(our_channel, server):
    server.answers["RCPT"] = ["451 4.7.1 greylisted"]
    first, second = sorted(run_nudge(2), key=lambda row: row.status)
    assert (first.status, why(first)) == (Status.CLAIMED, "channel-refused: 451 4.7.1 greylisted")
    assert first.due_at is not None
    assert second.status == Status.SENT


# Connections --------------------------------------------------------------------------------------


def test_a_batch_has_one_connection_that_is_closed_at_its_end(server):
    with mail_connection():
        for _ in range(5):
            deliver()
        assert server.open_connections == 1
    assert (server.connections, len(server.received)) == (1, 5)


def test_a_batch_without_messages_connects_to_nobody(server):
    with mail_connection():
        pass
    assert server.connections == 0


def test_outside_of_a_batch_each_message_opens_and_closes_its_own(server):
    deliver()
    deliver()
    assert (server.connections, len(server.received)) == (2, 2)


def test_a_connection_carries_as_many_messages_as_the_setting_says(server, settings):
    change(settings, SMTP_MESSAGES_PER_CONNECTION=2)
    with mail_connection():
        for _ in range(5):
            deliver()
    assert (server.connections, len(server.received)) == (3, 5)


def test_a_connection_that_the_server_closed_is_opened_again(server):
    server.goodbye_after = 2
    with mail_connection():
        for _ in range(6):
            deliver()
            if len(server.received) % 2 == 0:
                wait_until(lambda: server.open_connections == 0)
    assert (server.connections, len(server.received)) == (3, 6)


def test_after_an_error_the_next_message_goes_over_a_new_connection(server):
    server.answers["DATA"] = ["451 4.3.0 try again"]
    with mail_connection():
        assert refusal() == (FailReason.CHANNEL_REFUSED, True, "451 4.3.0 try again")
        deliver()
    assert (server.connections, len(server.received)) == (2, 1)


# Answers ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "answer", "is_temporary"),
    [
        ("MAIL", "421 4.7.0 too many messages", True),
        ("MAIL", "550 5.7.1 sender is not welcome", True),
        ("RCPT", "421 4.7.0 closing", True),
        ("RCPT", "451 4.7.1 greylisted", True),
        ("RCPT", "452 4.2.2 mailbox is full", True),
        ("RCPT", "550 5.1.1 no such mailbox", False),
        ("DATA", "421 4.3.2 shutting down", True),
        ("DATA", "451 4.3.0 try again", True),
        ("DATA", "554 5.7.1 looks like spam", False),
    ],
)
def test_the_servers_answer_decides_whether_to_try_again(server, command, answer, is_temporary):
    server.answers[command] = answer
    assert refusal() == (FailReason.CHANNEL_REFUSED, is_temporary, answer)
    assert server.received == []


@pytest.mark.parametrize("command", ["MAIL", "RCPT", "BODY", "DATA"])
def test_a_connection_that_drops_is_temporary(server, command):
    server.answers[command] = [DROP]
    with mail_connection():
        assert refusal() == (FailReason.CHANNEL_ERROR, True, "SMTPServerDisconnected")
        deliver()
    assert (server.connections, len(server.received)) == (2, 1)


def test_a_server_that_is_not_there_is_temporary(smtp_server):
    smtp_server(free_port())
    assert refusal() == (FailReason.CHANNEL_ERROR, True, "ConnectionRefusedError")


@pytest.mark.slow
def test_a_server_that_hangs_costs_the_timeout_and_is_temporary(server, settings):
    change(settings, SMTP_TIMEOUT_SECONDS=1)
    server.answers["DATA"] = HANG  # for ever
    assert refusal() == (FailReason.CHANNEL_ERROR, True, "SMTPServerDisconnected")
    assert mail._new_backend().timeout == 1


@pytest.mark.slow
def test_a_server_that_takes_the_call_and_says_nothing_costs_the_timeout(smtp_server, settings):
    change(settings, SMTP_TIMEOUT_SECONDS=1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        smtp_server(silent.getsockname()[1])
        reason, is_temporary, _ = refusal()
    assert (reason, is_temporary) == (FailReason.CHANNEL_ERROR, True)
    assert mail._new_backend().timeout == 1


def test_refusals_are_no_trouble(server):
    server.answers["RCPT"] = ["550 no"] * 4
    with mail_connection():
        for _ in range(4):
            refusal()
        deliver()
    assert len(server.received) == 1


# Timeouts and ways to set mail up -----------------------------------------------------------------


def test_a_timeout_that_is_set_stays(settings, server):
    if django.VERSION >= (6, 1):
        settings.MAILERS["default"]["OPTIONS"]["timeout"] = 7
    else:
        settings.EMAIL_TIMEOUT = 7
    assert mail._new_backend().timeout == 7


def test_a_connection_without_a_timeout_gets_one(server):
    assert mail._new_backend().timeout == 30


@pytest.mark.skipif(django.VERSION < (6, 1), reason="Django 6.1 has two ways")
@pytest.mark.filterwarnings("ignore:The EMAIL_")  # about the settings themselves, when they are set
def test_the_older_settings_do_in_django_6_1_without_a_warning(settings):
    with mail_server() as keeper:
        del settings.MAILERS
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", keeper.port
        deliver()
    assert len(keeper.received) == 1


class ApiError(Exception):
    """As django-anymail's: an answer by HTTP, with the address in its text."""

    def __init__(self, status_code):
        super().__init__("alice@learners.example.com was refused")
        self.status_code = status_code


class ApiBackend(BaseEmailBackend):
    """Implements `send_messages` alone, as a provider's API does. `answer`: an error to raise, or what to return."""

    sent, answer = [], None

    def send_messages(self, email_messages):
        if isinstance(self.answer, Exception):
            raise self.answer
        type(self).sent += email_messages
        return self.answer


@pytest.fixture
def api(settings, monkeypatch):
    use_backend(settings, ApiBackend)
    monkeypatch.setattr(ApiBackend, "sent", [])
    return lambda answer: monkeypatch.setattr(ApiBackend, "answer", answer)


def test_any_backend_will_do(api):
    with mail_connection():
        deliver()
        deliver()
    assert [email.to for email in ApiBackend.sent] == [["alice@learners.example.com"]] * 2


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (ApiError(429), (FailReason.CHANNEL_REFUSED, True, "ApiError 429")),
        (ApiError(503), (FailReason.CHANNEL_REFUSED, True, "ApiError 503")),
        (ApiError(400), (FailReason.CHANNEL_REFUSED, False, "ApiError 400")),
        (ApiError(None), (FailReason.CHANNEL_ERROR, True, "ApiError")),
        (TimeoutError(), (FailReason.CHANNEL_ERROR, True, "TimeoutError")),
        (smtplib.SMTPServerDisconnected(), (FailReason.CHANNEL_ERROR, True, "SMTPServerDisconnected")),
        (smtplib.SMTPConnectError(421, b"busy"), (FailReason.CHANNEL_REFUSED, True, "421 busy")),
        (smtplib.SMTPAuthenticationError(535, b"no"), (FailReason.CHANNEL_REFUSED, True, "535 no")),
        (smtplib.SMTPNotSupportedError("x"), (FailReason.CHANNEL_ERROR, True, "SMTPNotSupportedError: x")),
        (smtplib.SMTPResponseException(-1, b""), (FailReason.CHANNEL_ERROR, True, "unexpected answer -1")),
        (smtplib.SMTPRecipientsRefused({}), (FailReason.CHANNEL_ERROR, True, "SMTPRecipientsRefused")),
        (ValueError("alice@learners.example.com"), (FailReason.CHANNEL_ERROR, True, "ValueError")),
        (0, (FailReason.CHANNEL_ERROR, True, "the mail backend sent nothing; does it fail silently?")),
    ],
    ids=repr,
)
def test_what_a_backend_raises_is_sorted(api, caplog, answer, expected):
    api(answer)
    assert refusal() == expected
    assert "alice@" not in caplog.text


# Words --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("from_name", "from_address", "shown"),
    [
        ("Bees\n & \n Wasps", "learning@example.com", ("Bees & Wasps", "learning@example.com")),
        ('Wasps, "Bees"', "learning@example.com", ('Wasps, "Bees"', "learning@example.com")),
        ("דבורים וצרעות", "learning@example.com", ("דבורים וצרעות", "learning@example.com")),
        ("Bees", "Meadow <learning@example.com>", ("Bees", "learning@example.com")),
        ("", "Meadow <learning@example.com>", ("Meadow", "learning@example.com")),
        ("", "learning@example.com", ("", "learning@example.com")),
    ],
)
def test_the_sender_is_the_rendered_name_at_the_sites_address(server, from_name, from_address, shown):
    deliver(from_name=from_name, from_address=from_address)
    (sender,) = server.received[0]["From"].addresses
    assert (sender.display_name, sender.addr_spec) == shown


def test_all_blanks_of_a_subject_collapse(server):
    words = [f"word{number}" for number in range(50)]
    deliver(subject="\n" + " \n ".join(words) + "\n")
    assert server.received[0]["Subject"] == " ".join(words)


def test_a_recipient_without_an_address_is_not_sent_to_nobody(server):
    assert refusal(address=None)[0] == FailReason.CHANNEL_ERROR
    assert server.connections == 0


@pytest.mark.django_db
@pytest.mark.parametrize("knows_utf8", [True, False])
def test_a_mailbox_that_is_not_ascii_is_written_to_where_the_server_can_and_skipped_elsewhere(
    our_channel, smtp_server, knows_utf8, caplog
):
    with mail_server(enable_SMTPUTF8=knows_utf8) as keeper:
        smtp_server(keeper.port)
        open_site()
        course = make_course("Bees & Wasps – 蜂")
        enroll(make_learner("joerg", email="jörg@bücher.example", pk=24), course)
        enroll(make_learner("alice", pk=48), course)
        call_command("send_recurring_nudge", "example.com", date=TODAY.isoformat(), verbosity=0)
    joerg = ScheduledMessage.objects.get(user_id=24)
    assert ScheduledMessage.objects.get(user_id=48).status == Status.SENT
    assert keeper.connections == 1
    if not knows_utf8:
        assert (joerg.status, joerg.reason) == (Status.SKIPPED, "bad-address")
        assert keeper.recipients == ["alice@learners.example.com"]
        return
    assert (joerg.status, joerg.reason) == (Status.SENT, "")
    assert keeper.recipients == ["jörg@xn--bcher-kva.example", "alice@learners.example.com"]
    raw = keeper.raw[0]
    assert "To: jörg@xn--bcher-kva.example\r\n".encode() in raw
    assert raw.count(b"\nTo:") == 1
    email = keeper.received[0]
    assert email["Message-ID"] == f"<{joerg.pk}@example.com>"
    assert "蜂" in email["Subject"] + email.get_body(["plain"]).get_content()
    assert "jörg" not in caplog.text


@pytest.mark.django_db
@pytest.mark.parametrize("channel", ["schedules_email", "django_email"])
@pytest.mark.parametrize("address", ["jörg@example.com", "alice smith@@example.com", "a@x.org, b@x.org", "alice"])
def test_an_address_that_is_none_is_skipped_without_a_word_in_the_log(settings, mailoutbox, caplog, channel, address):
    settings.ACE_ENABLED_CHANNELS = [channel]
    settings.ACE_CHANNEL_DEFAULT_EMAIL = channel
    open_site()
    enroll(make_learner("alice", email=address), make_course())
    call_command("send_recurring_nudge", "example.com", date=TODAY.isoformat(), verbosity=0)
    row = ScheduledMessage.objects.get()
    assert (row.status, why(row), row.attempts) == (
        Status.SKIPPED,
        "bad-address",
        int("jörg" in address and channel == "schedules_email"),
    )
    assert mailoutbox == []
    assert [one for one in caplog.records if one.name.startswith("schedules")] == []


@pytest.mark.django_db
def test_a_domain_that_is_not_ascii_is_written_to_by_its_registered_name(our_channel, server):
    open_site()
    enroll(make_learner("alice", email="alice@straße.example"), make_course())
    call_command("send_recurring_nudge", "example.com", date=TODAY.isoformat(), verbosity=0)
    assert server.recipients == ["alice@xn--strae-oqa.example"]


def test_replies_go_where_the_options_say(server):
    deliver(reply_to=["teachers@example.com"])
    assert server.received[0]["Reply-To"] == "teachers@example.com"
