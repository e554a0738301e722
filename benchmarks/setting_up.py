"""What it takes to set up whatever is measured."""

from __future__ import annotations

import socket
import subprocess


def run(command: list[str]) -> None:
    """Runs a command to its end. Raises ``subprocess.SubprocessError`` and ``OSError``."""
    subprocess.run(command, check=True, timeout=900, capture_output=True)


def free_port() -> int:
    """Returns a port that nobody listens on just now."""
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port: int = free.getsockname()[1]
        return port
