"""How far a file is on its way, told to who wants to know."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import IO

#: Called as ``progress(done, total)`` while a file is on its way: at its start with 0, then for
#: each piece, and at its end with ``done == total``. Both are numbers of plain bytes; ``total`` is
#: ``None`` where nobody knows it before the end. What it raises ends the transfer and reaches the
#: caller, and what was there before stays.
Progress = Callable[[int, 'int | None'], None]


def counted(stream: IO[bytes], total: int | None, progress: Progress | None) -> IO[bytes]:
    """Returns a stream of the same bytes, whose reader is told of."""
    return stream if progress is None else io.BufferedReader(_Counted(stream, total, progress))


class _Counted(io.RawIOBase):
    def __init__(self, stream: IO[bytes], total: int | None, progress: Progress) -> None:
        super().__init__()
        self._stream = stream
        self._total = total
        self._progress = progress
        self._done = 0
        progress(0, total)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        piece = self._stream.read(len(buffer))
        buffer[: len(piece)] = piece
        self._done += len(piece)
        if not piece:
            self._total = self._done
        self._progress(self._done, self._total)
        return len(piece)
