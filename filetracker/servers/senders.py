"""Threads that send files: the kernel goes on with one as soon as its peer has taken something."""

from __future__ import annotations

import threading
from queue import SimpleQueue

import gevent
from gevent.hub import Waiter

from filetracker.servers.arriving import ArrivingSocket

# What is worth the turns to a thread and back, in bytes.
_MUCH = 4 << 20
# For so long a peer may hold a thread, in seconds; and how often it is left out then.
_WHILE = 0.05
_LEFT_OUT = 8

# Who waits, and what is sent: a socket, a descriptor, start and stop.
_Work = tuple['Waiter[int]', ArrivingSocket, int, int, int]


class Senders:
    """At most so many real threads, for greenlets that have a part of a file to send."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._threads = 0
        self._busy = 0
        self._work: SimpleQueue[_Work | None] = SimpleQueue()
        self._loop = gevent.get_hub().loop

    def send(self, connected: ArrivingSocket, descriptor: int, start: int, stop: int) -> int:
        """Sends a part of a file, while other greenlets go on; returns how many bytes.

        It is none where it is not worth it, and where no thread is free; less than all where the
        peer is slow, where the file ends, and where there is an error, which is there for who
        sends on.
        """
        if stop - start < _MUCH:
            return 0
        if connected.left_out:
            connected.left_out -= 1
            return 0
        if self._busy >= self._threads and not self._begin_thread():
            return 0
        waiter: Waiter[int] = Waiter()
        self._busy += 1
        try:
            self._work.put((waiter, connected, descriptor, start, stop))
            sent = waiter.get()
        finally:
            self._busy -= 1
        if sent < stop - start:
            connected.left_out = _LEFT_OUT
        return sent

    def close(self) -> None:
        """Ends the threads, each when it has nothing to send any more; no others begin."""
        for _ in range(self._threads):
            self._work.put(None)
        self._threads = self._most = 0

    def _begin_thread(self) -> bool:
        if self._threads == self._most:
            return False
        try:
            threading.Thread(target=self._run, daemon=True).start()
        except RuntimeError:
            # The system has none to spare.
            return False
        self._threads += 1
        return True

    def _run(self) -> None:
        while (work := self._work.get()) is not None:
            waiter, connected, descriptor, start, stop = work
            sent = connected.send_file(descriptor, start, stop, _WHILE)
            self._loop.run_callback_threadsafe(waiter.switch, sent)
