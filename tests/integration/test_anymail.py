"""django-anymail as Django's mail backend: a provider's API in place of an SMTP server, by `schedules_email`."""

import base64
import json
from datetime import timedelta
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qs

import django
import pytest
from django.core.management import call_command
from django.utils import timezone

from schedules.models import ChannelTrouble, ScheduledMessage
from tests.loopback import serving
from tests.world import TODAY, enroll, free_port, make_course, make_learner, open_site, why

pytestmark = pytest.mark.django_db

Status = ScheduledMessage.Status
BACKEND = "anymail.backends.mailgun.EmailBackend"
SES_BACKEND = "anymail.backends.amazon_ses.EmailBackend"


class Provider:
    """Speaks as Mailgun does, and answers with `status`. `requests`: the fields of each, names in lower case.

    To Amazon's clients it speaks as SES does: `code` is the word for what went wrong, the requests are e-mails.
    """

    def __init__(self):
        self.status = 200
        self.code = "ServiceUnavailable"
        self.requests = []
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                if self.headers["Content-Type"] == "application/json":
                    provider.requests.append(base64.b64decode(json.loads(body)["Content"]["Raw"]["Data"]).decode())
                    self.send_response(provider.status)
                    self.send_header("X-Amzn-ErrorType", provider.code)
                    self.end_headers()
                    self.wfile.write(json.dumps({"MessageId": "1"} if provider.status == 200 else {}).encode())
                    return
                provider.requests.append({name.lower(): values[0] for name, values in parse_qs(body).items()})
                self.send_response(provider.status)
                self.end_headers()
                is_yes = provider.status == 200
                said = {"id": "<1@mail.example.com>", "message": "Queued."} if is_yes else {"message": "learner0@ no"}
                self.wfile.write(json.dumps(said).encode())

            def log_message(self, *args):
                pass

        self.handler = Handler


@pytest.fixture
def provider(settings):
    provider = Provider()
    with serving(provider.handler) as root:
        provider.url = f"{root}/v3"
        use(settings, provider.url)
        yield provider


def use(settings, url, backend=BACKEND):
    settings.ACE_ENABLED_CHANNELS = ["schedules_email"]
    settings.ACE_CHANNEL_DEFAULT_EMAIL = "schedules_email"
    settings.ANYMAIL = {
        "MAILGUN_API_KEY": "key",
        "MAILGUN_SENDER_DOMAIN": "example.com",
        "MAILGUN_API_URL": url,
        "AMAZON_SES_CLIENT_PARAMS": {
            "endpoint_url": url,
            "region_name": "eu-west-1",
            "aws_access_key_id": "key",
            "aws_secret_access_key": "secret",
            "config": {"retries": {"total_max_attempts": 1}},
        },
    }
    if django.VERSION >= (6, 1):
        settings.MAILERS = {"default": {"BACKEND": backend}}
    else:
        settings.EMAIL_BACKEND = backend


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
    assert (row.status, why(row)) == (Status.CLAIMED, f"channel-refused: AnymailRequestsAPIError {status}")
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
    assert (row.status, why(row)) == (Status.FAILED, "channel-refused: AnymailRequestsAPIError 400")
    assert "learner0" not in caplog.text
    assert len(provider.requests) == 1


def test_a_provider_that_cannot_be_reached_is_tried_again(settings):
    use(settings, f"http://127.0.0.1:{free_port()}/v3")
    row = run_nudge()
    assert (row.status, row.due_at > timezone.now()) == (Status.CLAIMED, True)
    assert why(row).startswith("channel-error: ")


# Amazon's backend leaves the status out; it stands in the error's cause ----------------------------


@pytest.mark.parametrize(
    ("status", "code", "said"),
    [
        (503, "ServiceUnavailable", "channel-refused: AnymailAPIError 503"),
        (500, "InternalFailure", "channel-refused: AnymailAPIError 500"),
        (429, "TooManyRequestsException", "channel-refused: AnymailAPIError 429"),
        (400, "Throttling", "channel-refused: AnymailAPIError Throttling"),
        (400, "SendingPausedException", "channel-refused: AnymailAPIError SendingPausedException"),
        (403, "SignatureDoesNotMatch", "channel-refused: AnymailAPIError 403"),
    ],
)
def test_what_amazon_refuses_for_now_waits_and_is_sent(provider, settings, status, code, said):
    use(settings, provider.url, SES_BACKEND)
    provider.status, provider.code = status, code
    row = run_nudge()
    assert (row.status, why(row)) == (Status.CLAIMED, said)
    settings.SCHEDULES = {**settings.SCHEDULES, "RETRY_ATTEMPTS": 2}
    for _ in range(3):
        long_ago = timezone.now() - timedelta(minutes=1)
        ScheduledMessage.objects.update(due_at=long_ago, leased_until=long_ago)
        ChannelTrouble.objects.update(blocked_until=long_ago)
        call_command("recover_messages")
    assert ScheduledMessage.objects.get().status == Status.CLAIMED
    provider.status = 200
    ScheduledMessage.objects.update(due_at=long_ago, leased_until=long_ago)
    ChannelTrouble.objects.update(blocked_until=long_ago)
    call_command("recover_messages")
    assert ScheduledMessage.objects.get().status == Status.SENT
    assert f"<{row.pk}@example.com>" in provider.requests[-1]


def test_a_message_that_amazon_rejects_fails_alone(provider, settings):
    use(settings, provider.url, SES_BACKEND)
    provider.status, provider.code = 400, "MessageRejected"
    row = run_nudge()
    assert (row.status, why(row)) == (Status.FAILED, "channel-refused: AnymailAPIError MessageRejected")


def test_an_amazon_that_cannot_be_reached_is_tried_again(settings):
    use(settings, f"http://127.0.0.1:{free_port()}", SES_BACKEND)
    row = run_nudge()
    assert (row.status, why(row)) == (Status.CLAIMED, "channel-error: AnymailAPIError")
    assert ChannelTrouble.objects.exists()


def test_a_provider_whose_key_is_missing_is_the_channels_trouble(settings):
    use(settings, "http://127.0.0.1")
    settings.ANYMAIL = {}
    row = run_nudge()
    assert row.status == Status.CLAIMED
    assert "api_key" in why(row).lower()  # of MAILERS, or of ANYMAIL
