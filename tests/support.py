"""A real server for tests, started as an operator would start it."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import TypeVar

import psutil

ROOT = Path(__file__).resolve().parent.parent
PATIENCE = 20.0

_MARK = 'FILETRACKER_TESTS'

_SERVING = re.compile(r'filetracker-server: serving .* on https?://(\S+):(\d+)("|$)', re.MULTILINE)

_OPEN = """\
[anonymous]
role = "admin"
[limits]
requests_per_second = 1e6
requests_in_flight = 1_000_000
max_body = 4_000_000_000_000_000_000
[quotas]
"/" = 1_000_000_000_000
"""

_HALTED = (psutil.STATUS_STOPPED, psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)

T = TypeVar('T')


def wait_for(
    condition: Callable[[], T], what: str = 'the condition', patience: float = PATIENCE
) -> T:
    """Calls ``condition`` until it returns something true, and returns that.

    Fails the test when that takes longer than ``patience`` seconds.
    """
    deadline = time.monotonic() + patience
    while True:
        result = condition()
        if result:
            return result
        assert time.monotonic() < deadline, 'waited %.0f s for %s' % (patience, what)
        time.sleep(0.01)


def is_over(process: psutil.Process) -> bool:
    """Whether a process has ended, even if nobody has asked yet how."""
    try:
        # Its last threads may still be holding its files open, and the port.
        return process.status() == psutil.STATUS_ZOMBIE and process.num_threads() <= 1
    except psutil.NoSuchProcess:
        return True


def environment(**more: str) -> dict[str, str]:
    """The environment for a command of the project, whatever the tests run in."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith('FILETRACKER_')}
    ours = {_MARK: str(os.getpid()), 'PYTHONPATH': str(ROOT), 'PYTHONUNBUFFERED': '1'}
    return {**kept, **ours, **more}


def left_behind() -> dict[psutil.Process, str]:
    """Returns what these tests started, by :func:`environment` or as children, and still runs.

    With the command line of each.
    """
    mine = psutil.Process()
    found = {}
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.environ().get(_MARK) == str(mine.pid) or mine in process.parents():
                found[process] = ' '.join(process.cmdline())
    return {process: line for process, line in found.items() if not is_over(process)}


class LiveServer:
    """``filetracker-server`` on a directory, in processes of its own, on a free port.

    A context manager: it serves inside and leaves no process behind. The log is beside the
    directory, in ``<base_dir>.log``. ``module`` is what is run. With ``FILETRACKER_GUARDED`` in the
    environment there is access control, which lets everybody do everything.
    """

    def __init__(
        self,
        base_dir: str | os.PathLike[str],
        *flags: str,
        module: str = 'filetracker.servers.run',
    ) -> None:
        self.base_dir = Path(base_dir)
        self.log_path = Path('%s.log' % self.base_dir)
        self.port = 0
        self._module = module
        self._flags = self._guarded(flags)
        self._process: subprocess.Popen[bytes] | None = None
        self._family: list[psutil.Process] = []

    def __enter__(self) -> LiveServer:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.kill()

    @property
    def url(self) -> str:
        return 'http://127.0.0.1:%d' % self.port

    @property
    def pid(self) -> int:
        """The process that was started: the parent of the one that owns the store."""
        assert self._process is not None, 'the server was not started'
        return self._process.pid

    @property
    def links(self) -> Path:
        """The directory of the mirror of the names."""
        return self.base_dir / 'links'

    def start(self) -> None:
        """Starts the server, on the port that it had before; returns when it serves."""
        assert self._process is None, 'the server is running'
        with open(self.log_path, 'ab') as log:
            start_of_log = log.tell()
            self._process = subprocess.Popen(
                [sys.executable, '-m', self._module, '-d', str(self.base_dir)]
                + ['-p', str(self.port), '-D', *self._flags],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment(),
            )
        try:
            self.port = wait_for(lambda: self._port_in(start_of_log), 'the server to serve')
        except BaseException:
            self.kill()
            raise

    def owner_pid(self) -> int:
        """The process that owns the store; waits while there is none."""

        def child() -> int:
            children = psutil.Process(self.pid).children()
            return children[0].pid if children else 0

        return wait_for(child, 'the process that owns the store')

    def stop(self) -> int:
        """Asks the server to stop, waits for it, and returns its exit status."""
        os.kill(self.pid, signal.SIGTERM)
        return self.ended()

    def ended(self) -> int:
        """Waits for the end of the server, which was asked to stop; returns its exit status."""
        assert self._process is not None, 'the server was not started'
        status = self._process.wait(PATIENCE)
        self.kill()
        return status

    def kill(self) -> None:
        """Kills all its processes at once, without a warning; fine if there are none."""
        if self._process is None:
            return
        for process in self._processes():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        self._process.wait(PATIENCE)
        wait_for(lambda: all(map(is_over, self._family)), 'the processes to end')
        self._process = None

    def log(self) -> str:
        """What the server has said."""
        return self.log_path.read_text()

    def _guarded(self, flags: tuple[str, ...]) -> tuple[str, ...]:
        if not os.environ.get('FILETRACKER_GUARDED') or '--access' in flags:
            return flags
        rules = Path('%s.access.toml' % self.base_dir)
        rules.parent.mkdir(parents=True, exist_ok=True)
        rules.write_text(_OPEN)
        return *flags, '--access', str(rules)

    def _processes(self) -> Iterator[psutil.Process]:
        """The parent first, and standing still: it would start another owner."""
        try:
            parent = psutil.Process(self.pid)
            parent.suspend()
            wait_for(lambda: parent.status() in _HALTED, 'the parent to stand still')
            self._family = [parent, *parent.children(recursive=True)]
        except psutil.NoSuchProcess:
            self._family = []
        yield from self._family

    def _port_in(self, start_of_log: int) -> int:
        assert self._process is not None
        said = self.log_path.read_bytes()[start_of_log:].decode()
        found = _SERVING.search(said)
        if found:
            return int(found.group(2))
        assert self._process.poll() is None, 'the server did not start:\n%s' % said
        return 0
