"""The brokers under test: a Redis of the suite's own, and a virtual host of the suite's own in RabbitMQ."""

from __future__ import annotations

import base64
import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

from tests.world import free_port

QUEUE = "schedules"


class Redis:
    """A private `redis-server` that keeps nothing on disk, so a restart loses whatever was queued."""

    name = "Redis"
    port = None  # its own, free one
    drivers = ("redis",)
    program = "redis-server"

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.own_port = free_port()
        self.url = f"redis://127.0.0.1:{self.own_port}/0"
        self._process: subprocess.Popen[bytes] | None = None

    def create(self) -> None:
        program = shutil.which(self.program)
        assert program, "redis-server is missing"
        self._process = subprocess.Popen(
            [program, "--bind", "127.0.0.1", "--port", str(self.own_port), "--save", "", "--appendonly", "no"],
            cwd=self.folder,
            stdout=subprocess.DEVNULL,
        )
        _wait_for(self.own_port)

    def drop(self) -> None:
        if self._process:
            self._process.terminate()
            self._process.wait(timeout=20)

    def restart(self) -> str:
        self.drop()
        time.sleep(1)
        self.create()
        return "Redis was stopped and started; what was queued is lost"

    def purge(self) -> None:
        with self._client() as client:
            client.delete(QUEUE)

    def carried(self) -> list[str]:
        """Every message in the broker now, decoded."""
        with self._client() as client:
            waiting = client.lrange(QUEUE, 0, -1)
            taken = [json.loads(text)[0] for text in client.hvals("unacked")]
        return [_decoded(message) for message in (*map(json.loads, waiting), *taken)]

    def _client(self) -> Any:
        import redis

        return redis.Redis(port=self.own_port)


class RabbitMQ:
    """A virtual host; the broker stays up for others, but every connection to this host can be cut."""

    name = "RabbitMQ"
    port = 5672
    drivers = ("amqp",)
    program = "rabbitmqctl"

    def __init__(self, folder: Path) -> None:
        self.host = f"schedules_{uuid4().hex[:12]}"
        self.url = f"amqp://guest:guest@127.0.0.1:5672/{self.host}"

    def create(self) -> None:
        self._control("add_vhost", self.host)
        self._control("set_permissions", "-p", self.host, "guest", ".*", ".*", ".*")

    def drop(self) -> None:
        with suppress(AssertionError):  # there may be none, if it could not be created
            self._control("delete_vhost", self.host)

    def restart(self) -> str:
        self._control("close_all_connections", "--vhost", self.host, "the suite cuts the lines")
        return "RabbitMQ closed every connection"

    def purge(self) -> None:
        self._control("purge_queue", "-p", self.host, QUEUE)

    def carried(self) -> list[str]:
        """Up to 100 messages that wait in the queue now; they stay there."""
        from amqp.exceptions import NotFound
        from kombu import Connection

        found: list[str] = []
        with Connection(self.url) as connection, suppress(NotFound):  # nobody has made the queue yet
            channel = connection.channel()
            while len(found) < 100 and (message := channel.basic_get(QUEUE)):  # not acknowledged: they go back
                body = message.body if isinstance(message.body, str) else bytes(message.body).decode()
                found.append(body + json.dumps(message.headers, default=str) + json.dumps(message.properties))
        return found

    def _control(self, *arguments: str) -> None:
        program = shutil.which(self.program)
        assert program, "rabbitmqctl is missing"
        done = subprocess.run([program, "-q", *arguments], capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"rabbitmqctl {arguments[0]}: {done.stdout}{done.stderr}"


Broker = Redis | RabbitMQ
BROKERS = {"redis": Redis, "rabbitmq": RabbitMQ}


def _decoded(message: dict[str, Any]) -> str:
    return base64.b64decode(message.pop("body")).decode() + json.dumps(message)


def addresses_in(texts: Iterable[str], domains: Iterable[str]) -> Iterator[str]:
    """Those texts that hold an address at one of `domains`."""
    places = tuple(f"@{domain}" for domain in domains)
    return (text for text in texts if any(place in text for place in places))


def _wait_for(port: int, seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            assert time.monotonic() < end, f"Nobody listens on port {port}"
            time.sleep(0.1)
        else:
            return
