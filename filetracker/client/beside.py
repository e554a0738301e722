"""Work on pieces of bytes beside what else is done with them, on another processor."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor

# So many bytes are worked on at once, while as many are collected.
_BATCH = 1 << 19


class Beside:
    """Calls ``work`` with pieces that come one after the other, and do not change any more.

    Where they are many it has a thread, which ends with :meth:`close`, or with the object. Where
    no thread can be had it does without. What ``work`` raises comes out of a later call.
    """

    def __init__(self, work: Callable[[bytes], object]) -> None:
        self._work = work
        self._pieces: list[bytes] = []
        self._size = 0
        self._pool: ThreadPoolExecutor | None = None
        self._working: Future[None] | None = None

    def add(self, piece: bytes) -> None:
        """Takes the next piece; it may be worked on later."""
        self._pieces.append(piece)
        self._size += len(piece)
        if self._size >= _BATCH:
            self._wait()
            self._work_aside(self._taken())

    def finish(self) -> None:
        """Returns when all pieces so far are worked on."""
        self._wait()
        _do(self._work, self._taken())

    def close(self) -> None:
        """Ends the thread, behind what it does; may be called twice."""
        if self._pool:
            self._pool.shutdown()

    def _taken(self) -> list[bytes]:
        pieces, self._pieces, self._size = self._pieces, [], 0
        return pieces

    def _work_aside(self, pieces: list[bytes]) -> None:
        try:
            self._pool = self._pool or ThreadPoolExecutor(1)
            self._working = self._pool.submit(_do, self._work, pieces)
        except RuntimeError:
            # There are too many threads, or the interpreter is about to end. The pool may have kept
            # the pieces for a thread to come.
            self._pool = None
            _do(self._work, pieces)

    def _wait(self) -> None:
        working, self._working = self._working, None
        if working:
            working.result()


def _do(work: Callable[[bytes], object], pieces: Iterable[bytes]) -> None:
    for piece in pieces:
        work(piece)
