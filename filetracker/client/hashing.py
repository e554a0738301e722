"""A digest that is made beside what else is done with the bytes, on another processor."""

from __future__ import annotations

import hashlib

from filetracker.client.beside import Beside


class Sha256:
    """SHA-256 of pieces that come one after the other, and do not change any more.

    Where they are many it has a thread, which ends with :meth:`close`, or with the object.
    """

    def __init__(self) -> None:
        self._digest = hashlib.sha256()
        self._beside = Beside(self._digest.update)

    def update(self, piece: bytes) -> None:
        """Takes the next piece; it may be hashed later."""
        self._beside.add(piece)

    def hexdigest(self) -> str:
        """Returns the digest of all pieces so far, in hex."""
        self._beside.finish()
        return self._digest.hexdigest()

    def close(self) -> None:
        """Ends the thread; may be called twice."""
        self._beside.close()
