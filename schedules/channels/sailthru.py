"""The channel `schedules_sailthru_email`: edx-ace's Sailthru channel, with answers that say what happens next."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from django.utils import timezone
from edx_ace.channel.sailthru import SailthruEmailChannel
from edx_ace.errors import FatalChannelDeliveryError

from schedules.data import FailReason, without_addresses
from schedules.exceptions import DeliveryError

_INTERNAL_ERROR = 9
_RATE_LIMIT = 43

#: Sailthru's codes for addresses that it does not write to, with their meaning.
#: Source: https://getstarted.sailthru.com/developers/api-basics/responses/
_UNWELCOME = {
    32: "opted out of all messages",
    33: "opted out of this template",
    34: "may not be e-mailed",
    35: "known to bounce",
    36: "not e-mailed by Sailthru",
    37: "opted out of all but basic templates",
}


class SailthruChannel(SailthruEmailChannel):
    """Raises `DeliveryError` where edx-ace's own channel trips (rate limits), gives up or believes garbage."""

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
                raise DeliveryError(FailReason.CHANNEL_ERROR, detail) from None
            detail = f"Sailthru did not answer ({type(error.__cause__).__name__})"
            raise DeliveryError(FailReason.CHANNEL_ERROR, detail, is_temporary=True) from None


class _CheckedClient:
    """A `SailthruClient` whose answers are acceptances. `client` is the real one."""

    def __init__(self, client: Any) -> None:
        self.client = client

    def send(self, template: str, email: str, **more: Any) -> Any:
        """Raises `DeliveryError` for any answer but a yes, and `SailthruClientError` for none."""
        response = self.client.send(template, email, **more)
        failure = _failure(response, email)
        if failure is not None:
            raise failure
        return response


def _failure(response: Any, address: str) -> DeliveryError | None:
    """What an answer means; null if Sailthru took the message.

    Its client takes every JSON that does not hold exactly an error and its text for a yes, so we look ourselves.
    """
    status, body = response.get_status_code(), response.get_body()
    if not isinstance(body, Mapping) or not body or ("error" not in body and status >= 400):
        detail = f"Sailthru's answer cannot be read (HTTP {status})"
        return DeliveryError(FailReason.CHANNEL_ERROR, detail, is_temporary=True)
    if "error" not in body:
        return None
    code = _whole_number(body["error"])
    if code == _RATE_LIMIT:
        retry_at = _rate_limit_reset(response.get_response().headers)
        detail = f"Sailthru error {code}: rate limit"
        return DeliveryError(FailReason.CHANNEL_REFUSED, detail, is_temporary=True, retry_at=retry_at)
    if code == _INTERNAL_ERROR or status >= 500:
        detail = f"Sailthru error {code}: internal error"
        return DeliveryError(FailReason.CHANNEL_REFUSED, detail, is_temporary=True)
    meaning = _UNWELCOME.get(code or 0) or without_addresses(str(body.get("errormsg", "")), address)
    return DeliveryError(FailReason.CHANNEL_REFUSED, f"Sailthru error {code}: {meaning}")


def _rate_limit_reset(headers: Mapping[str, str]) -> datetime | None:
    """When Sailthru takes requests again, by its header (seconds since 1970); null if it does not say, or is past.

    Source: https://getstarted.sailthru.com/developers/api-basics/technical/#HTTP_Response_Headers
    """
    seconds = _whole_number(headers.get("X-Rate-Limit-Reset", ""))
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
