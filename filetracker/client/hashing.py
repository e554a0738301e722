"""A digest that is made beside what else is done with the bytes, on another processor."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

# So many bytes are hashed at once, while as many are collected.
_BATCH = 1 << 19


class Sha256:
    """SHA-256 of pieces that come one after the other, and do not change any more.

    Where they are many it has a thread, which ends with :meth:`close`, or with the object. Where
    no thread can be had it does without.
    """

    def __init__(self) -> None:
        self._digest = hashlib.sha256()
        self._pieces: list[bytes] = []
        self._size = 0
        self._pool: ThreadPoolExecutor | None = None
        self._hashing: Future[None] | None = None

    def update(self, piece: bytes) -> None:
        """Takes the next piece; it may be hashed later."""
        self._pieces.append(piece)
        self._size += len(piece)
        if self._size >= _BATCH:
            pieces, self._pieces, self._size = self._pieces, [], 0
            self._wait()
            self._hash_aside(pieces)

    def hexdigest(self) -> str:
        """Returns the digest of all pieces so far, in hex."""
        self._wait()
        _hash(self._digest, self._pieces)
        self._pieces, self._size = [], 0
        return self._digest.hexdigest()

    def close(self) -> None:
        """Ends the thread; may be called twice."""
        if self._pool:
            self._pool.shutdown(wait=False)

    def _hash_aside(self, pieces: list[bytes]) -> None:
        try:
            self._pool = self._pool or ThreadPoolExecutor(1)
            self._hashing = self._pool.submit(_hash, self._digest, pieces)
        except RuntimeError:
            # There are too many threads, or the interpreter is about to end. The pool may have kept
            # the pieces for a thread to come.
            self._pool = None
            _hash(self._digest, pieces)

    def _wait(self) -> None:
        if self._hashing:
            self._hashing.result()
            self._hashing = None


def _hash(digest: Any, pieces: Iterable[bytes]) -> None:
    for piece in pieces:
        digest.update(piece)
