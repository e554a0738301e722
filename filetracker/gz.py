"""Gzip (RFC 1952): the one place that knows which engine is used.

Memory is bounded by :data:`MOST` whatever a stream inflates to. ``benchmarks/engines.py`` prints
the figures behind the choice of engines and levels.
"""

from __future__ import annotations

import zlib
from collections.abc import Generator, Iterator
from typing import Any, BinaryIO

from filetracker.engines import (
    ENGINES,
    ERRORS,
    ISAL,
    LENIENT,
    RAW,
    STRICT,
    TRAILER,
    ZLIB_NG,
    Member,
    NotGzip,
    crc32,
    member,
)

__all__ = ['ENGINES', 'PIECE', 'Deflater', 'Inflater', 'LenientInflater', 'NotGzip', 'inflated']

#: How much is read at once, in bytes.
PIECE = 1 << 18
#: The most that comes out of an inflater at once: mostly all that there is in a piece.
MOST = 2 * PIECE

# How much of the input an inflater looks at at once behind the end of a member: it copies the rest
# at the end of each. As long as none ends it looks at more and more, up to a piece: that is faster.
_SLICE = 1 << 14

_MAGIC = b'\x1f\x8b'

#: What a deflater can aim at.
COMPRESSIONS = ('speed', 'balance', 'size')
DEFAULT_COMPRESSION = 'balance'

# For each, the first one that is installed. By measurement: `balance` is at most 10 % larger than
# gzip -9 on texts, at nine times its speed and more; `speed` up to 20 %, at fifty times.
_WAYS = {
    'speed': ((ISAL, 2), (ZLIB_NG, 2), ('zlib', 1)),
    'balance': ((ZLIB_NG, 5), ('zlib', 6)),
    'size': ((ZLIB_NG, 9), ('zlib', 9)),
}
# Where this is nearly as small as `balance`: with lines of numbers, for example.
_QUICK = (ISAL, 3)
_WRAPPING = ('zlib', 0)


class Inflater:
    """Inflates a gzip stream, of one member or more, that comes in parts.

    Checksum and length in each trailer are checked. Anything behind the last member that is not
    another member is an error. Takes what every other inflater takes, and no more. Where ``size``
    plain bytes are expected, hardly more memory is taken than for those.
    """

    def __init__(self, engine: str = STRICT, size: int | None = None) -> None:
        self._engine = engine
        # One more, as a full piece may not be all; and not too little, where it is not as expected.
        self._most = MOST if size is None else max(_SLICE, min(MOST, size + 1))
        self._member: Member | None = None
        self._width = PIECE

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yields the plain bytes, in pieces of at most :data:`MOST`.

        To be read to its end before the next call. Raises :class:`NotGzip`.
        """
        start = 0
        while start < len(data):
            part = data[start : start + self._width]
            left = yield from self._feed(part)
            start += len(part) - left
            self._width = _SLICE if left else min(2 * self._width, PIECE)

    def _feed(self, data: bytes) -> Generator[bytes, None, int]:
        """Returns how many bytes are left behind the end of a member."""
        if self._member is None:
            self._member = member(self._engine, data)
        elif self._member.eof:
            self._member = member(self._engine, data)
            if not _MAGIC.startswith(data[:2]):
                raise NotGzip('not valid gzip: there is something behind its end')
        is_full = True
        while is_full or not self._member.needs_input:
            try:
                piece = self._member.decompress(data, self._most)
            except ERRORS as error:
                raise NotGzip('not valid gzip: %s' % error) from None
            if piece:
                yield piece
            if self._member.eof:
                return len(self._member.unused_data)
            data = b''
            # An engine may have taken all of the input and have more to give.
            is_full = len(piece) == self._most
        return 0

    def finish(self) -> None:
        """Raises :class:`NotGzip` if the stream is not at its end."""
        if self._member is None:
            raise NotGzip('not valid gzip: it is empty')
        if not self._member.eof:
            raise NotGzip('not valid gzip: it is truncated')


class LenientInflater(Inflater):
    """The same, as fast as it can be.

    May take a stream that is not quite as it should be, if checksum and length are right, which
    other inflaters do not take. So it is for a stream that was let in by an :class:`Inflater`.
    """

    def __init__(self, engine: str = LENIENT) -> None:
        super().__init__(engine)


# Method deflate, no fields, no time, a system that is not told.
_HEADER = b'\x1f\x8b\x08\0\0\0\0\0\0\xff'

# Each so many bytes it is looked how to go on. Compressing pays where this part or less is left.
_STRETCH = 1 << 18
_PAYS = 0.95
# Each so many stretches it is tried, on a sample, whether the quick way is nearly as good.
_TRIAL_STRETCHES = 16
_LEAST_SAMPLE = 1 << 13
_SAMPLE = 1 << 16
_NEARLY = 1.02


class Deflater:
    """Compresses bytes that come in parts to a gzip stream of one member.

    ``compression`` is one of :data:`COMPRESSIONS`. What does not get smaller is only wrapped, and
    what gets nearly as small with a faster engine is left to that; both by looking at the bytes,
    again and again. Raises ``ValueError``.
    """

    def __init__(self, compression: str = DEFAULT_COMPRESSION) -> None:
        if compression not in COMPRESSIONS:
            raise ValueError('no such compression: %r' % compression)
        self._careful = next(way for way in _WAYS[compression] if way[0] in ENGINES)
        self._has_quick = compression == 'balance' and _QUICK[0] in ENGINES
        self._way = self._careful
        self._stream: Any = None
        self._checksum = 0
        self._size = 0
        self._stretches = 0
        # Of this stretch.
        self._came = 0
        self._left = 0

    def feed(self, data: bytes) -> bytes:
        """Takes plain bytes; returns what there is of the stream."""
        return b''.join(
            self._feed(data[start : start + _STRETCH]) for start in range(0, len(data), _STRETCH)
        )

    def _feed(self, data: bytes) -> bytes:
        begun = b''
        if (not self._size or self._came >= _STRETCH) and len(data) >= _LEAST_SAMPLE:
            begun = self._go_on(self._best_way(data[:_SAMPLE]))
        elif not self._stream:
            begun = self._go_on(self._way)
        self._checksum = crc32(data, self._checksum)
        self._size += len(data)
        compressed = self._stream.compress(data)
        self._came += len(data)
        self._left += len(compressed)
        return begun + compressed if begun else compressed  # type: ignore[no-any-return]

    def finish(self) -> bytes:
        """Returns the rest of the stream."""
        begun = b'' if self._stream else self._go_on(self._way)
        trailer = TRAILER.pack(self._checksum, self._size & 0xFFFFFFFF)
        return b''.join((begun, self._stream.flush(), trailer))

    def _best_way(self, sample: bytes) -> tuple[str, int]:
        pays = self._left <= _PAYS * self._came or _shrinks(sample)
        self._came = self._left = 0
        self._stretches += 1
        if not pays:
            return _WRAPPING
        if self._way != _WRAPPING and self._stretches % _TRIAL_STRETCHES != 1:
            return self._way
        if not self._has_quick:
            return self._careful
        quick, careful = (_compressed_size(way, sample) for way in (_QUICK, self._careful))
        return _QUICK if quick <= _NEARLY * careful else self._careful

    def _go_on(self, way: tuple[str, int]) -> bytes:
        """Compresses what comes in that way; returns the end of what was before."""
        end: bytes = _HEADER
        if self._stream:
            if way == self._way:
                return b''
            end = self._stream.flush(zlib.Z_SYNC_FLUSH)
        self._way = way
        self._stream = _raw_stream(way)
        return end


def _raw_stream(way: tuple[str, int]) -> Any:
    engine, level = way
    return ENGINES[engine].compressobj(level, zlib.DEFLATED, RAW)


def _compressed_size(way: tuple[str, int], sample: bytes) -> int:
    stream = _raw_stream(way)
    return len(stream.compress(sample)) + len(stream.flush())


def _shrinks(sample: bytes) -> bool:
    return len(zlib.compress(sample, 1)) <= _PAYS * len(sample)


def inflated(file: BinaryIO) -> Iterator[bytes]:
    """Yields the plain bytes of a gzip file, in pieces of at most :data:`MOST`.

    An empty piece behind each :data:`PIECE` of the file, so that no step takes long. Raises
    :class:`NotGzip`; what came before it may then be wrong as well.
    """
    inflater = Inflater()
    while data := file.read(PIECE):
        yield from inflater.feed(data)
        yield b''
    inflater.finish()
