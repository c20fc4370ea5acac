"""Each channel is a setting away, through the real edx-ace: files, Django's mail, Sailthru."""

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from types import SimpleNamespace
from urllib.parse import parse_qs

import edx_ace.channel
import edx_ace.delivery
import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Message as MessageHandler
from django.core.management import call_command
from edx_ace.channel import ChannelType
from sailthru.sailthru_client import get_signature_hash

from schedules.models import ScheduledMessage
from tests.loopback import serving
from tests.world import TODAY, enroll, free_port, make_course, make_learner, open_site, why

pytestmark = pytest.mark.django_db

Status = ScheduledMessage.Status
KEY, SECRET = "an-api-key", "a-shared-secret"


def send_to_alice(**fields):
    open_site()
    alice = make_learner()
    enroll(alice, make_course("Bees & Wasps", **fields))
    call_command("send_recurring_nudge", "example.com", date=TODAY.isoformat(), verbosity=0)
    return ScheduledMessage.objects.get()


def test_the_file_channel_writes_one_file_named_by_day_message_learner_and_uuid(mailbox):
    row = send_to_alice()
    assert (row.status, row.channel) == (Status.SENT, "schedules_file_email")
    (path,) = mailbox.glob("20*.html")
    assert path.name == f"{TODAY}_recurringnudge_day3_{row.user_id}_{row.pk.hex[:12]}.html"
    assert "Bees &amp; Wasps" in path.read_text()


def test_the_file_channel_makes_its_folder(settings, tmp_path):
    settings.SCHEDULES = {"FILE_EMAIL_DIRECTORY": tmp_path / "new" / "folder"}
    assert send_to_alice().status == Status.SENT
    assert len(list((tmp_path / "new" / "folder").glob("20*.html"))) == 1


class Keep(MessageHandler):
    """Keeps what a real SMTP server received."""

    def __init__(self):
        super().__init__()
        self.received = []

    def handle_message(self, message):
        self.received.append(message)


def test_mail_reaches_a_real_smtp_server(email_channel, smtp_server):
    keep = Keep()
    port = free_port()
    server = Controller(keep, hostname="127.0.0.1", port=port)
    server.start()
    try:
        smtp_server(port)
        row = send_to_alice()
    finally:
        server.stop()
    assert row.status == Status.SENT
    (mail,) = keep.received
    assert mail["X-RcptTo"] == "alice@learners.example.com"
    assert mail["Message-ID"] == f"<{row.pk}@example.com>"
    assert [part.get_content_type() for part in mail.walk()] == ["multipart/alternative", "text/plain", "text/html"]


# Sailthru ----------------------------------------------------------------------------------------


@contextmanager
def sailthru_api(status: int, answer: object, headers: dict[str, str] | None = None) -> Iterator[tuple[str, list]]:
    """A loopback server that keeps each request's parameters and gives one answer to all."""
    requests: list[dict[str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            requests.append({key: values[0] for key, values in parse_qs(body).items()})
            self.send_response(status)
            for key, value in (headers or {}).items():
                self.send_header(key, value)
            self.end_headers()
            self.wfile.write(json.dumps(answer).encode())

        def log_message(self, *args):
            pass

    with serving(Handler) as url:
        yield url, requests


@pytest.fixture
def sailthru(settings):
    """Sailthru is the channel; returns a function that points its client at a server."""
    settings.ACE_ENABLED_CHANNELS = ["sailthru_email"]
    settings.ACE_CHANNEL_DEFAULT_EMAIL = "sailthru_email"
    settings.ACE_CHANNEL_SAILTHRU_DEBUG = False
    settings.ACE_CHANNEL_SAILTHRU_TEMPLATE_NAME = "schedules"
    settings.ACE_CHANNEL_SAILTHRU_API_KEY = KEY
    settings.ACE_CHANNEL_SAILTHRU_API_SECRET = SECRET

    def point_at(url):
        edx_ace.channel.channels().get_channel_by_name(
            ChannelType.EMAIL, "sailthru_email"
        ).sailthru_client.api_url = url

    return point_at


def test_sailthru_gets_a_signed_request_with_the_rendered_parts(sailthru):
    with sailthru_api(200, {"send_id": "1"}) as (url, requests):
        sailthru(url)
        row = send_to_alice()
    assert (row.status, row.channel) == (Status.SENT, "sailthru_email")
    (request,) = requests
    assert request["sig"] == get_signature_hash({key: request[key] for key in ("api_key", "format", "json")}, SECRET)
    sent = json.loads(request["json"])
    assert (sent["template"], sent["email"]) == ("schedules", "alice@learners.example.com")
    assert sent["options"] == {}
    parts = sent["vars"]
    assert parts["ace_template_from_name"] == "Bees & Wasps"
    assert "Bees &amp; Wasps" in parts["ace_template_body_html"]
    assert "{optout_confirm_url}" in parts["ace_template_body_html"]
    assert "course-v1:MeadowX%2BC1%2B2026" in parts["ace_template_body"]


@pytest.fixture
def _nobody_sleeps(monkeypatch):
    """edx-ace does, before it tries a message again."""
    naps = []
    monkeypatch.setattr(edx_ace.delivery, "time", SimpleNamespace(sleep=naps.append))
    yield
    assert naps == []


@pytest.mark.usefixtures("_nobody_sleeps")
@pytest.mark.parametrize(
    ("answer", "status", "reason"),
    [
        ((32, "alice@learners.example.com has opted out"), Status.FAILED, "channel-refused: Fatal Sailthru error"),
        ((9, "Internal error"), Status.CLAIMED, "channel-refused: the channel asks to try again later"),
        # edx-ace trips over the header of this one; the message must not be lost in silence.
        ((43, "Too many requests"), Status.CLAIMED, "channel-error: AttributeError"),
    ],
)
def test_what_sailthru_refuses_is_recorded_at_once_without_an_address(sailthru, caplog, answer, status, reason):
    with sailthru_api(400, {"error": answer[0], "errormsg": answer[1]}) as (url, _):
        sailthru(url)
        row = send_to_alice()
    assert row.status == status
    assert why(row).startswith(reason)
    assert "alice@" not in why(row) + caplog.text


def test_sailthru_in_debug_mode_logs_in_place_of_sending(sailthru, settings, caplog):
    settings.ACE_CHANNEL_SAILTHRU_DEBUG = True
    caplog.set_level(logging.INFO)
    with sailthru_api(500, {}) as (url, requests):
        sailthru(url)
        row = send_to_alice()
    assert row.status == Status.SENT
    assert requests == []
    assert "Would have emailed using" in caplog.text
