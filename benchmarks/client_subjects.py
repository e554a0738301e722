"""Which clients are measured, each with the server that it talks to."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.setting_up import ROOT, Unavailable, free_port, original_home

_PATIENCE = 60.0
_LONGEST = 1800.0


class Installation(NamedTuple):
    """A Python, and where it finds filetracker: in ``path``, or in itself if that is empty."""

    python: str
    path: str

    def environment(self) -> dict[str, str]:
        kept = {key: text for key, text in os.environ.items() if not key.startswith('FILETRACKER')}
        programs = '%s:%s' % (Path(self.python).parent, os.environ.get('PATH', ''))
        return {**kept, 'PYTHONPATH': self.path, 'PATH': programs, 'no_proxy': '127.0.0.1'}


class Subject(NamedTuple):
    """A client and a server, by name."""

    name: str
    client: Installation
    url: str

    def run(self, task: dict[str, Any]) -> dict[str, float]:
        """Runs one task in a process of its own; returns ``seconds`` and ``memory``."""
        worker = Path(__file__).with_name('client_worker.py')
        done = subprocess.run(
            [self.client.python, str(worker)],
            input=json.dumps({**task, 'url': self.url}).encode(),
            env=self.client.environment(),
            stdout=subprocess.PIPE,
            check=True,
            timeout=_LONGEST,
        )
        said: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
        return said


def ours() -> Installation:
    return Installation(sys.executable, str(ROOT))


def original(home: str | None, kept: Path) -> Installation:
    """Returns the original in the virtual environment ``home``, or in one made in ``kept``.

    Raises :class:`Unavailable`.
    """
    return Installation(str(original_home(home, kept) / 'bin/python'), '')


@contextlib.contextmanager
def serving(installation: Installation, folder: Path) -> Iterator[str]:
    """Yields the URL of a server on an empty store in ``folder``."""
    folder.mkdir(parents=True)
    port = free_port()
    command = 'import sys; from filetracker.servers.run import main; sys.exit(main())'
    with open(folder.with_suffix('.log'), 'wb') as log:
        process = subprocess.Popen(
            [installation.python, '-c', command, '-d', str(folder)]
            + ['-l', '127.0.0.1', '-p', '%d' % port, '-D'],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=folder,
            env=installation.environment(),
            start_new_session=True,
        )
    try:
        deadline = time.monotonic() + _PATIENCE
        while not _is_serving(port):
            if process.poll() is not None or time.monotonic() > deadline:
                raise Unavailable('the server does not start: %s' % _last(folder))
            time.sleep(0.05)
        yield 'http://127.0.0.1:%d' % port
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _last(folder: Path) -> str:
    lines = re.findall('.+', folder.with_suffix('.log').read_text())
    return lines[-1] if lines else 'it says nothing'


def _is_serving(port: int) -> bool:
    try:
        socket.create_connection(('127.0.0.1', port), 1).close()
    except OSError:
        return False
    return True
