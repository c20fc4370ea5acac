"""UTM parameters: which message brought a visitor.

Source: https://support.google.com/analytics/answer/10917952
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote, unquote_plus

from schedules.tracking import TrackedMessage


def utm_parameters(message: TrackedMessage) -> dict[str, str]:
    return {
        "utm_source": message.app_label,
        "utm_medium": "email",
        "utm_campaign": message.name,
        "utm_content": str(message.uuid),
        "utm_term": message.primary_course_id,
    }


def with_parameters(url: str, parameters: Mapping[str, str]) -> str:
    """A web page's `url` with `parameters` in its query; any other URL as it is.

    What stands in the query is kept to the letter, but for parameters of the same names; the fragment stays. Ours
    are encoded whole: a "+" must not be read as a blank, or by Sailthru as one.
    """
    if not url.lower().startswith(("https://", "http://")):
        return url
    rest, has_fragment, fragment = url.partition("#")
    page, _, query = rest.partition("?")
    kept = [
        parameter
        for parameter in query.split("&")
        if parameter and unquote_plus(parameter.partition("=")[0]) not in parameters
    ]
    ours = [f"{name}={quote(value, safe='')}" for name, value in parameters.items()]
    return f"{page}?{'&'.join([*kept, *ours])}{has_fragment}{fragment}"
