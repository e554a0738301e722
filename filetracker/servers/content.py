"""The bytes of a file on their way out; never an end that looks complete but is not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

from filetracker.errors import Damaged
from filetracker.gz import PIECE, NotGzip, inflated
from filetracker.servers.conditional import Part


def stored_pieces(file: BinaryIO, part: Part, name: str) -> Iterator[bytes]:
    """Yields a part of the gzip bytes.

    Raises :class:`~filetracker.errors.Damaged` where the file ends before that.
    """
    file.seek(part.start)
    left = part.stop - part.start
    while left:
        piece = file.read(min(left, PIECE))
        if not piece:
            raise Damaged(name)
        left -= len(piece)
        yield piece


def plain_pieces(file: BinaryIO, size: int, part: Part, name: str) -> Iterator[bytes]:
    """Yields a part of the plain bytes of a gzip file, which has ``size`` of them.

    What comes in front of it yields empty pieces, so that no step takes long. The last of all
    comes only when checksum and size were found right. Raises
    :class:`~filetracker.errors.Damaged`.
    """
    start = 0
    for piece in _verified(file, size, name):
        stop = start + len(piece)
        yield piece[max(0, part.start - start) : max(0, part.stop - start)]
        if stop >= part.stop:
            return
        start = stop


def _verified(file: BinaryIO, size: int, name: str) -> Iterator[bytes]:
    count = 0
    held = b''
    try:
        for piece in inflated(file):
            count += len(piece)
            if count > size:
                raise Damaged(name)
            if held:
                yield held
            held = piece
    except NotGzip as error:
        raise Damaged(name) from error
    if count != size:
        raise Damaged(name)
    if held:
        yield held


class Streamed:
    """The body of an answer whose pieces are made by ``run``, one after the other.

    ``close`` is called by ``run`` too, once, when the body is closed.
    """

    def __init__(
        self, run: Callable[..., Any], pieces: Iterator[bytes], close: Callable[[], object]
    ) -> None:
        self._run = run
        self._pieces = pieces
        self._close: Callable[[], object] | None = close

    def __iter__(self) -> Iterator[bytes]:
        while (piece := self._run(next, self._pieces, None)) is not None:
            yield piece

    def close(self) -> None:
        """Ends the body; it may be called twice."""
        if self._close is not None:
            close, self._close = self._close, None
            self._run(close)
