"""The engines of gzip that are installed, and how each of them inflates one member of a stream."""

from __future__ import annotations

import importlib
import re
import struct
import zlib
from typing import Any, Protocol

GZIP = 16 + zlib.MAX_WBITS
RAW = -zlib.MAX_WBITS
#: Checksum and size at the end of a member.
TRAILER = struct.Struct('<II')


class NotGzip(ValueError):
    """The bytes are not a whole gzip stream; the sentence says why."""


def _found(*names: str) -> dict[str, Any]:
    engines = {}
    for name in names:
        try:
            engines[name] = importlib.import_module(name)
        except ImportError:
            continue
    return engines


#: By name; ``zlib`` always is installed.
ENGINES = _found('zlib', 'zlib_ng.zlib_ng', 'isal.isal_zlib')

ISAL = 'isal.isal_zlib'
ZLIB_NG = 'zlib_ng.zlib_ng'
STRICT = ZLIB_NG if ZLIB_NG in ENGINES else 'zlib'
LENIENT = ISAL if ISAL in ENGINES else STRICT

_igzip = _found('isal.igzip_lib')
ERRORS = tuple(engine.error for engine in (*ENGINES.values(), *_igzip.values()))
crc32 = ENGINES[LENIENT].crc32


class Member(Protocol):
    """What inflates one member, as :class:`bz2.BZ2Decompressor` does."""

    @property
    def eof(self) -> bool:
        """Whether the end of the member was seen."""

    @property
    def needs_input(self) -> bool:
        """Whether there is nothing left of what it was given."""

    @property
    def unused_data(self) -> bytes:
        """What was given behind the end."""

    def decompress(self, data: bytes, most: int) -> bytes:
        """Returns at most so many plain bytes, and all there are if it is fewer.

        Raises one of :data:`ERRORS` or :class:`NotGzip`.
        """


def member(engine: str, data: bytes) -> Member:
    """Returns what inflates the member that begins with ``data``."""
    if engine == ISAL:
        header = _SIMPLE_HEADER.match(data)
        if header:
            return _IsalMember(header.end())
        # ISA-L refuses some headers that come in parts, and takes some that are not valid.
        engine = STRICT
    # It makes room for all that is asked for at once, and is so much faster than what all have.
    direct = getattr(ENGINES[engine], '_ZlibDecompressor', None) if engine == ZLIB_NG else None
    whole: Member = direct(GZIP) if direct else _ZlibMember(ENGINES[engine])
    return whole


class _ZlibMember:
    def __init__(self, engine: Any) -> None:
        self._stream = engine.decompressobj(GZIP)

    def decompress(self, data: bytes, most: int) -> bytes:
        piece: bytes = self._stream.decompress(self._stream.unconsumed_tail or data, most)
        return piece

    @property
    def eof(self) -> bool:
        at_end: bool = self._stream.eof
        return at_end

    @property
    def needs_input(self) -> bool:
        return not self._stream.unconsumed_tail

    @property
    def unused_data(self) -> bytes:
        behind: bytes = self._stream.unused_data
        return behind


# All there is in the header of a member, as most programs write it: perhaps the name of a file.
_SIMPLE_HEADER = re.compile(rb'\x1f\x8b\x08(?:\0.{6}|\x08.{6}[^\0]{0,1000}\0)', re.DOTALL)


class _IsalMember:
    """A member whose header has ``header_size`` bytes, which are there at once."""

    def __init__(self, header_size: int) -> None:
        engine = _igzip['isal.igzip_lib']
        self._stream = engine.IgzipDecompressor(engine.DECOMP_DEFLATE)
        self._header_size = header_size
        self._checksum = 0
        self._size = 0
        self._trailer = b''
        self.eof = False
        self.needs_input = True
        self.unused_data = b''

    def decompress(self, data: bytes, most: int) -> bytes:
        if self._header_size:
            data = data[self._header_size :]
            self._header_size = 0
        piece = b''
        if not self._stream.eof:
            piece = self._stream.decompress(data, most)
            self._checksum = crc32(piece, self._checksum)
            self._size += len(piece)
            data = self._stream.unused_data
        if self._stream.eof:
            self._end(data)
        self.needs_input = self._stream.eof or self._stream.needs_input
        return piece

    def _end(self, data: bytes) -> None:
        missing = TRAILER.size - len(self._trailer)
        self._trailer += data[:missing]
        self.unused_data = data[missing:]
        if len(self._trailer) == TRAILER.size:
            if self._trailer != TRAILER.pack(self._checksum, self._size & 0xFFFFFFFF):
                raise NotGzip('not valid gzip: incorrect checksum or length')
            self.eof = True
