"""Any server that is started by a command, so that it can be measured beside ours."""

from __future__ import annotations

import random
import shlex
import subprocess
import time
from pathlib import Path

import psutil

from tests.trust.client import Client, Lost
from tests.trust.ports import lasting_port

_PATIENCE = 30.0


class CommandServer:
    """``COMMAND -d DIR -p PORT -D``, in processes of its own; the log is in ``DIR.log``.

    A :class:`~tests.trust.target.Target`, and a context manager that leaves no process behind.
    """

    def __init__(self, command: str, base_dir: Path) -> None:
        self.base_dir = base_dir
        self.port = lasting_port()
        self._command = [*shlex.split(command), '-d', str(base_dir), '-p', str(self.port), '-D']
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> CommandServer:
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.kill()

    def start(self) -> None:
        """Starts it; returns when it serves. Raises ``Lost`` if it does not."""
        with open('%s.log' % self.base_dir, 'ab') as log:
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # Not in a checkout, whose package a server of another kind would take for its own.
                cwd=self.base_dir.parent,
            )
        until = time.monotonic() + _PATIENCE
        while True:
            try:
                with Client(self.port) as client:
                    client.ask('GET', '/version/')
                return
            except Lost:
                if time.monotonic() > until:
                    self.kill()
                    raise
                time.sleep(0.05)

    def kill(self) -> None:
        """Kills all its processes, the first of them first."""
        if self._process is None:
            return
        family = self._family()
        for process in family:
            try:
                process.kill()
            except psutil.NoSuchProcess:
                pass
        psutil.wait_procs(family, _PATIENCE)
        self._process.wait(_PATIENCE)
        self._process = None

    def owner_pid(self) -> int:
        """Returns a process that answers requests: one that has no children."""
        leaves = [process for process in self._family() if not process.children()]
        return random.choice(leaves).pid

    def _family(self) -> list[psutil.Process]:
        assert self._process is not None
        try:
            first = psutil.Process(self._process.pid)
            return [first, *first.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []
