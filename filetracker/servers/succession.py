"""The server's own program, started anew in its place: same process, same socket, other code."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
from dataclasses import dataclass, field
from typing import NoReturn

import filetracker
from filetracker.errors import FiletrackerError
from filetracker.servers.supervisor import FIRST, handing_over

_TEST_TIMEOUT = 60.0


def _installed() -> object:
    """Returns something else when another version was installed."""
    try:
        status = os.stat(filetracker.__file__)
    except OSError as error:
        return error.errno
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


@dataclass(frozen=True)
class Succession:
    """How a process becomes what is installed now.

    ``command`` starts the server, ``test`` says by its exit status whether that would go well; both
    begin with the interpreter, and are run in ``directory``.
    """

    command: list[str]
    test: list[str]
    directory: str
    _seen: object = field(default_factory=_installed)

    def is_due(self) -> bool:
        """Whether another version was installed since this was made."""
        return _installed() != self._seen

    def check(self) -> None:
        """Raises :class:`~filetracker.errors.FiletrackerError` if it would not go well."""
        try:
            ended = subprocess.run(
                self.test,
                cwd=self.directory,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors='backslashreplace',
                timeout=_TEST_TIMEOUT,
            )
        except (OSError, subprocess.SubprocessError) as error:
            raise FiletrackerError('cannot run it: %s' % error) from None
        if ended.returncode:
            said = ended.stderr.strip().splitlines() or ['it ended with %d' % ended.returncode]
            raise FiletrackerError(said[-1])

    def succeed(self, listener: socket.socket) -> NoReturn:
        """Becomes what ``command`` starts, which takes over a listening socket.

        The process id stays, and so do signals that are blocked. Raises ``OSError``, and then all
        is as it was.
        """
        # It may have been removed, and another one be there instead.
        before = os.open('.', os.O_PATH)
        displaced = -1
        with contextlib.suppress(OSError):
            displaced = os.dup(FIRST)
        try:
            os.chdir(self.directory)
            if listener.fileno() == FIRST:
                listener.set_inheritable(True)
            else:
                os.dup2(listener.fileno(), FIRST)
            os.execve(self.command[0], self.command, handing_over())
        except OSError:
            if displaced >= 0:
                os.dup2(displaced, FIRST, inheritable=False)
            else:
                with contextlib.suppress(OSError):
                    os.close(FIRST)
            raise
        finally:
            os.fchdir(before)
            os.close(before)
            if displaced >= 0:
                os.close(displaced)
