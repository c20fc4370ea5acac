"""Visits over HTTP that go no further than the first answer."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import HTTPRedirectHandler, Request, build_opener


class _Stay(HTTPRedirectHandler):
    def redirect_request(self, *args):
        return None


def visit(url: str, form: Mapping[str, str] | None = None) -> int:
    """The status of the answer; `form` is posted."""
    request = Request(url, data=urlencode(form).encode() if form else None)  # noqa: S310 - 127.0.0.1
    try:
        with build_opener(_Stay).open(request) as answer:
            return answer.status
    except HTTPError as error:
        return error.code
