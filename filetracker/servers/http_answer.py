"""The answer to an HTTP/1 request: WSGI's ``start_response``, and how long the body is."""

from __future__ import annotations

import email.utils
import functools
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from filetracker.servers.http_head import Head
from filetracker.servers.sendable import Sendable
from filetracker.servers.wire import Wire

_BODYLESS = ('204', '304')
# The heads of answers that are kept, as files are asked for again and again.
_KNOWN_HEADS = 1 << 10
# Up to so many bytes are copied rather than sent from where they are.
_COPIED = 1 << 12


class Broken(Exception):
    """The body of an answer is not as long as its head says."""


class Answer:
    """One answer, on its way out.

    ``may_keep_alive`` is asked when the head is sent; ``keep_alive`` then says whether the
    connection can be used on. ``begun`` says whether a part of the answer has been sent, ``count``
    how many bytes of its body. ``request_id`` goes into the head, behind what is kept of it.
    """

    __slots__ = (
        'status',
        'begun',
        'keep_alive',
        'count',
        '_wire',
        '_may_keep_alive',
        '_is_head',
        '_is_old',
        '_headers',
        '_text',
        '_announced',
        '_length',
        '_chunked',
        '_has_no_body',
        '_request_id',
    )

    def __init__(
        self,
        wire: Wire,
        head: Head | None,
        may_keep_alive: Callable[[], bool],
        request_id: str,
    ) -> None:
        self.status = ''
        self.begun = False
        self.keep_alive = False
        self.count = 0
        self._wire = wire
        self._may_keep_alive = may_keep_alive
        self._request_id = request_id
        self._is_head = head is not None and head.method == 'HEAD'
        self._is_old = head is None or head.version == 'HTTP/1.0'
        self._headers: tuple[tuple[str, str], ...] = ()
        self._text = b''
        # What the head says of the length, and what that means for the body.
        self._announced: int | None = None
        self._length: int | None = None
        self._chunked = False
        self._has_no_body = False

    def start_response(
        self, status: str, headers: Sequence[tuple[str, str]], exc_info: Any = None
    ) -> Callable[[bytes], None]:
        """As PEP 3333 says."""
        if exc_info:
            try:
                if self.begun:
                    raise exc_info[1].with_traceback(exc_info[2])
            finally:
                exc_info = None
        elif self.status:
            raise AssertionError('start_response was called twice')
        self.status = status
        self._headers = tuple(headers)
        self._has_no_body = self._is_head or status.startswith(_BODYLESS)
        # What is said of an error may be long, and is different each time.
        head = _head if status.startswith('2') else _head.__wrapped__
        self._text, self._announced = head(status, self._headers)
        return self.write

    def write(self, piece: bytes) -> None:
        """Sends a piece of the body, behind the head if that was not sent yet."""
        head = b'' if self.begun else self._begin()
        self.count += len(piece)
        if self._length is not None and self.count > self._length:
            raise Broken('more than the announced %d bytes' % self._length)
        if self._has_no_body:
            piece = b''
        elif self._chunked and piece:
            piece = b'%x\r\n%b\r\n' % (len(piece), piece)
        if len(piece) > _COPIED and head:
            self._wire.send_joined(head, piece)
        elif head or piece:
            self._wire.send(head + piece)

    def send(self, body: Iterable[bytes]) -> None:
        """Sends what an application returned, and closes that.

        Raises :class:`Broken`.
        """
        try:
            if isinstance(body, (list, tuple)):
                if self._announced is None:
                    self._announce(body)
            elif isinstance(body, Sendable) and not self.begun:
                self._send_file(body)
            for piece in body:
                if piece:
                    self.write(piece)
                if self.begun and self._has_no_body:
                    break
            self._finish()
        finally:
            close = getattr(body, 'close', None)
            if close is not None:
                close()

    def _announce(self, body: Sequence[bytes]) -> None:
        if not self.begun and self.status and not self._has_no_body:
            self._headers += (('Content-Length', str(sum(map(len, body)))),)
            self._text, self._announced = _head(self.status, self._headers)

    def _send_file(self, body: Sendable) -> None:
        """Sends as much as the kernel can by itself; the rest is left to be iterated."""
        if self._announced != len(body) or self._has_no_body:
            return
        self._wire.send(self._begin(), more=True)
        for descriptor, start, stop in body.parts():
            try:
                sent = self._wire.send_file(descriptor, start, stop)
            except OSError:
                body.fail()
                raise
            self.count += sent
            if sent < stop - start:
                raise Broken('the file has become shorter')
            if self.count < len(body):
                # It is also quicker not to send to one who is just taking.
                self._wire.turn()

    def _finish(self) -> None:
        if not self.begun:
            self.write(b'')
        if self._has_no_body:
            return
        if self._length is not None and self.count < self._length:
            raise Broken('%d of the announced %d bytes' % (self.count, self._length))
        if self._chunked:
            self._wire.send(b'0\r\n\r\n')

    def _begin(self) -> bytes:
        if not self.status:
            raise AssertionError('start_response was not called')
        more = b''
        if self._has_no_body:
            delimited = True
        elif self._announced is not None:
            self._length = self._announced
            delimited = True
        else:
            self._chunked = delimited = not self._is_old
            if self._chunked:
                more = b'Transfer-Encoding: chunked\r\n'
        self.keep_alive = delimited and self._may_keep_alive()
        if not self.keep_alive:
            more += b'Connection: close\r\n'
        elif self._is_old:
            more += b'Connection: keep-alive\r\n'
        self.begun = True
        date, request_id = _date(int(time.time())), self._request_id.encode()
        return b'%bX-Request-Id: %b\r\n%b%b\r\n' % (self._text, request_id, date, more)


@functools.lru_cache(_KNOWN_HEADS)
def _head(status: str, headers: tuple[tuple[str, str], ...]) -> tuple[bytes, int | None]:
    """Returns status line and headers as they are sent, and the length that they announce."""
    lines = ['HTTP/1.1 ' + status, *('%s: %s' % header for header in headers), '']
    text = '\r\n'.join(lines)
    if text.count('\n') != len(lines) - 1 or text.count('\r') != len(lines) - 1:
        raise ValueError('a header of the answer has a line break')
    lengths = [value for name, value in headers if name.lower() == 'content-length']
    return text.encode('latin-1'), int(lengths[0]) if lengths else None


@functools.lru_cache(maxsize=1)
def _date(now: int) -> bytes:
    return ('Date: %s\r\n' % email.utils.formatdate(now, usegmt=True)).encode()
