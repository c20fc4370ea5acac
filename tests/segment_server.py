"""An HTTP server that speaks Segment's /v1/batch, in good moods and bad ones."""

from __future__ import annotations

import base64
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class SegmentServer:
    """Keeps what it accepts. `statuses`: its next answers, then 200; with `hangs` it is silent until told to stop."""

    def __init__(self) -> None:
        self.statuses: list[int] = []
        self.hangs = False
        self.events: list[dict[str, Any]] = []
        self.keys: set[str] = set()
        self.request_count = 0
        self.connection_count = 0
        self._waking = threading.Event()
        owner = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"  # connections stay open, as Segment's do

            def setup(self) -> None:
                owner.connection_count += 1
                super().setup()

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                owner.answer(self, body)

            def log_message(self, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def answer(self, request: BaseHTTPRequestHandler, body: dict[str, Any]) -> None:
        self.request_count += 1
        if self.hangs:
            self._waking.wait(30)
            request.close_connection = True
            return
        status = self.statuses.pop(0) if self.statuses else 200
        if request.path != "/v1/batch":
            status = 404
        if status == 200:
            authorization = request.headers["Authorization"].partition(" ")[2]
            self.keys |= {body["writeKey"], base64.b64decode(authorization).decode().rstrip(":")}
            self.events += body["batch"]
        answer = json.dumps({"success": True} if status == 200 else {"code": "x", "message": "no"}).encode()
        request.send_response(status)
        request.send_header("Content-Length", str(len(answer)))
        request.end_headers()
        request.wfile.write(answer)

    def stop_hanging(self) -> None:
        self.hangs = False
        self._waking.set()

    def close(self) -> None:
        self.stop_hanging()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
