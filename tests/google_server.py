"""A server that speaks the Measurement Protocol of Google Analytics 4."""

from __future__ import annotations

from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.loopback import LoopbackServer


class GoogleServer(LoopbackServer):
    """Keeps the bodies that it accepts, and the query that each came with."""

    def __init__(self) -> None:
        self.bodies: list[dict[str, Any]] = []
        self.queries: list[dict[str, str]] = []
        super().__init__()

    def take(self, request: BaseHTTPRequestHandler, body: dict[str, Any]) -> int:
        url = urlsplit(request.path)
        if url.path != "/mp/collect":
            return 404
        self.bodies.append(body)
        self.queries.append(dict(parse_qsl(url.query)))
        return 204
