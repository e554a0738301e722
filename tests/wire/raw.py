"""HTTP by hand: what is sent is what a test says, and nothing is made good on the way."""

from __future__ import annotations

import gzip
import hashlib
import socket
from email.utils import formatdate
from types import TracebackType
from typing import NamedTuple
from urllib.parse import quote

PATIENCE = 20.0


class Answer(NamedTuple):
    """What came back; header names are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def line(self) -> str:
        """The one line of an error."""
        assert self.headers['content-type'] == 'text/plain; charset=utf-8'
        assert self.body.endswith(b'\n') and self.body.count(b'\n') == 1
        return self.body.decode()[:-1]


class Peer:
    """A connection to a server, a context manager."""

    def __init__(self, port: int, receive_buffer: int | None = None) -> None:
        self.socket = socket.socket()
        if receive_buffer is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(PATIENCE)
        self.socket.connect(('127.0.0.1', port))
        self._input = self.socket.makefile('rb')

    def __enter__(self) -> Peer:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._input.close()
        self.socket.close()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def ask(self, data: bytes) -> Answer:
        """Sends a request and reads its answer."""
        self.send(data)
        return self.read(is_head=data.startswith(b'HEAD '))

    def read_head(self) -> tuple[int, dict[str, str]]:
        """Reads status and headers of the next answer."""
        version, status, _ = self._line().split(b' ', 2)
        assert version == b'HTTP/1.1'
        headers: dict[str, str] = {}
        while line := self._line():
            name, value = line.decode('latin-1').split(': ', 1)
            assert name.lower() not in headers
            headers[name.lower()] = value
        return int(status), headers

    def read(self, is_head: bool = False) -> Answer:
        """Reads the next answer; that of a HEAD request has no body."""
        status, headers = self.read_head()
        if is_head or status in (100, 204, 304):
            return Answer(status, headers, b'')
        if 'content-length' in headers:
            return Answer(status, headers, self.read_bytes(int(headers['content-length'])))
        if headers.get('transfer-encoding') == 'chunked':
            return Answer(status, headers, self._chunks())
        return Answer(status, headers, self._input.read())

    def read_bytes(self, count: int) -> bytes:
        """Reads so many bytes of a body."""
        body = self._input.read(count)
        assert len(body) == count, 'the connection ended early'
        return body

    def is_ended(self) -> bool:
        """Waits for what comes next; whether that is the end of the connection."""
        return self._input.read(1) == b''

    def is_dropped(self) -> bool:
        """Waits for the end of the connection; whether it came without an answer."""
        try:
            return self._input.read(1) == b''
        except ConnectionResetError:
            return True

    def is_reset(self) -> bool:
        """Waits for the end of the connection; whether it was broken off."""
        try:
            self._input.read()
        except ConnectionResetError:
            return True
        return False

    def _line(self) -> bytes:
        line = self._input.readline()
        assert line.endswith(b'\r\n'), 'no answer, or not to its end: %r' % line
        return line[:-2]

    def _chunks(self) -> bytes:
        body = b''
        while size := int(self._line(), 16):
            body += self.read_bytes(size)
            assert self._line() == b''
        assert self._line() == b''
        return body


def request(method: str, target: str, body: bytes = b'', **fields: str | None) -> bytes:
    """Returns a request; underscores in the names of fields stand for dashes.

    ``Host``, and ``Content-Length`` where there is a body or the method is PUT, are added unless
    they are given; ``None`` leaves them out.
    """
    given = {name.replace('_', '-').lower(): value for name, value in fields.items()}
    given.setdefault('host', 'localhost')
    if body or method == 'PUT':
        given.setdefault('content-length', str(len(body)))
    lines = ['%s %s HTTP/1.1' % (method, target)]
    lines += ['%s: %s' % (name, value) for name, value in given.items() if value is not None]
    return '\r\n'.join([*lines, '', '']).encode('latin-1') + body


def put(name: str, body: bytes = b'content', version: int = 1000, **fields: str | None) -> bytes:
    """Returns the request that puts a plain file."""
    return request('PUT', dated('/files/' + quote(name), version), body, **fields)


def put_gzip(name: str, plain: bytes = b'content', version: int = 1000) -> bytes:
    """Returns the request that puts a file as clients do, but for the time in its gzip header."""
    return put(
        name,
        gzip.compress(plain, mtime=0),
        version,
        content_encoding='gzip',
        sha256_checksum=digest(plain),
        logical_size=str(len(plain)),
    )


def delete(name: str, version: int = 1000, **fields: str | None) -> bytes:
    return request('DELETE', dated('/files/' + quote(name), version), **fields)


def get(name: str, **fields: str | None) -> bytes:
    return request('GET', '/files/' + quote(name), **fields)


def head(name: str, **fields: str | None) -> bytes:
    return request('HEAD', '/files/' + quote(name), **fields)


def listing(directory: str = '', version: int | None = None) -> bytes:
    target = '/list/' + quote(directory)
    return request('GET', target if version is None else dated(target, version))


def dated(target: str, version: int) -> str:
    """Returns a target with the version in its query."""
    return '%s?last_modified=%s' % (target, quote(date(version)))


def date(version: int) -> str:
    """Returns the date that stands for a version, as existing clients write it."""
    return formatdate(version)


def http_date(version: int) -> str:
    return formatdate(version, usegmt=True)


def digest(plain: bytes) -> str:
    return hashlib.sha256(plain).hexdigest()
