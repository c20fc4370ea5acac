"""Ports at 127.0.0.1 for the servers of the suite."""

from __future__ import annotations

import random
import socket


def own_port() -> int:
    """A free port below those that systems give to clients: none takes it while its server is away for a while."""
    while True:
        port = random.SystemRandom().randrange(15000, 32000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


def is_listening(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(2)
        return probe.connect_ex(("127.0.0.1", port)) == 0
