"""A client that makes nothing good: no retries, no cache, and every failure is told."""

from __future__ import annotations

import http.client
import socket
from types import TracebackType
from urllib.parse import quote

from tests.trust.contents import Content
from tests.wire.raw import Answer, dated

#: How long a request may take in all of these tests, in seconds; then it counts as failed.
PATIENCE = 20.0


class Lost(Exception):
    """The request was not answered, or not to the end; nobody knows what it did."""


class Client:
    """A connection, opened when it is needed and again after it was lost. A context manager."""

    def __init__(self, port: int, patience: float = PATIENCE) -> None:
        self._connection = http.client.HTTPConnection('127.0.0.1', port, timeout=patience)
        #: How many connections were opened.
        self.connections = 0

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        self._connection.close()

    def ask(self, method: str, target: str, body: bytes | None = None, **fields: str) -> Answer:
        """Sends a request and reads its answer. Raises :class:`Lost`.

        Underscores in the names of fields stand for dashes.
        """
        named = {name.replace('_', '-'): value for name, value in fields.items()}
        try:
            if self._connection.sock is None:
                self._connection.connect()
                self._connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self.connections += 1
            self._connection.request(method, target, body, named)
            answer = self._connection.getresponse()
            headers = {name.lower(): value for name, value in answer.getheaders()}
            return Answer(answer.status, headers, answer.read())
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            raise Lost('%s: %s' % (type(error).__name__, error)) from None

    def put(self, name: str, version: int, content: Content) -> Answer:
        """Puts a file as existing clients do."""
        return self.ask(
            'PUT',
            dated('/files/' + quote(name), version),
            content.gzipped,
            Content_Encoding='gzip',
            SHA256_Checksum=content.digest,
            Logical_Size=str(len(content.plain)),
        )

    def put_plain(self, name: str, version: int, content: Content) -> Answer:
        """Puts a file without any hint."""
        return self.ask('PUT', dated('/files/' + quote(name), version), content.plain)

    def get(self, name: str) -> Answer:
        """Gets a file as gzip."""
        return self.ask('GET', '/files/' + quote(name), Accept_Encoding='gzip')

    def get_plain(self, name: str, **fields: str) -> Answer:
        return self.ask('GET', '/files/' + quote(name), Accept_Encoding='identity', **fields)

    def head(self, name: str) -> Answer:
        return self.ask('HEAD', '/files/' + quote(name), Accept_Encoding='gzip')

    def delete(self, name: str, version: int) -> Answer:
        return self.ask('DELETE', dated('/files/' + quote(name), version))

    def names(self, directory: str = '') -> list[str]:
        """Returns the names below a directory. Raises :class:`Lost`, also for an error."""
        answer = self.ask('GET', '/list/' + quote(directory) if directory else '/list')
        if answer.status != 200:
            raise Lost('the list answers %d' % answer.status)
        return answer.body.decode().splitlines()
