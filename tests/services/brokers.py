"""The brokers under test: servers of the suite's own, which can be stopped, killed and started again."""

from __future__ import annotations

import base64
import json
import signal
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.services.ports import own_port
from tests.services.servers import Server

QUEUE = "schedules"


class Redis:
    """A private `redis-server` that keeps nothing on disk, so a restart loses whatever was queued."""

    name = "Redis"
    port = None  # its own, free one
    drivers = ("redis",)
    programs = ("redis-server",)

    def __init__(self, folder: Path) -> None:
        self.server = Server(folder / "redis", self.programs[0])
        self.url = f"redis://127.0.0.1:{self.server.port}/0"

    def create(self) -> None:
        port = str(self.server.port)
        self.server.start(["--bind", "127.0.0.1", "--port", port, "--save", "", "--appendonly", "no"])

    def drop(self) -> None:
        self.server.stop(signal.SIGTERM)

    def restart(self, how: signal.Signals) -> None:
        self.server.stop(how)
        time.sleep(1)
        self.create()

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

        return redis.Redis(port=self.server.port)


class RabbitMQ:
    """A private node, which keeps what is queued on disk. Debian lets only its own user call what is in /usr/sbin."""

    name = "RabbitMQ"
    port = None
    drivers = ("amqp",)
    programs = ("/usr/lib/rabbitmq/bin/rabbitmq-server", "epmd")

    def __init__(self, folder: Path) -> None:
        server, names = self.programs
        self.server, self.names = Server(folder / "rabbitmq", server), Server(folder / "epmd", names)
        self.url = f"amqp://guest:guest@127.0.0.1:{self.server.port}//"

    def create(self) -> None:
        self.names.start(["-address", "127.0.0.1", "-port", str(self.names.port)])
        self._start()

    def drop(self) -> None:
        self.server.stop(signal.SIGTERM)
        self.names.stop(signal.SIGTERM)

    def restart(self, how: signal.Signals) -> None:
        self.server.stop(how)
        self._start()

    def _start(self) -> None:
        folder = self.server.folder
        (folder / "plugins").write_text("[].")
        environment = {
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_EPMD_PORT": self.names.port,
            "HOME": folder,  # where Erlang keeps a secret
            "RABBITMQ_CONFIG_FILE": folder / "none",
            "RABBITMQ_CONF_ENV_FILE": folder / "none",
            "RABBITMQ_DIST_PORT": own_port(),
            "RABBITMQ_ENABLED_PLUGINS_FILE": folder / "plugins",
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_MNESIA_BASE": folder,
            "RABBITMQ_NODENAME": "schedules@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": self.server.port,
            "RABBITMQ_PID_FILE": folder / "pid",
            "RUNNING_UNDER_SYSTEMD": 1,  # the script becomes the server, so that signals reach it
        }
        self.server.start([], environment)

    def purge(self) -> None:
        from amqp.exceptions import NotFound

        with self._connection() as connection, suppress(NotFound):
            connection.channel().queue_purge(QUEUE)

    def carried(self) -> list[str]:
        """Up to 100 messages that wait in the queue now; they stay there."""
        from amqp.exceptions import NotFound

        found: list[str] = []
        with self._connection() as connection, suppress(NotFound):  # nobody has made the queue yet
            channel = connection.channel()
            while len(found) < 100 and (message := channel.basic_get(QUEUE)):  # not acknowledged: they go back
                body = message.body if isinstance(message.body, str) else bytes(message.body).decode()
                found.append(body + json.dumps(message.headers, default=str) + json.dumps(message.properties))
        return found

    def _connection(self) -> Any:
        from kombu import Connection

        return Connection(self.url)


Broker = Redis | RabbitMQ
BROKERS = {"redis": Redis, "rabbitmq": RabbitMQ}


def _decoded(message: dict[str, Any]) -> str:
    return base64.b64decode(message.pop("body")).decode() + json.dumps(message)


def addresses_in(texts: Iterable[str], domains: Iterable[str]) -> Iterator[str]:
    """Those texts that hold an address at one of `domains`."""
    places = tuple(f"@{domain}" for domain in domains)
    return (text for text in texts if any(place in text for place in places))
