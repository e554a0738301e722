"""The bytes of a file on their way out; never an end that looks complete but is not."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, NoReturn

from filetracker.errors import Damaged
from filetracker.gz import PIECE, LenientInflater, NotGzip
from filetracker.servers.conditional import Part
from filetracker.servers.sendable import Sendable
from filetracker.servers.storage import Shelved

# So much of a file is looked at in one step: what it inflates to may be a thousand times that.
_STEP = 1 << 16
# For so long somebody computes before others have their turn, in seconds.
_WHILE = 0.005
# What goes out before the first look at the file, and between two: who has got a little begins to
# take it, while others have their turn.
_FIRST = 768 << 10
_SENT = 8 << 20
# So much of it is read at a time.
_READ = 2 << 20


def stored_pieces(file: BinaryIO, part: Part, check: Check) -> Iterator[bytes]:
    """Yields a part of the gzip bytes of a file, which are read and checked to their end.

    What is not in the part yields empty pieces, so that no step takes long. The last of it comes
    only when checksums and size were found right. Raises :class:`~filetracker.errors.Damaged`.
    """
    file.seek(0)
    start = 0
    held = b''
    while data := file.read(_STEP):
        check.feed(data)
        wanted = data[max(0, part.start - start) : max(0, part.stop - start)]
        start += len(data)
        if wanted:
            held, wanted = wanted, held
        yield wanted
    check.finish()
    yield held


def plain_pieces(file: BinaryIO, part: Part, check: Check) -> Iterator[bytes]:
    """Yields a part of the plain bytes of a gzip file; else as :func:`stored_pieces`.

    Stops at the end of the part, where that is not the end of the file.
    """
    file.seek(0)
    start = 0
    held = b''
    while data := file.read(_STEP):
        for piece in check.inflate(data):
            wanted = piece[max(0, part.start - start) : max(0, part.stop - start)]
            start += len(piece)
            if wanted:
                held, wanted = wanted, held
            yield wanted
        if start >= part.stop and start < check.size:
            break
        yield b''
    else:
        check.finish()
    yield held


class Check:
    """Whether a gzip file of ``size`` plain bytes is whole.

    Where it is, ``praise`` is called at its end. Where it is not, ``report`` is called and
    :class:`~filetracker.errors.Damaged` raised, for the file ``name``.
    """

    def __init__(
        self,
        name: str,
        size: int,
        praise: Callable[[], object],
        report: Callable[[], object],
    ) -> None:
        self.size = size
        self._name = name
        self._praise = praise
        self._report = report
        self._inflater = LenientInflater()
        self._count = 0

    def feed(self, data: bytes) -> None:
        """Takes the next bytes of the file."""
        for _ in self.inflate(data):
            pass

    def inflate(self, data: bytes) -> Iterator[bytes]:
        """Yields what the next bytes of the file inflate to."""
        try:
            for piece in self._inflater.feed(data):
                self._count += len(piece)
                if self._count > self.size:
                    raise NotGzip
                yield piece
        except NotGzip:
            self._fail()

    def finish(self) -> None:
        """To be called at the end of the file."""
        try:
            self._inflater.finish()
        except NotGzip:
            self._fail()
        if self._count != self.size:
            self._fail()
        self._praise()

    def _fail(self) -> NoReturn:
        self._report()
        raise Damaged(self._name)


class FromShelf(Sendable):
    """A part of the gzip bytes of a verified blob; ``run`` calls what blocks.

    ``report`` is called, by it too, where the blob cannot be read.
    """

    def __init__(
        self,
        run: Callable[..., Any],
        name: str,
        shelved: Shelved,
        part: Part,
        report: Callable[[], object],
    ) -> None:
        self._run = run
        self._name = name
        # In a list, so that the last reference can go on another thread.
        self._held = [shelved]
        self._part = part
        self._report = report
        self._position = part.start

    def __len__(self) -> int:
        return self._part.stop - self._part.start

    def __iter__(self) -> Iterator[bytes]:
        for part in self.parts():
            for descriptor, start, stop in _pieces(*part):
                piece = self._read(descriptor, start, stop)
                if len(piece) < stop - start:
                    raise Damaged(self._name)
                yield piece

    def parts(self) -> Iterator[tuple[int, int, int]]:
        may_wait = len(self) > _SENT
        while (start := self._position) < self._part.stop:
            size = _SENT
            if start == self._part.start:
                size = _FIRST
                # Where all of a smaller one was in memory a moment ago, it still is.
                may_wait = may_wait or self._held[0].is_due()
            stop = start + size
            if stop + size // 2 > self._part.stop:
                stop = self._part.stop
            self._position = stop
            descriptor = self._held[0].descriptor
            for piece in _pieces(descriptor, start, stop) if may_wait else ():
                if not _is_in_memory(*piece):
                    self._read(*piece)
            # To whom a part was sent, the last one must not be when the bytes have changed since.
            if start > self._part.start and stop == self._part.stop:
                if not self._held[0].is_unchanged():
                    raise Damaged(self._name)
            yield descriptor, start, stop

    def fail(self) -> None:
        self._run(self._report)

    def close(self) -> None:
        if self._held and self._held[0].is_unlinked():
            # The last to let go of a large file has to wait for its room to be freed.
            self._run(self._held.clear)
        self._held.clear()

    def _read(self, descriptor: int, start: int, stop: int) -> bytes:
        try:
            piece: bytes = self._run(os.pread, descriptor, stop - start, start)
        except OSError:
            self.fail()
            raise
        return piece


def _pieces(descriptor: int, start: int, stop: int) -> Iterator[tuple[int, int, int]]:
    for position in range(start, stop, _READ):
        yield descriptor, position, min(position + _READ, stop)


def _is_in_memory(descriptor: int, start: int, stop: int) -> bool:
    """Whether reading does not block, most probably: files are read and dropped from the start."""
    byte = [bytearray(1)]
    try:
        os.preadv(descriptor, byte, start, os.RWF_NOWAIT)
        os.preadv(descriptor, byte, stop - 1, os.RWF_NOWAIT)
    except BlockingIOError:
        return False
    except OSError:
        # It cannot be told there.
        return True
    return True


def _some(pieces: Iterator[bytes]) -> list[bytes]:
    """Returns what pieces come in a while, and not too many of them; none at the end."""
    some: list[bytes] = []
    size = 0
    until = time.thread_time() + _WHILE
    for piece in pieces:
        some.append(piece)
        size += len(piece)
        if size >= PIECE or time.thread_time() > until:
            break
    return some


class Streamed:
    """The body of an answer whose pieces are made by ``run``, some of them at a time.

    ``close`` is called by ``run`` too, once, when the body is closed.
    """

    def __init__(
        self, run: Callable[..., Any], pieces: Iterator[bytes], close: Callable[[], object]
    ) -> None:
        self._run = run
        self._pieces = pieces
        self._close: Callable[[], object] | None = close

    def __iter__(self) -> Iterator[bytes]:
        while some := self._run(_some, self._pieces):
            yield b''.join(some)

    def close(self) -> None:
        """Ends the body; it may be called twice."""
        if self._close is not None:
            close, self._close = self._close, None
            self._run(close)
