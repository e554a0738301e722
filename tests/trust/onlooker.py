"""Somebody who wants little, and sees whether others get in the way."""

from __future__ import annotations

import threading
import time

from tests.trust.client import Client
from tests.trust.tally import Tally

#: How long may be waited in one go, in seconds, however busy the machine is; of something that
#: lasts longer, half of its time.
_HELD_UP = 1.0


class Onlooker:
    """Asks for small things all the time. A context manager."""

    def __init__(self, port: int) -> None:
        self.tally = Tally()
        self._port = port
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look)
        self._begun = time.monotonic()
        self._took = 0.0

    def __enter__(self) -> Onlooker:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._took = time.monotonic() - self._begun
        self._stop.set()
        self._thread.join()

    @property
    def was_held_up(self) -> bool:
        print('the flood took %.2f s; %s' % (self._took, self.tally))
        return self.tally.longest > max(_HELD_UP, self._took / 2)

    def _look(self) -> None:
        with Client(self._port) as client:
            while not self._stop.is_set():
                with self.tally.waiting():
                    status = client.get('nothing').status
                if status != 404:
                    self.tally.failed.append('an onlooker is answered %d' % status)
                time.sleep(0.005)
