"""Ports for servers that are started again on the port that they had."""

from __future__ import annotations

import random
import socket

# Below what systems give to outgoing connections: one of those could have the port when the
# server comes back, or even connect to itself while it is away.
_PORTS = range(12_000, 32_000)


def lasting_port() -> int:
    """Returns a port that is free, and stays so while nobody asks for it."""
    while True:
        port = random.choice(_PORTS)
        with socket.socket() as probe:
            try:
                probe.bind(('127.0.0.1', port))
            except OSError:
                continue
            return port
