"""How often something took how long."""

from __future__ import annotations

import threading
from bisect import bisect_left
from typing import NamedTuple

#: In seconds: those of Prometheus' client libraries, and some below for what takes no time.
BOUNDS = (
    *(0.0005, 0.001, 0.0025),
    *(0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0),
)


class Distribution(NamedTuple):
    """``counts`` has one number for each of :data:`BOUNDS`, the durations up to that bound and
    above the one before, and one more for longer ones; ``total`` is their sum in seconds.
    """

    counts: tuple[int, ...]
    total: float

    @property
    def number(self) -> int:
        """How many there were."""
        return sum(self.counts)


class Durations:
    """Counts durations; may be used by several threads."""

    def __init__(self) -> None:
        self._counts = [0] * (len(BOUNDS) + 1)
        self._total = 0.0
        self._lock = threading.Lock()

    def add(self, seconds: float) -> None:
        """Counts one more."""
        with self._lock:
            self._counts[bisect_left(BOUNDS, seconds)] += 1
            self._total += seconds

    def get(self) -> Distribution:
        """Returns what was counted so far."""
        with self._lock:
            return Distribution(tuple(self._counts), self._total)
