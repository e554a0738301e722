"""A server that answers with the very bytes it is told to, to see what a client makes of them."""

from __future__ import annotations

import contextlib
import email
import gzip
import hashlib
import socket
import threading
from collections.abc import Callable
from email.message import Message
from typing import NamedTuple

from filetracker.client.remote_data_store import RemoteDataStore


class Request(NamedTuple):
    """A request as it came."""

    method: str
    target: str
    headers: Message
    body: bytes


Act = Callable[[socket.socket, Request], None]


class RawServer:
    """Gives its answers in turn, the last one for ever, and closes each connection after one.

    An answer is the bytes to send, or a function that does what it wants with the connection. With
    ``keep_alive`` connections stay open. A context manager.
    """

    def __init__(self, *answers: bytes | Act, keep_alive: bool = False) -> None:
        self.requests: list[Request] = []
        self.connections = 0
        self._answers = list(answers)
        self._keep_alive = keep_alive
        self._listener = socket.create_server(('127.0.0.1', 0))
        self._open: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept)]

    @property
    def url(self) -> str:
        return 'http://127.0.0.1:%d' % self._listener.getsockname()[1]

    def __enter__(self) -> RawServer:
        self._threads[0].start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._threads[0].join()
        self._listener.close()
        for connection in self._open:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        for thread in self._threads:
            thread.join()
        for connection in self._open:
            connection.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._open.append(connection)
            self._threads.append(threading.Thread(target=self._serve, args=(connection,)))
            self._threads[-1].start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            with connection.makefile('rb') as file:
                while request := self._read(file):
                    self.requests.append(request)
                    answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
                    if callable(answer):
                        answer(connection, request)
                    else:
                        connection.sendall(answer)
                    if not self._keep_alive:
                        break
            connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    def _read(self, file) -> Request | None:
        line = file.readline().decode('latin-1').split()
        if not line:
            return None
        lines = []
        while (header := file.readline()) not in (b'\r\n', b''):
            lines.append(header)
        headers = email.message_from_bytes(b''.join(lines))
        body = b''
        if headers['Expect'] is None:
            body = file.read(int(headers.get('Content-Length', 0)))
        return Request(line[0], line[1], headers, body)


def answer(status: str = '200 OK', body: bytes = b'', **headers: str | int | None) -> bytes:
    """The bytes of an answer; ``content_length=5`` is a header, ``None`` leaves one out."""
    headers = {'content_length': len(body), 'connection': 'close', **headers}
    lines = ['HTTP/1.1 ' + status]
    for key, value in headers.items():
        if value is not None:
            lines.append('%s: %s' % (key.replace('_', '-').title(), value))
    return '\r\n'.join(lines + ['', '']).encode('latin-1') + body


def file_answer(content: bytes, **headers: str | int | None) -> bytes:
    """The answer that carries a file, as our server gives it, but for what ``headers`` changes."""
    said: dict[str, str | int | None] = {
        'content_encoding': 'gzip',
        'last_modified': 'Thu, 01 Jan 1970 00:00:05 GMT',
        'logical_size': len(content),
        'sha256_checksum': hashlib.sha256(content).hexdigest(),
    }
    return answer(body=gzip.compress(content), **{**said, **headers})


VERSIONS = answer(body=b'{"protocol_versions": [2]}')
DATE = 'Thu, 01 Jan 1970 00:00:05 GMT'
STORED = answer(last_modified=DATE)


def store_at(server: RawServer) -> RemoteDataStore:
    """A store that knows already which protocol is spoken."""
    store = RemoteDataStore(server.url)
    store._protocol_ver = 2
    return store


@contextlib.contextmanager
def listening(act):
    """Yields a store whose server calls ``act(connection, file)`` behind the head of a request."""

    def serve():
        connection, _ = listener.accept()
        with connection, connection.makefile('rb') as file:
            while file.readline() != b'\r\n':
                pass
            act(connection, file)

    with socket.create_server(('127.0.0.1', 0)) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        thread = threading.Thread(target=serve)
        thread.start()
        # Less time to connect than some of the servers take to listen.
        url = 'http://127.0.0.1:%d' % listener.getsockname()[1]
        store = RemoteDataStore(url, timeout=(0.3, 30))
        store._protocol_ver = 2
        try:
            yield store
        finally:
            thread.join()
