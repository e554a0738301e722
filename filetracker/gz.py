"""Gzip (RFC 1952): the one place that knows which engine is used.

Memory is bounded by :data:`PIECE` whatever a stream inflates to.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import BinaryIO

#: How much is read, and the most that comes out of an inflater, at once, in bytes.
PIECE = 1 << 18

# How much of the input an inflater looks at at once: it copies the rest at the end of each member.
_SLICE = 1 << 14

_GZIP = 16 + zlib.MAX_WBITS
_LEVEL = 6


class NotGzip(ValueError):
    """The bytes are not a whole gzip stream; the sentence says why."""


class Inflater:
    """Inflates a gzip stream, of one member or more, that comes in parts.

    Checksum and length in each trailer are checked. Anything behind the last member that is not
    another member is an error.
    """

    def __init__(self) -> None:
        self._member = zlib.decompressobj(_GZIP)
        self._begun = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yields the plain bytes, in pieces of at most :data:`PIECE`.

        To be read to its end before the next call. Raises :class:`NotGzip`.
        """
        for start in range(0, len(data), _SLICE):
            yield from self._feed(data[start : start + _SLICE])

    def _feed(self, data: bytes) -> Iterator[bytes]:
        while data:
            if self._member.eof:
                self._member = zlib.decompressobj(_GZIP)
            self._begun = True
            try:
                piece = self._member.decompress(data, PIECE)
            except zlib.error as error:
                raise NotGzip('not valid gzip: %s' % error) from None
            # Neither is ever filled while the other is.
            data = self._member.unconsumed_tail or self._member.unused_data
            if piece:
                yield piece

    def finish(self) -> None:
        """Raises :class:`NotGzip` if the stream is not at its end."""
        if not self._begun:
            raise NotGzip('not valid gzip: it is empty')
        if not self._member.eof:
            raise NotGzip('not valid gzip: it is truncated')


class Deflater:
    """Compresses bytes that come in parts to a gzip stream of one member."""

    def __init__(self) -> None:
        self._stream = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP)

    def feed(self, data: bytes) -> bytes:
        """Takes plain bytes; returns what there is of the stream."""
        return self._stream.compress(data)

    def finish(self) -> bytes:
        """Returns the rest of the stream."""
        return self._stream.flush()


def inflated(file: BinaryIO) -> Iterator[bytes]:
    """Yields the plain bytes of a gzip file, in pieces of at most :data:`PIECE`.

    An empty piece behind each :data:`PIECE` of the file, so that no step takes long. Raises
    :class:`NotGzip`; what came before it may then be wrong as well.
    """
    inflater = Inflater()
    while data := file.read(PIECE):
        yield from inflater.feed(data)
        yield b''
    inflater.finish()
