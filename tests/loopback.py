"""HTTP servers at 127.0.0.1 that stand for services of others, in good moods and bad ones."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """A server whose requests `handler` answers; gives its URL, without a slash at the end."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    # It looks that often whether it is to stop, and who stops it waits for that.
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class LoopbackServer:
    """Takes what is posted to it. `statuses`: its next answers; with `hangs` it is silent until told to stop.

    With `drips` it takes everything, and never ends its answer until told to stop. `hears` is called at each request.
    """

    def __init__(self) -> None:
        self.statuses: list[int] = []
        self.hangs = self.drips = False
        self.hears: Callable[[], Any] = lambda: None
        self.request_count = 0
        self.connection_count = 0
        self._waking = threading.Event()
        owner = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"  # connections stay open, as such services keep them

            def setup(self) -> None:
                owner.connection_count += 1
                super().setup()

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                owner.answer(self, body)

            def log_message(self, *args: Any) -> None:
                pass

        self._serving = serving(Handler)
        self.url = self._serving.__enter__()

    def take(self, request: BaseHTTPRequestHandler, body: Any) -> int:
        """Keep what the service would keep; returns the status of the answer."""
        raise NotImplementedError

    def answer(self, request: BaseHTTPRequestHandler, body: Any) -> None:
        self.request_count += 1
        self.hears()
        if self.hangs:
            self._waking.wait()
            request.close_connection = True
            return
        status = self.statuses.pop(0) if self.statuses else self.take(request, body)
        answer = b"" if status == 204 else json.dumps({"success": status == 200}).encode()
        request.send_response(status)
        if self.drips:
            request.send_header("Content-Length", "100000")
            request.end_headers()
            request.wfile.flush()
            self._waking.wait()
            request.close_connection = True
            return
        request.send_header("Content-Length", str(len(answer)))
        request.end_headers()
        request.wfile.write(answer)

    def stop_hanging(self) -> None:
        self.hangs = False
        self._waking.set()

    def close(self) -> None:
        self.stop_hanging()
        self._serving.__exit__(None, None, None)
