"""Reading slowly, so that others get their share of a disk."""

from __future__ import annotations

import threading
import time


class Toll:
    """Lets at most ``rate`` bytes pass in a second, of all threads together."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._free_at = 0.0
        self._lock = threading.Lock()

    def pay(self, size: int) -> None:
        """Waits until ``size`` bytes more may have passed."""
        with self._lock:
            now = time.monotonic()
            self._free_at = max(self._free_at, now) + size / self._rate
            pause = self._free_at - now
        time.sleep(pause)
