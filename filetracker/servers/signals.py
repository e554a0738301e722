"""What operators say by signals, and what the kernel says of children, one at a time."""

from __future__ import annotations

import contextlib
import os
import select
import signal
from collections.abc import Callable
from types import FrameType

_STOPPING = (signal.SIGTERM, signal.SIGINT)
_ASKING = (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)

#: All that this is about.
SIGNALS = (*_STOPPING, *_ASKING, signal.SIGCHLD)


class Signals:
    """Receives the signals of a process; a context manager, on the main thread.

    ``stop`` is called at once, whatever else is done at that moment. The others are collected.
    Signals that were blocked come in.
    """

    def __init__(self, stop: Callable[[], None]) -> None:
        self._stop = stop
        self._asked: set[int] = set()

    def __enter__(self) -> Signals:
        self._pipe = os.pipe()
        for end in self._pipe:
            os.set_blocking(end, False)
        self._woke_before = signal.set_wakeup_fd(self._pipe[1], warn_on_full_buffer=False)
        self._before = {number: signal.signal(number, self._note) for number in SIGNALS}
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
        return self

    def __exit__(self, *error: object) -> None:
        for number, old in self._before.items():
            signal.signal(number, old)
        signal.set_wakeup_fd(self._woke_before)
        self._close()

    def asked(self) -> set[int]:
        """Returns which came since it was called for the last time."""
        asked, self._asked = self._asked, set()
        return asked

    def wait(self) -> None:
        """Waits for a signal, of which there may have been one already."""
        poll = select.poll()
        poll.register(self._pipe[0], select.POLLIN)
        poll.poll()
        with contextlib.suppress(BlockingIOError):
            os.read(self._pipe[0], 1 << 12)

    def leave(self) -> None:
        """Forgets all of this in a child that was forked while they were blocked.

        There, what stops a process does so again; what asks for something that a new process has
        just done is ignored.
        """
        signal.set_wakeup_fd(-1)
        self._close()
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN if number in _ASKING else signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)

    def _close(self) -> None:
        for end in self._pipe:
            os.close(end)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if number in _STOPPING:
            self._stop()
        elif number in _ASKING:
            self._asked.add(number)
