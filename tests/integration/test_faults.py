"""What an error of any backend means is read from the whole chain of its causes."""

import http.client
import socket
import ssl
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from smtplib import SMTPDataError, SMTPRecipientsRefused, SMTPServerDisconnected

import httpx
import pytest
import requests
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError

from schedules.channels import faults
from schedules.channels.faults import delivery_error, unavailable
from schedules.exceptions import ChannelUnavailable
from schedules.values.outcomes import FailReason
from tests.world import free_port

MESSAGES, CHANNELS, UNKNOWN = "final for this message", "the channel's", "tried a few times"
LATER = "waits"


class BackendError(Exception):
    """As backends wrap what their library raised; it says nothing itself."""

    status_code = None

    def __init__(self, **fields):
        super().__init__("alice@learners.example.com was not taken")
        vars(self).update(fields)


def wrapped(error):
    """`error` as the cause of another, twice removed."""
    middle, outer = RuntimeError(), BackendError()
    outer.__context__, middle.__cause__ = middle, error
    return outer


def meaning(error):
    found = delivery_error(error, "alice@learners.example.com")
    assert "alice" not in str(found)
    if isinstance(found, ChannelUnavailable):
        return CHANNELS
    if not found.is_temporary:
        return MESSAGES
    return LATER if found.is_known else UNKNOWN


def answer(status, **headers):
    response = requests.Response()
    response.status_code = status
    response.headers.update(headers)
    return response


def aws(code, status=400, said="no"):
    metadata = {"HTTPStatusCode": status, "HTTPHeaders": {}}
    return ClientError({"Error": {"Code": code, "Message": said}, "ResponseMetadata": metadata}, "SendEmail")


def httpx_error(status):
    request = httpx.Request("POST", "https://api.example.com")
    return httpx.HTTPStatusError("no", request=request, response=httpx.Response(status, request=request))


def at_rcpt(code, said):
    return SMTPRecipientsRefused({"alice@learners.example.com": (code, said.encode())})


@pytest.mark.parametrize("wrap", [lambda error: error, wrapped], ids=["itself", "as a cause"])
@pytest.mark.parametrize(
    ("error", "expected"),
    [
        # Sockets
        (ConnectionRefusedError(), CHANNELS),
        (OSError(113, "No route to host"), CHANNELS),
        (socket.gaierror(-2, "Name or service not known"), CHANNELS),
        (ssl.SSLCertVerificationError("certificate has expired"), CHANNELS),
        (ssl.SSLEOFError(), LATER),
        (TimeoutError(), LATER),
        (ConnectionResetError(), LATER),
        (OSError(28, "No space left on device"), LATER),
        (SMTPServerDisconnected(), LATER),
        (http.client.IncompleteRead(b""), LATER),
        # Answers that speak of the machine that asks, or of nobody
        (at_rcpt(554, "5.7.1 Service unavailable; Client host [192.0.2.1] blocked using zen.example.org"), CHANNELS),
        (at_rcpt(550, "5.7.1 Mail refused: listed by our RBL"), CHANNELS),
        (at_rcpt(550, "5.7.1 The recipient takes no mail from strangers"), MESSAGES),
        (at_rcpt(451, "4.3.0 Temporary lookup failure"), LATER),
        (SMTPDataError(421, b"4.3.2 shutting down"), LATER),
        (SMTPDataError(451, b"4.7.1 Greylisted, try again later"), LATER),
        (SMTPDataError(451, b"local error"), CHANNELS),
        (SMTPDataError(550, b"5.7.25 [192.0.2.1] The address has no\n5.7.25 PTR record"), CHANNELS),
        # HTTP
        *((BackendError(status_code=status), LATER) for status in (408, 425, 429, 500, 502, 503, 504, 599)),
        *((BackendError(status_code=status), CHANNELS) for status in (401, 402, 403, 404, 407)),
        *((BackendError(status_code=status), MESSAGES) for status in (400, 413, 422, HTTPStatus.CONFLICT)),
        (BackendError(response=answer(503)), LATER),
        (BackendError(code=503), LATER),
        (requests.HTTPError(response=answer(503)), LATER),
        (requests.HTTPError(response=answer(422)), MESSAGES),
        (requests.ReadTimeout(), LATER),
        (requests.ConnectTimeout(), CHANNELS),
        (httpx_error(503), LATER),
        (httpx_error(401), CHANNELS),
        (httpx.RemoteProtocolError("gone"), LATER),
        (httpx.ConnectError("refused"), CHANNELS),
        # Amazon
        (aws("ServiceUnavailable", 503), LATER),
        (aws("Throttling"), LATER),
        (aws("TooManyRequestsException", 429), LATER),
        (aws("LimitExceededException"), LATER),
        (aws("AccountSuspendedException"), CHANNELS),
        (aws("SendingPausedException"), CHANNELS),
        (aws("MailFromDomainNotVerifiedException"), CHANNELS),
        (aws("SignatureDoesNotMatch", 403), CHANNELS),
        (aws("MessageRejected"), MESSAGES),
        (aws("MessageRejected", said="Email address is not verified. These failed: us@example.com"), CHANNELS),
        (EndpointConnectionError(endpoint_url="https://email.example.com"), CHANNELS),
        (NoCredentialsError(), CHANNELS),
        # Nobody knows
        (ValueError("alice@learners.example.com"), UNKNOWN),
        (BackendError(), UNKNOWN),
        (BackendError(code="E17", status=True), UNKNOWN),
    ],
    ids=repr,
)
def test_an_error_means_what_it_says_wherever_in_the_chain_it_stands(error, expected, wrap):
    assert meaning(wrap(error)) == expected


@pytest.mark.parametrize("client", [requests, httpx])
def test_a_library_whose_server_is_not_there_says_so_in_its_causes(client):
    with pytest.raises((OSError, client.HTTPError)) as caught:
        client.post(f"http://127.0.0.1:{free_port()}", timeout=5)
    assert meaning(wrapped(caught.value)) == CHANNELS


def test_the_nearest_that_can_be_named_decides():
    error = BackendError(status_code=422)
    error.__context__ = TimeoutError()
    assert meaning(error) == MESSAGES


def test_a_chain_that_bites_its_tail_ends():
    first, second = BackendError(), BackendError()
    first.__cause__, second.__cause__ = second, first
    assert meaning(first) == UNKNOWN


NOW = datetime(2026, 3, 9, 9, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("120", 120),
        ("Mon, 09 Mar 2026 14:00:00 GMT", 5 * 3600),
        ("Mon, 02 Mar 2026 14:00:00 GMT", None),
        ("0", None),
        ("soon", None),
        ("-5", None),
        ("9" * 30, None),
        ("", None),
    ],
)
@pytest.mark.parametrize("status", [429, 503])
def test_a_service_may_say_when_to_come_back(said, seconds, status, monkeypatch):
    monkeypatch.setattr(faults.timezone, "now", lambda: NOW)
    found = delivery_error(BackendError(response=answer(status, **{"Retry-After": said})))
    assert found.retry_at == (seconds and NOW + timedelta(seconds=seconds))


def test_before_there_is_a_message_everything_is_the_channels():
    for error in (ValueError("host"), TimeoutError(), UnicodeError("label too long"), BackendError(status_code=400)):
        assert isinstance(unavailable(error), ChannelUnavailable)


def test_an_error_that_nobody_can_name_is_logged_without_its_words(caplog):
    found = delivery_error(ValueError("alice@learners.example.com"))
    assert (found.reason, found.detail) == (FailReason.CHANNEL_ERROR, "ValueError")
    assert "ValueError" in caplog.text
    assert "alice" not in caplog.text
