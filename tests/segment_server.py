"""A server that speaks Segment's /v1/batch."""

from __future__ import annotations

import base64
from http.server import BaseHTTPRequestHandler
from typing import Any

from tests.loopback import LoopbackServer


class SegmentServer(LoopbackServer):
    """Keeps the events that it accepts, and the keys that they came with."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.keys: set[str] = set()
        super().__init__()

    def take(self, request: BaseHTTPRequestHandler, body: dict[str, Any]) -> int:
        if request.path != "/v1/batch":
            return 404
        authorization = request.headers["Authorization"].partition(" ")[2]
        self.keys.add(base64.b64decode(authorization).decode().rstrip(":"))
        self.events += body["batch"]
        return 200
