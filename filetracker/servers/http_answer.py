"""The answer to an HTTP/1 request: WSGI's ``start_response``, and how long the body is."""

from __future__ import annotations

import email.utils
import functools
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from filetracker.servers.http_head import Head
from filetracker.servers.wire import Wire

_BODYLESS = ('204', '304')


class Broken(Exception):
    """The body of an answer is not as long as its head says."""


class Answer:
    """One answer, on its way out.

    ``may_keep_alive`` is asked when the head is sent; ``keep_alive`` then says whether the
    connection can be used on. ``begun`` says whether a part of the answer has been sent, ``count``
    how many bytes of its body.
    """

    def __init__(self, wire: Wire, head: Head | None, may_keep_alive: Callable[[], bool]) -> None:
        self.status = ''
        self.begun = False
        self.keep_alive = False
        self.count = 0
        self._wire = wire
        self._may_keep_alive = may_keep_alive
        self._is_head = head is not None and head.method == 'HEAD'
        self._is_old = head is None or head.version == 'HTTP/1.0'
        self._headers: list[tuple[str, str]] = []
        self._length: int | None = None
        self._chunked = False

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
        self._headers = list(headers)
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
        if head or piece:
            self._wire.send(head + piece)

    def send(self, body: Iterable[bytes]) -> None:
        """Sends what an application returned, and closes that.

        Raises :class:`Broken`.
        """
        try:
            is_whole = isinstance(body, (list, tuple)) and not self._has_no_body
            if is_whole and not self.begun and not self._announced():
                self._headers.append(('Content-Length', str(sum(map(len, body)))))
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

    def _finish(self) -> None:
        if not self.begun:
            self.write(b'')
        if self._has_no_body:
            return
        if self._length is not None and self.count < self._length:
            raise Broken('%d of the announced %d bytes' % (self.count, self._length))
        if self._chunked:
            self._wire.send(b'0\r\n\r\n')

    @property
    def _has_no_body(self) -> bool:
        return self._is_head or self.status.startswith(_BODYLESS)

    def _announced(self) -> str | None:
        for name, value in self._headers:
            if name.lower() == 'content-length':
                return value
        return None

    def _begin(self) -> bytes:
        if not self.status:
            raise AssertionError('start_response was not called')
        headers = [('Date', _date(int(time.time()))), *self._headers]
        announced = self._announced()
        if self._has_no_body:
            delimited = True
        elif announced is not None:
            self._length = int(announced)
            delimited = True
        else:
            self._chunked = delimited = not self._is_old
            if self._chunked:
                headers.append(('Transfer-Encoding', 'chunked'))
        self.keep_alive = delimited and self._may_keep_alive()
        if not self.keep_alive:
            headers.append(('Connection', 'close'))
        elif self._is_old:
            headers.append(('Connection', 'keep-alive'))
        lines = ['HTTP/1.1 ' + self.status, *('%s: %s' % header for header in headers)]
        text = '\r\n'.join(lines)
        if text.count('\n') != len(lines) - 1 or text.count('\r') != len(lines) - 1:
            raise ValueError('a header of the answer has a line break')
        head = text.encode('latin-1') + b'\r\n\r\n'
        self.begun = True
        return head


@functools.lru_cache(maxsize=1)
def _date(now: int) -> str:
    return email.utils.formatdate(now, usegmt=True)
