"""What it takes to set up whatever is measured."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
_ORIGINAL = 'filetracker[server]==2.3.3'


class Unavailable(Exception):
    """What is to be measured cannot be had here; the sentence says why."""


def run(command: list[str]) -> None:
    """Runs a command to its end. Raises ``subprocess.SubprocessError`` and ``OSError``."""
    subprocess.run(command, check=True, timeout=900, capture_output=True)


def free_port() -> int:
    """Returns a port that nobody listens on just now."""
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port: int = free.getsockname()[1]
        return port


def original_home(told: str | None, cache: Path) -> Path:
    """Returns a virtual environment with the original, ``told`` or one made in ``cache``.

    Raises :class:`Unavailable`.
    """
    home = Path(told) if told else cache / 'original'
    command = home / 'bin/filetracker-server'
    if not told and not command.exists():
        try:
            run([sys.executable, '-m', 'venv', '--clear', str(home)])
            # What it builds needs setuptools, which newer Pythons do not bring.
            run([str(home / 'bin/pip'), 'install', 'setuptools<81', 'wheel', _ORIGINAL])
        except (OSError, subprocess.SubprocessError):
            shutil.rmtree(home, ignore_errors=True)
            raise Unavailable('%s cannot be installed here' % _ORIGINAL) from None
    if not command.exists():
        raise Unavailable('%s has no filetracker-server' % home)
    return home
