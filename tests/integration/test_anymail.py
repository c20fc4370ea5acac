"""django-anymail as Django's mail backend: a provider's API in place of an SMTP server, by `schedules_email`."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

import django
import pytest
from django.core.management import call_command
from django.utils import timezone

from schedules.models import ScheduledMessage
from tests.world import TODAY, enroll, free_port, make_course, make_learner, open_site

pytestmark = pytest.mark.django_db

Status = ScheduledMessage.Status
BACKEND = "anymail.backends.mailgun.EmailBackend"


class Provider:
    """Speaks as Mailgun does, and answers with `status`. `requests`: the fields of each, names in lower case."""

    def __init__(self):
        self.status = 200
        self.requests = []
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                provider.requests.append({name.lower(): values[0] for name, values in parse_qs(body).items()})
                self.send_response(provider.status)
                self.end_headers()
                is_yes = provider.status == 200
                said = {"id": "<1@mail.example.com>", "message": "Queued."} if is_yes else {"message": "learner0@ no"}
                self.wfile.write(json.dumps(said).encode())

            def log_message(self, *args):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/v3"


@pytest.fixture
def provider(settings):
    provider = Provider()
    thread = threading.Thread(target=provider.server.serve_forever, daemon=True)
    thread.start()
    use(settings, provider.url)
    yield provider
    provider.server.shutdown()
    provider.server.server_close()
    thread.join()


def use(settings, url):
    settings.ACE_ENABLED_CHANNELS = ["schedules_email"]
    settings.ACE_CHANNEL_DEFAULT_EMAIL = "schedules_email"
    settings.ANYMAIL = {"MAILGUN_API_KEY": "key", "MAILGUN_SENDER_DOMAIN": "example.com", "MAILGUN_API_URL": url}
    if django.VERSION >= (6, 1):
        settings.MAILERS = {"default": {"BACKEND": BACKEND}}
    else:
        settings.EMAIL_BACKEND = BACKEND


def run_nudge():
    open_site()
    enroll(make_learner("learner0"), make_course("Bees & Wasps"))
    call_command("send_recurring_nudge", "example.com", date=TODAY.isoformat(), verbosity=0)
    return ScheduledMessage.objects.get()


def test_a_message_goes_out_with_its_sender_name_and_headers(provider):
    row = run_nudge()
    assert (row.status, row.channel) == (Status.SENT, "schedules_email")
    (sent,) = provider.requests
    assert sent["from"] == "Bees & Wasps <learning@example.com>"
    assert sent["to"] == "learner0@learners.example.com"
    assert sent["h:message-id"] == f"<{row.pk}@example.com>"
    assert sent["h:auto-submitted"] == "auto-generated"
    assert sent["h:feedback-id"] == "recurringnudge_day3:example.com:schedules"
    assert "Bees & Wasps" in sent["text"]
    assert "Bees &amp; Wasps" in sent["html"]


@pytest.mark.parametrize("status", [429, 500])
def test_what_the_provider_refuses_for_now_is_tried_again_as_the_same_message(provider, status):
    provider.status = status
    row = run_nudge()
    assert (row.status, row.reason) == (Status.CLAIMED, f"channel-refused: AnymailRequestsAPIError {status}")
    assert row.due_at > timezone.now()
    provider.status = 200
    ScheduledMessage.objects.update(due_at=timezone.now(), leased_until=timezone.now())
    call_command("recover_messages")
    assert ScheduledMessage.objects.get().status == Status.SENT
    first, second = provider.requests
    assert first["h:message-id"] == second["h:message-id"] == f"<{row.pk}@example.com>"


def test_what_the_provider_refuses_for_good_fails_without_the_address(provider, caplog):
    provider.status = 400
    row = run_nudge()
    assert (row.status, row.reason) == (Status.FAILED, "channel-refused: AnymailRequestsAPIError 400")
    assert "learner0" not in caplog.text
    assert len(provider.requests) == 1


def test_a_provider_that_cannot_be_reached_is_tried_again(settings):
    use(settings, f"http://127.0.0.1:{free_port()}/v3")
    row = run_nudge()
    assert (row.status, row.due_at > timezone.now()) == (Status.CLAIMED, True)
    assert row.reason.startswith("channel-error: ")
