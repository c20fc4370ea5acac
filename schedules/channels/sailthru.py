"""The channel `schedules_sailthru_email`: edx-ace's Sailthru channel, with answers that say what happens next."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

from django.utils import timezone
from edx_ace.channel.sailthru import SailthruEmailChannel
from edx_ace.errors import FatalChannelDeliveryError

from schedules.channels import faults
from schedules.exceptions import ChannelUnavailable, DeliveryError, OptedOut, SchedulesError, SkipRecipient
from schedules.values.outcomes import FailReason, SkipReason
from schedules.values.text import without_addresses

# Sailthru's codes. Source: https://getstarted.sailthru.com/developers/api-basics/responses/
_INTERNAL_ERROR = 9
_INVALID_EMAIL = 11
_RATE_LIMIT = 43
_OTHER_ERROR = 99
#: Our access is at fault: the method, the key, the machine, the signature, the name of the template.
_ACCESS = frozenset({1, 3, 4, 5, 14})
#: Addresses that Sailthru does not write to: they opted out of all messages (32), of our template (33) or of all but
#: basic ones (37), may not be e-mailed (34, 36), or bounce (35).
_UNWELCOME = frozenset(range(32, 38))


class SailthruChannel(SailthruEmailChannel):
    """Raises `DeliveryError` where edx-ace's own channel trips (rate limits), gives up or believes garbage.

    And `SkipRecipient` for an address that is none, or whose owner opted out at Sailthru.
    """

    sailthru_client: Any

    def __init__(self) -> None:
        super().__init__()
        if self.sailthru_client is not None:
            self.sailthru_client = _CheckedClient(self.sailthru_client)

    def deliver(self, message: Any, rendered_message: Any) -> None:
        try:
            super().deliver(message, rendered_message)
        except FatalChannelDeliveryError as error:
            if error.__cause__ is None:
                detail = "Sailthru is not set up; see ACE_CHANNEL_SAILTHRU_API_KEY"
                raise ChannelUnavailable(FailReason.CHANNEL_ERROR, detail) from None
            detail = f"Sailthru did not answer ({type(error.__cause__).__name__})"
            if isinstance(faults.delivery_error(error.__cause__), ChannelUnavailable):
                raise ChannelUnavailable(FailReason.CHANNEL_ERROR, detail) from None
            raise _in_doubt(detail, FailReason.CHANNEL_ERROR) from None


class _CheckedClient:
    """A `SailthruClient` whose answers are acceptances. `client` is the real one."""

    def __init__(self, client: Any) -> None:
        self.client = client

    def send(self, template: str, email: str, **more: Any) -> Any:
        """Raises `DeliveryError` or `SkipRecipient` for any answer but a yes, and `SailthruClientError` for none."""
        response = self.client.send(template, email, **more)
        failure = _failure(response, email)
        if failure is not None:
            raise failure
        return response


def _failure(response: Any, address: str) -> SchedulesError | None:
    """What an answer means; `None` if Sailthru took the message.

    Its client takes every JSON that does not hold exactly an error and its text for a yes, so we look ourselves.
    """
    status, body = response.get_status_code(), response.get_body()
    if not isinstance(body, Mapping) or not body or ("error" not in body and status >= 400):
        return _in_doubt(f"Sailthru's answer cannot be read (HTTP {status})", FailReason.CHANNEL_ERROR)
    if "error" not in body:
        return None
    code = _whole_number(body["error"])
    if code in _UNWELCOME or code == _INVALID_EMAIL:
        return OptedOut() if code in _UNWELCOME else SkipRecipient(SkipReason.BAD_ADDRESS)
    if code == _RATE_LIMIT:
        return _in_doubt(f"Sailthru error {code}: rate limit", retry_at=_rate_limit_reset(response))
    if code == _INTERNAL_ERROR or status >= 500:
        return _in_doubt(f"Sailthru error {code}: internal error")
    return _refusal(code, status, without_addresses(str(body.get("errormsg", "")), address))


def _refusal(code: int | None, status: int, answer: str) -> DeliveryError:
    """Of our access, of this message, or of either: Sailthru has one code for all that has none."""
    detail = f"Sailthru error {code}: {answer}"
    if code in _ACCESS or status == HTTPStatus.UNAUTHORIZED:
        return ChannelUnavailable(FailReason.CHANNEL_REFUSED, detail)
    return _in_doubt(detail) if code == _OTHER_ERROR else DeliveryError(FailReason.CHANNEL_REFUSED, detail)


def _in_doubt(detail: str, reason: FailReason = FailReason.CHANNEL_REFUSED, **more: Any) -> DeliveryError:
    return DeliveryError(reason, detail, is_temporary=True, is_doubtful=True, **more)


def _rate_limit_reset(response: Any) -> datetime | None:
    """When Sailthru takes requests again, by its header (seconds since 1970); `None` if it does not say, or is past.

    Source: https://getstarted.sailthru.com/developers/api-basics/technical/#HTTP_Response_Headers
    """
    seconds = _whole_number(response.get_response().headers.get("X-Rate-Limit-Reset", ""))
    try:
        reset_at = datetime.fromtimestamp(seconds or 0, tz=UTC)
    except (OverflowError, OSError, ValueError):
        return None
    return reset_at if reset_at > timezone.now() else None


def _whole_number(value: Any) -> int | None:
    try:
        return int(value)
    except (TypeError, ValueError):
        return None
