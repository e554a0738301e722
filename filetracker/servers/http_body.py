"""The body of an HTTP/1 request: exactly as long as it was announced, or an error."""

from __future__ import annotations

import io
import re
import time
from collections.abc import Callable
from typing import Any

from filetracker.errors import BadUpload
from filetracker.servers.http_head import MAX_FIELDS, Head, Refused, parse_field
from filetracker.servers.wire import Lost, TooLong, Wire

_MAX_CHUNK_LINE = 4 << 10
_CHUNK_LINE = re.compile(rb'([0-9A-Fa-f]{1,15})(?:;[^\x00-\x08\x0a-\x1f\x7f]*)?')
_DRAIN_SIZE = 64 << 10


class Body(io.RawIOBase):
    """A body of known length, maybe none.

    Reading raises ``BadUpload`` where the body is shorter than announced or malformed, and
    ``TimeoutError`` where the peer is silent; ``failed`` is true from then on. ``before`` is
    called once, in front of the first read. ``count`` is how many bytes have been read.
    """

    def __init__(self, wire: Wire, length: int, before: Callable[[], None]) -> None:
        super().__init__()
        self.failed = False
        self._wire = wire
        self._left = length
        self.count = 0
        self._before: Callable[[], None] | None = before

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if self.ended:
            return 0
        if self.failed:
            raise BadUpload('the body could not be read to its end')
        try:
            if self._before is not None:
                before, self._before = self._before, None
                before()
            return self._read_into(memoryview(buffer).cast('B'))
        except TimeoutError:
            self.failed = True
            raise TimeoutError('the body stopped coming, after %d bytes' % self.count) from None
        except (EOFError, Lost, OSError):
            self.failed = True
            raise BadUpload('the body ended early, after %d bytes' % self.count) from None
        except (Refused, TooLong) as error:
            self.failed = True
            raise BadUpload(str(error) or 'the chunked body is malformed') from None

    @property
    def ended(self) -> bool:
        """Whether all of it has been read."""
        return not self._left

    @property
    def begun(self) -> bool:
        """Whether somebody began to read it."""
        return self._before is None

    @property
    def is_short(self) -> bool:
        """Whether so little of it is left that it is better read than the connection closed."""
        return self._left <= _DRAIN_SIZE

    def drain(self, seconds: float) -> bool:
        """Reads and drops the rest, for so long at most; returns whether it came to the end."""
        if self.ended:
            return True
        until = time.monotonic() + seconds
        rest = bytearray(_DRAIN_SIZE)
        try:
            while self.readinto(rest) and time.monotonic() < until:
                self._wire.step()
        except (BadUpload, TimeoutError):
            return False
        return self.ended

    def read_now(self, least: int, most: int) -> bytes:
        """Returns what has arrived, at most ``most`` bytes, or nothing if it is not ``least``.

        To be called behind a read, by any thread, while the one that reads waits for that thread.
        """
        piece = self._wire.read_now(min(least, self._left), min(most, self._left))
        self._left -= len(piece)
        self.count += len(piece)
        return piece

    def _read_into(self, view: memoryview) -> int:
        count = self._wire.read_into(view[: self._left])
        if not count:
            raise EOFError
        self._left -= count
        self.count += count
        return count


class ChunkedBody(Body):
    """A body that comes in chunks; extensions and trailers are dropped."""

    def __init__(self, wire: Wire, before: Callable[[], None]) -> None:
        super().__init__(wire, 0, before)
        self._ended = False

    @property
    def ended(self) -> bool:
        return self._ended

    @property
    def is_short(self) -> bool:
        return self._ended

    def _read_into(self, view: memoryview) -> int:
        if not self._left:
            self._left = self._next_size()
        if not self._left:
            self._drop_trailers()
            self._ended = True
            return 0
        count = super()._read_into(view)
        if not self._left and self._wire.read_line(0):
            raise Refused('400 Bad Request', 'a chunk is longer than its size')
        return count

    def read_now(self, least: int, most: int) -> bytes:
        return b''

    def _next_size(self) -> int:
        self._wire.step()
        line = _CHUNK_LINE.fullmatch(self._wire.read_line(_MAX_CHUNK_LINE))
        if not line:
            raise Refused('400 Bad Request', 'the size of a chunk is malformed')
        return int(line.group(1), 16)

    def _drop_trailers(self) -> None:
        for _ in range(MAX_FIELDS + 1):
            line = self._wire.read_line(_MAX_CHUNK_LINE)
            if not line:
                return
            parse_field(line.decode('latin-1'))
        raise TooLong


class Input(io.BufferedReader):
    """A body as an application reads it, and its ``read_now``."""

    def __init__(self, body: Body) -> None:
        # Nothing is read ahead, so that both can be called in turn.
        super().__init__(body, 1)
        self.read_now = body.read_now


class WholeBody(io.BytesIO):
    """A body that has arrived with its head, or that there is none."""

    failed = begun = False
    ended = is_short = True

    def __init__(self, content: bytes = b'') -> None:
        super().__init__(content)
        self.count = len(content)

    def drain(self, seconds: float) -> bool:
        return True


NO_BODY = WholeBody()


def body_of(head: Head, wire: Wire) -> Body | WholeBody:
    """Returns the body that belongs to a head; a peer that waits to be asked for it is asked."""
    if not head.has_body:
        return NO_BODY
    length = head.fields.length or 0
    # Who expects to be asked for it is, in whichever parts it comes.
    if not head.chunked and not head.expects_continue and length <= len(wire.ahead):
        return WholeBody(wire.take(length))

    def ask() -> None:
        if head.expects_continue:
            wire.send(b'HTTP/1.1 100 Continue\r\n\r\n')

    if head.chunked:
        return ChunkedBody(wire, ask)
    return Body(wire, length, ask)
