"""The channel `schedules_sailthru_email`, through the real client, against a server that answers as the API does."""

import json
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qs

import edx_ace.channel
import pytest
import sailthru.sailthru_http
from django.utils import timezone
from edx_ace.channel import ChannelType
from edx_ace.message import Message
from edx_ace.recipient import Recipient
from edx_ace.renderers import RenderedEmail
from sailthru.sailthru_client import get_signature_hash

from schedules.contrib.lms.models import SiteConfiguration
from schedules.exceptions import ChannelUnavailable, DeliveryError, OptedOut, SkipRecipient
from schedules.ledger.status import site_status
from schedules.models import ScheduledMessage
from schedules.optouts import OptOutScope, opt_in, scopes_of
from schedules.values.outcomes import FailReason, SkipReason
from tests.loopback import serving
from tests.world import enroll, free_port, make_course, make_learner, open_site, send_nudges, why

NAME = "schedules_sailthru_email"
KEY, SECRET = "an-api-key", "a-shared-secret"
ADDRESS = "alice@learners.example.com"


class Sailthru:
    """Answers each rightly signed request with `answer` (bytes, or what becomes JSON), or, if null, with silence."""

    def __init__(self):
        self.status, self.headers, self.answer = 200, {}, {"send_id": "1"}
        self.requests = []
        self.closing = threading.Event()
        api = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                request = {key: values[0] for key, values in parse_qs(body).items()}
                signature = get_signature_hash({key: request[key] for key in ("api_key", "format", "json")}, SECRET)
                if (request["api_key"], request["sig"]) != (KEY, signature):
                    self.reply(403, {}, {"error": 5, "errormsg": "Authentication failed"})
                    return
                api.requests.append(json.loads(request["json"]))
                if api.answer is None:
                    api.closing.wait()
                    return
                self.reply(api.status, api.headers, api.answer)

            def reply(self, status, headers, answer):
                self.send_response(status)
                for key, value in headers.items():
                    self.send_header(key, value)
                self.end_headers()
                self.wfile.write(answer if isinstance(answer, bytes) else json.dumps(answer).encode())

            def log_message(self, *args):
                pass

        self.handler = Handler
        self.url = ""


@pytest.fixture
def api():
    api = Sailthru()
    with serving(api.handler) as api.url:
        yield api
        api.closing.set()


@pytest.fixture
def client(settings, api, monkeypatch):
    """The real client of the channel that edx-ace loaded, with a short timeout (its own is ten seconds)."""
    settings.ACE_ENABLED_CHANNELS = [NAME]
    settings.ACE_CHANNEL_DEFAULT_EMAIL = NAME
    settings.ACE_CHANNEL_SAILTHRU_DEBUG = False
    settings.ACE_CHANNEL_SAILTHRU_TEMPLATE_NAME = "schedules"
    settings.ACE_CHANNEL_SAILTHRU_API_KEY = KEY
    settings.ACE_CHANNEL_SAILTHRU_API_SECRET = SECRET
    request = sailthru.sailthru_http.requests.request
    monkeypatch.setattr(
        sailthru.sailthru_http.requests, "request", lambda *args, **more: request(*args, **{**more, "timeout": 0.5})
    )
    real = channel().sailthru_client.client
    real.api_url = api.url
    return real


def channel():
    return edx_ace.channel.channels().get_channel_by_name(ChannelType.EMAIL, NAME)


def deliver():
    message = Message(
        app_label="schedules", name="recurringnudge_day3", recipient=Recipient(lms_user_id=1, email_address=ADDRESS)
    )
    channel().deliver(
        message, RenderedEmail(from_name="Bees", subject="Hello", body_html="<p>Hi</p>", head_html="", body="Hi")
    )


def refusal():
    with pytest.raises(DeliveryError) as caught:
        deliver()
    error = caught.value
    assert "alice" not in f"{error} {error.detail}"
    return error


def test_what_sailthru_accepts_is_delivered_once(client, api):
    deliver()
    (request,) = api.requests
    assert (request["template"], request["email"]) == ("schedules", ADDRESS)
    assert request["vars"]["ace_template_from_name"] == "Bees"


def test_a_wrong_signature_is_the_channels_trouble(client, api):
    client.secret = "another"
    error = refusal()
    assert (error.reason, type(error)) == (FailReason.CHANNEL_REFUSED, ChannelUnavailable)
    assert error.detail == "Sailthru error 5: Authentication failed"
    assert api.requests == []


def test_the_rate_limit_is_temporary_until_its_reset(client, api):
    reset_at = timezone.now().replace(microsecond=0) + timedelta(seconds=40)
    api.status, api.answer = 429, {"error": 43, "errormsg": "Too many requests this minute"}
    api.headers = {"X-Rate-Limit-Remaining": "0", "X-Rate-Limit-Reset": str(int(reset_at.timestamp()))}
    error = refusal()
    assert (error.reason, error.is_temporary, error.retry_at) == (FailReason.CHANNEL_REFUSED, True, reset_at)


@pytest.mark.parametrize("reset", [None, "soon", "0", str(int(datetime(2020, 1, 1, tzinfo=UTC).timestamp())), "9" * 30])
def test_without_a_usable_reset_the_queue_decides_when(client, api, reset):
    api.status, api.answer = 429, {"error": 43, "errormsg": "Too many requests this minute"}
    api.headers = {"X-Rate-Limit-Reset": reset} if reset else {}
    error = refusal()
    assert (error.is_temporary, error.retry_at) == (True, None)


@pytest.mark.parametrize("status", [200, 400, 500])
def test_an_internal_error_is_temporary(client, api, status):
    api.status, api.answer = status, {"error": 9, "errormsg": f"Internal Error for {ADDRESS}"}
    error = refusal()
    assert (error.reason, error.is_temporary) == (FailReason.CHANNEL_REFUSED, True)


@pytest.mark.parametrize("code", [1, 3, 4, 5, 14])
def test_what_is_wrong_with_our_access_is_the_channels_trouble(client, api, code):
    api.status, api.answer = 400, {"error": code, "errormsg": "no"}
    assert isinstance(refusal(), ChannelUnavailable)


def test_an_error_without_a_code_of_its_own_is_tried_again(client, api):
    api.status, api.answer = 400, {"error": 99, "errormsg": "Something else"}
    error = refusal()
    assert (error.is_temporary, error.is_doubtful, error.detail) == (True, True, "Sailthru error 99: Something else")


@pytest.mark.parametrize(
    ("code", "reason"), [*((code, SkipReason.OPTED_OUT) for code in range(32, 38)), (11, SkipReason.BAD_ADDRESS)]
)
def test_an_address_that_sailthru_does_not_write_to_is_skipped(client, api, code, reason):
    api.status, api.answer = 400, {"error": code, "errormsg": f"{ADDRESS} has opted out of delivery"}
    with pytest.raises(SkipRecipient) as caught:
        deliver()
    assert caught.value.reason == reason
    assert isinstance(caught.value, OptedOut) == (reason == SkipReason.OPTED_OUT)


def test_another_error_fails_for_good_with_its_text(client, api):
    api.status, api.answer = 400, {"error": 6, "errormsg": f"Invalid UTF-8 for {ADDRESS}"}
    error = refusal()
    assert (error.is_temporary, error.detail) == (False, "Sailthru error 6: Invalid UTF-8 for (address)")


@pytest.mark.parametrize(
    ("status", "answer"),
    [
        (200, b"<html>Bad gateway</html>"),
        (502, b"<html>Bad gateway</html>"),
        (200, b""),
        (200, []),
        (200, [1]),
        (200, {}),
        (200, "yes"),
        (503, {"message": "maintenance"}),
    ],
)
def test_garbage_is_temporary(client, api, status, answer):
    api.status, api.answer = status, answer
    error = refusal()
    assert (error.reason, error.is_temporary) == (FailReason.CHANNEL_ERROR, True)
    assert f"HTTP {status}" in error.detail


def test_silence_is_temporary_and_costs_the_timeout(client, api):
    api.answer = None  # for as long as the test takes
    error = refusal()
    assert (error.reason, error.is_temporary) == (FailReason.CHANNEL_ERROR, True)
    assert error.detail == "Sailthru did not answer (SailthruClientError)"
    assert len(api.requests) == 1


def test_a_refused_connection_is_the_channels_trouble(client):
    client.api_url = f"http://127.0.0.1:{free_port()}"
    error = refusal()
    assert (error.reason, type(error)) == (FailReason.CHANNEL_ERROR, ChannelUnavailable)


def test_debug_mode_asks_nobody(client, api, settings):
    settings.ACE_CHANNEL_SAILTHRU_DEBUG = True
    deliver()
    assert api.requests == []


def test_a_key_that_went_missing_is_the_channels_trouble_and_shows_no_address(client, settings, caplog):
    del settings.ACE_CHANNEL_SAILTHRU_API_KEY
    error = refusal()
    assert (error.reason, type(error)) == (FailReason.CHANNEL_ERROR, ChannelUnavailable)
    assert ADDRESS not in caplog.text


@pytest.mark.django_db
def test_a_nudge_goes_the_whole_way_with_both_links(client, api):
    open_site()
    enroll(make_learner(), make_course("Bees & Wasps"))
    send_nudges()
    row = ScheduledMessage.objects.get()
    assert (row.status, row.channel) == ("sent", NAME)
    body = api.requests[0]["vars"]["ace_template_body_html"]
    assert "{optout_confirm_url}" in body
    assert "/schedules/unsubscribe/" in body


@pytest.mark.django_db
@pytest.mark.parametrize("code", [32, 33, 35])
def test_who_opted_out_at_sailthru_is_kept_as_such_and_not_asked_about_again(client, api, code):
    site = open_site()
    alice = make_learner()
    enroll(alice, make_course("Bees & Wasps"))
    api.status, api.answer = 400, {"error": code, "errormsg": f"{ADDRESS} has opted out"}
    send_nudges()
    row = ScheduledMessage.objects.get()
    assert (row.status, row.reason) == ("skipped", "opted-out")
    assert scopes_of(alice.pk) == [OptOutScope(site_id=site.pk)]
    assert site_status(site, timezone.now()).failed == {}
    enroll(alice, make_course("Another"), days_ago=10)
    send_nudges()
    assert len(api.requests) == 1
    assert {one.reason for one in ScheduledMessage.objects.all()} == {"opted-out"}
    # Back again, here and at Sailthru:
    opt_in(alice.pk, OptOutScope(site_id=site.pk))
    api.status, api.answer = 200, {"send_id": "1"}
    send_nudges()
    assert {one.status for one in ScheduledMessage.objects.all()} == {"sent"}


@pytest.mark.django_db
def test_a_tester_who_opted_out_at_sailthru_is_not_the_learner(client, api):
    open_site()
    alice = make_learner()
    enroll(alice, make_course("Bees & Wasps"))
    api.status, api.answer = 400, {"error": 32, "errormsg": "no"}
    send_nudges(override_recipient_email="me@example.org")
    assert len(api.requests) == 1
    assert scopes_of(alice.pk) == []


@pytest.mark.django_db
def test_a_wrong_key_is_tried_once_for_all_learners(client, api):
    open_site()
    course = make_course("Bees & Wasps")
    for number in range(5):
        enroll(make_learner(f"learner{number}"), course)
    api.status, api.answer = 401, {"error": 3, "errormsg": "Invalid API key"}
    send_nudges()
    assert len(api.requests) == 1
    rows = {(row.status, why(row), row.attempts) for row in ScheduledMessage.objects.all()}
    assert rows == {("claimed", "channel-refused: Sailthru error 3: Invalid API key", 0)}


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("values", "options"),
    [({}, {}), ({"email_from_address": ""}, {}), ({"email_from_address": " us@x.org "}, {"behalf_email": "us@x.org"})],
)
def test_sailthru_sends_on_behalf_of_a_sites_own_address_only(client, api, values, options):
    SiteConfiguration.objects.create(site=open_site(), enabled=True, site_values=values)
    enroll(make_learner(), make_course("Bees & Wasps"))
    send_nudges()
    (request,) = api.requests
    assert request["options"] == options


@pytest.mark.slow
def test_the_app_does_not_import_the_client_of_itself():
    code = (
        "import os, sys, django; os.environ['DJANGO_SETTINGS_MODULE'] = 'tests.settings'; django.setup(); "
        "import schedules.sending.tasks, schedules.channels.mail; "
        "sys.exit('sailthru' in sys.modules or 'schedules.channels.sailthru' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0  # noqa: S603 - our own interpreter
