"""What came of a scenario, counted."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

_TOLD = 10


class Tally:
    """How often something was tried, and each time that it went wrong; for many threads.

    ``lost``: an acknowledged change is gone, or a file that nobody removed. ``torn``: an answer or
    a file that is not what somebody put, as a whole. ``failed``: an error or no answer, where there
    should be one. ``longest`` is the longest time that anybody waited, in seconds.
    """

    def __init__(self) -> None:
        self.tried = 0
        self.lost: list[str] = []
        self.torn: list[str] = []
        self.failed: list[str] = []
        self.longest = 0.0
        self._lock = threading.Lock()

    def count(self, times: int = 1) -> None:
        with self._lock:
            self.tried += times

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Counts one try, and measures how long it takes."""
        begun = time.monotonic()
        try:
            yield
        finally:
            took = time.monotonic() - begun
            with self._lock:
                self.tried += 1
                self.longest = max(self.longest, took)

    def add(self, other: Tally) -> None:
        """Counts what another one has counted."""
        self.tried += other.tried
        self.lost += other.lost
        self.torn += other.torn
        self.failed += other.failed
        self.longest = max(self.longest, other.longest)

    @property
    def is_clean(self) -> bool:
        return bool(self.tried) and not (self.lost or self.torn or self.failed)

    def __str__(self) -> str:
        lines = [
            '%d tried, %d lost, %d torn, %d failed, longest wait %.3f s'
            % (self.tried, len(self.lost), len(self.torn), len(self.failed), self.longest)
        ]
        for what in ('lost', 'torn', 'failed'):
            lines += ['%s: %s' % (what, told) for told in getattr(self, what)[:_TOLD]]
        return '\n'.join(lines)
