"""Somebody who wants little, and sees whether others get in the way."""

from __future__ import annotations

import threading
import time

import psutil

from tests.support import LiveServer
from tests.trust.client import Client
from tests.trust.tally import Tally

#: How long the server may be busy with others in one go, in seconds; while something lasts longer,
#: half of its time.
_HELD_UP = 1.0
#: So long nobody waits because the machine has other things to do.
_AT_ANY_RATE = 10.0


class Onlooker:
    """Asks a server for small things all the time. A context manager."""

    def __init__(self, server: LiveServer) -> None:
        self.tally = Tally()
        self._port = server.port
        self._owner = psutil.Process(server.owner_pid())
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look)
        self._begun = time.monotonic()
        self._took = 0.0
        self._held_up = 0.0

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
        print('held up for %.3f s' % self._held_up)
        return self._held_up > max(_HELD_UP, self._took / 2)

    def _look(self) -> None:
        with Client(self._port) as client:
            while not self._stop.is_set():
                busy, begun = self._busy(), time.monotonic()
                with self.tally.waiting():
                    status = client.get('nothing').status
                waited = time.monotonic() - begun
                if waited < _AT_ANY_RATE:
                    waited = min(waited, self._busy() - busy)
                self._held_up = max(self._held_up, waited)
                if status != 404:
                    self.tally.failed.append('an onlooker is answered %d' % status)
                time.sleep(0.005)

    def _busy(self) -> float:
        """How long the server has used a processor, in seconds."""
        times = self._owner.cpu_times()
        return times.user + times.system
