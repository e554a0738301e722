"""HTTP for many small requests: kept alive, quick, and never redirected.

The transport of the client follows redirections. Here one means that the server sends to its
fallback for a file, which is then not there.
"""

from __future__ import annotations

import contextlib
import functools
import http.client
import os
import ssl
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from urllib.parse import urlsplit

from filetracker.client.causes import one_line
from filetracker.client.credentials import (
    Identity,
    identity_for,
    in_netrc,
    without_credentials,
)
from filetracker.errors import (
    BadAnswer,
    ConnectionFailed,
    FiletrackerError,
    LocalFileError,
    NotFound,
    ServerError,
)
from filetracker.gz import PIECE
from filetracker.protocol import REASON_HEADER, parse_date, parse_size, quote_name

#: How long a server may be silent, and how long a connection may take, in seconds.
SILENCE = 300.0
_CONNECTING = 10.0

_SMALL_BODY = 1 << 16


class Answer:
    """An answer of a server, of which the body is still to come."""

    def __init__(self, url: str, response: http.client.HTTPResponse) -> None:
        self.url = url
        self.status = response.status
        self.headers = response.headers
        self._response = response

    def pieces(self) -> Iterator[bytes]:
        """Yields the body as it comes over the wire.

        Raises :class:`~filetracker.errors.ConnectionFailed` if it ends early.
        """
        left = self._response.length
        try:
            while piece := self._response.read(PIECE):
                left = None if left is None else left - len(piece)
                yield piece
        except (OSError, http.client.HTTPException) as error:
            raise self._broken(error) from error
        if left:
            raise self._broken('%d bytes are missing' % left)

    def finish(self) -> bool:
        """Reads the rest; returns whether the connection can be used again."""
        try:
            self._response.read(_SMALL_BODY)
        except (OSError, http.client.HTTPException):
            return False
        return self._response.isclosed()

    def close(self) -> None:
        self._response.close()

    def version(self) -> int | None:
        """Returns the version that is told, ``None`` if none is.

        Raises :class:`~filetracker.errors.InvalidName`.
        """
        date = self.headers.get('Last-Modified')
        return None if date is None else parse_date(date)

    def size(self) -> int:
        """Returns the length of the body in bytes; raises ``BadAnswer`` where it is not told."""
        try:
            return parse_size(self.headers.get('Content-Length', ''))
        except ValueError:
            raise BadAnswer(self.url, 'no Content-Length with %s' % self.url) from None

    def error(self, name: str) -> FiletrackerError:
        """Returns the error that the answer stands for, when asked for ``name``."""
        reason = self.headers.get(REASON_HEADER) or self._response.reason or 'no reason given'
        with contextlib.suppress(UnicodeError):
            # Headers come as Latin-1; sentences with names in them are UTF-8.
            reason = reason.encode('latin-1').decode('utf-8')
        sentence = 'HTTP/%d: %s' % (self.status, one_line(reason))
        if self.status == 404:
            return NotFound('/' + name, sentence)
        return ServerError(self.url, self.status, sentence)

    def _broken(self, why: object) -> ConnectionFailed:
        return ConnectionFailed(self.url, 'the connection broke within %s: %s' % (self.url, why))


class Server:
    """The server at ``url``, which may have a path of its own; shared by threads.

    Each thread has one connection, and so one request at a time. Credentials and authorities are
    those of the client (``client.credentials``); ``url``, as it is shown, has none. Raises
    :class:`~filetracker.errors.FiletrackerError` if they are of no use.
    """

    def __init__(self, url: str) -> None:
        self.url = without_credentials(url).rstrip('/')
        identity = identity_for(url, None)
        authorization = identity.authorization or in_netrc(url)
        self._headers = {'Authorization': authorization} if authorization else {}
        parts = urlsplit(self.url)
        self._kind: Callable[..., http.client.HTTPConnection] = http.client.HTTPConnection
        if parts.scheme == 'https':
            context = _context(identity)
            self._kind = functools.partial(http.client.HTTPSConnection, context=context)
        self._address = parts.hostname or '', parts.port
        self._path = parts.path
        self._own = threading.local()
        self._connections: list[http.client.HTTPConnection] = []
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def ask(
        self,
        method: str,
        target: str,
        headers: Mapping[str, str] | None = None,
        body: Iterable[bytes] = (),
    ) -> Iterator[Answer]:
        """Gives the answer to a request, whatever its status, for as long as the context lasts.

        ``target`` follows the path of the server. A body needs its ``Content-Length`` among the
        headers. Raises :class:`~filetracker.errors.ConnectionFailed`, and what reading the body
        raises.
        """
        url = self.url + target
        connection = self._connection()
        answer = None
        is_usable = False
        try:
            try:
                if connection.sock is None:
                    _connect(connection)
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                    # A server may answer before it has all, and then hang up.
                    sent = {**self._headers, **(headers or {})}
                    connection.request(method, self._path + target, body or None, sent)
                answer = Answer(url.partition('?')[0], connection.getresponse())
            except FiletrackerError:
                # Of the body: what it comes from has failed.
                raise
            except (OSError, http.client.HTTPException) as error:
                why = getattr(error, 'strerror', None) or str(error) or type(error).__name__
                raise ConnectionFailed(url, 'cannot reach %s: %s' % (self.url, why)) from error
            yield answer
            is_usable = answer.finish()
        finally:
            if answer:
                answer.close()
            if not is_usable:
                connection.close()

    def close(self) -> None:
        """Closes all connections; meant for the end, when no thread asks any more."""
        for connection in self._connections:
            connection.close()

    def _connection(self) -> http.client.HTTPConnection:
        connection: http.client.HTTPConnection | None = getattr(self._own, 'connection', None)
        if connection is None:
            connection = self._kind(*self._address, timeout=_CONNECTING)
            self._own.connection = connection
            with self._lock:
                self._connections.append(connection)
        return connection


def _context(identity: Identity) -> ssl.SSLContext:
    # As the libraries of the client have it.
    ca = identity.ca or os.environ.get('REQUESTS_CA_BUNDLE') or None
    try:
        if ca and os.path.isdir(ca):
            context = ssl.create_default_context(capath=ca)
        else:
            context = ssl.create_default_context(cafile=ca)
    except OSError as error:
        raise LocalFileError(ca or 'authorities', error.strerror or str(error)) from None
    if identity.cert:
        try:
            context.load_cert_chain(identity.cert)
        except OSError as error:
            raise LocalFileError(identity.cert, error.strerror or str(error)) from None
    return context


def _connect(connection: http.client.HTTPConnection) -> None:
    connection.connect()
    connection.sock.settimeout(SILENCE)


def file_target(name: str) -> str:
    """Returns where a server has a file, below its URL."""
    return '/files/' + quote_name(name)
