"""HTTP/1 on gevent, for one WSGI application.

Knows nothing of files. Everything that blocks is up to the application, which is called in a
greenlet of its own for each connection.
"""

from __future__ import annotations

import io
import logging
import re
import socket as sockets
import sys
import time
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import gevent
from gevent.server import StreamServer
from gevent.socket import socket

from filetracker.servers.base import error_answer
from filetracker.servers.http_answer import Answer
from filetracker.servers.http_body import Body, body_of
from filetracker.servers.http_head import MAX_HEAD, MAX_LINE, Head, Refused, parse_head
from filetracker.servers.wire import Lost, Wire

logger = logging.getLogger(__name__)
access = logging.getLogger('filetracker.access')

_BARE_LINE_FEED = re.compile(rb'(?<!\r)\n')
_LINGER = 30.0
_LINGER_SILENCE = 5.0
_DRAIN = 5.0
_ABORT = 1.0
_EMPTY = io.BytesIO()

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class Patience(NamedTuple):
    """How long a peer may be silent: inside a request or an answer, and between requests."""

    within: float = 60.0
    between: float = 75.0


class HttpServer:
    """Serves ``application`` on a listening socket, which it takes over.

    While there are ``most_connections``, others wait in the backlog of the socket.
    """

    def __init__(
        self,
        listener: sockets.socket,
        application: Application,
        patience: Patience,
        most_connections: int | None = None,
    ) -> None:
        self.application = application
        self.patience = patience
        self.stopping = False
        listening = socket(fileno=listener.detach())
        listening.setblocking(False)
        self.address = listening.getsockname()
        self._server = StreamServer(listening, self._serve, spawn=most_connections or 'default')
        self._connections: set[_Connection] = set()

    def start(self) -> None:
        """Begins to accept connections."""
        self._server.start()

    def stop(self, seconds: float) -> bool:
        """Accepts no more connections and waits for the requests in flight, for so long at most.

        Returns whether all of them were answered; the rest are cut off.
        """
        self.stopping = True
        self._server.close()
        for connection in self._connections:
            if not connection.busy:
                connection.wire.end_reading()
        answered = self._wait(seconds)
        for connection in list(self._connections):
            connection.wire.abort()
        self._wait(_ABORT)
        return answered

    @property
    def is_busy(self) -> bool:
        """Whether the application is still working for somebody."""
        return bool(self._connections)

    def _wait(self, seconds: float) -> bool:
        until = time.monotonic() + seconds
        while self._connections and time.monotonic() < until:
            gevent.sleep(0.01)
        return not self._connections

    def _serve(self, connected: socket, peer: Any) -> None:
        connection = _Connection(self, Wire(connected, self.patience.within), peer)
        self._connections.add(connection)
        try:
            connection.serve()
        finally:
            self._connections.discard(connection)


class _Connection:
    """One connection, from its first request to its last."""

    def __init__(self, server: HttpServer, wire: Wire, peer: Any) -> None:
        self.wire = wire
        self.busy = False
        self._server = server
        # A peer on a socket of the file system has no address.
        self._peer = (str(peer[0]), str(peer[1])) if isinstance(peer, tuple) else ('', '')

    def serve(self) -> None:
        try:
            while self._serve_one():
                self.wire.step()
        except (Lost, OSError) as error:
            logger.debug('lost the connection from %s: %s', self._peer[0], error)
        except Exception:
            logger.exception('gave up a connection')
        finally:
            self.wire.close()

    def _serve_one(self) -> bool:
        """Answers the next request; whether another may follow on this connection."""
        try:
            raw = self._next_head()
            if raw is None:
                return False
            head = parse_head(raw)
        except Refused as refusal:
            self._refuse(refusal)
            return False
        body = body_of(head, self.wire)
        answer = Answer(self.wire, head, lambda: self._may_keep_alive(head, body))
        begun = time.monotonic()
        try:
            self._call(head, body, answer)
        except Exception:
            # Whatever was sent so far must not look complete.
            self.wire.abort()
            raise
        finally:
            self._log(head.method, head.target, answer, time.monotonic() - begun)
        if not answer.keep_alive and (self.wire.ahead or not body.ended or head.lacks_length):
            self.wire.linger(_LINGER, _LINGER_SILENCE)
        return answer.keep_alive and body.drain(_DRAIN)

    def _next_head(self) -> bytes | None:
        """Returns a head with the empty line that ends it, ``None`` where no request comes."""
        wire = self.wire
        self.busy = False
        if self._server.stopping:
            wire.end_reading()
        deadline = time.monotonic() + self._server.patience.between
        seen = 0
        may_skip = True
        while True:
            # One empty line in front of a request is what old clients put behind a body.
            if may_skip and wire.ahead.startswith(b'\r\n'):
                may_skip = False
                wire.take(2)
            if wire.ahead and not self.busy:
                self.busy = True
                deadline = time.monotonic() + self._server.patience.within
            end = wire.ahead.find(b'\r\n\r\n', max(0, seen - 3), MAX_HEAD)
            if end >= 0:
                return wire.take(end + 4)
            _check_unfinished(wire.ahead, seen)
            seen = len(wire.ahead)
            try:
                if not wire.fill(deadline):
                    return None
            except TimeoutError:
                if not self.busy:
                    return None
                raise Refused('408 Request Timeout', 'the request did not come in time') from None

    def _may_keep_alive(self, head: Head, body: Body) -> bool:
        if not head.keep_alive or self._server.stopping or body.failed or head.lacks_length:
            return False
        # A peer that was not asked for its body may send it or not; nobody can know.
        return body.ended or (body.is_short and (body.begun or not head.expects_continue))

    def _call(self, head: Head, body: Body, answer: Answer) -> None:
        try:
            answer.send(self._server.application(self._environ(head, body), answer.start_response))
        except Lost:
            raise
        except Exception:
            logger.exception('%s %s failed', head.method, head.target)
            if answer.begun:
                raise Lost('it was given up') from None
            status, headers, lines = error_answer('500 Internal Server Error', 'internal error')
            answer.start_response(status, headers, sys.exc_info())
            answer.send(lines)

    def _refuse(self, refusal: Refused) -> None:
        answer = Answer(self.wire, None, lambda: False)
        status, headers, lines = error_answer(refusal.status, refusal.sentence)
        answer.start_response(status, headers)
        answer.send(lines)
        self._log('-', '-', answer, 0.0)
        self.wire.linger(_LINGER, _LINGER_SILENCE)

    def _log(self, method: str, target: str, answer: Answer, seconds: float) -> None:
        status = answer.status[:3] or '-'
        access.info(
            '%s "%s %s" %s %d %.3f', self._peer[0], method, target, status, answer.count, seconds
        )

    def _environ(self, head: Head, body: Body) -> dict[str, Any]:
        environ: dict[str, Any] = {
            'REQUEST_METHOD': head.method,
            'SCRIPT_NAME': '',
            'PATH_INFO': head.path,
            'QUERY_STRING': head.query,
            'SERVER_NAME': str(self._server.address[0]),
            'SERVER_PORT': str(self._server.address[1]),
            'SERVER_PROTOCOL': head.version,
            'REMOTE_ADDR': self._peer[0],
            'REMOTE_PORT': self._peer[1],
            'wsgi.version': (1, 0),
            'wsgi.url_scheme': 'http',
            'wsgi.input': _EMPTY if body.ended else io.BufferedReader(body),
            'wsgi.input_terminated': True,
            'wsgi.errors': sys.stderr,
            'wsgi.multithread': True,
            'wsgi.multiprocess': False,
            'wsgi.run_once': False,
        }
        for name, value in head.fields.items():
            # With an underscore it could be taken for another field.
            if '_' not in name:
                environ['HTTP_' + name.upper().replace('-', '_')] = value
        for name in ('CONTENT_TYPE', 'CONTENT_LENGTH'):
            value = environ.pop('HTTP_' + name, None)
            if value is not None:
                environ[name] = value
        return environ


def _check_unfinished(ahead: bytes, seen: int) -> None:
    """Refuses what can be no beginning of a head; the first ``seen`` bytes were checked before."""
    if len(ahead) >= MAX_LINE and b'\r\n' not in ahead:
        raise Refused('414 URI Too Long', 'the request line is longer than %d bytes' % MAX_LINE)
    if len(ahead) >= MAX_HEAD:
        raise Refused(
            '431 Request Header Fields Too Large', 'the head is longer than %d bytes' % MAX_HEAD
        )
    if _BARE_LINE_FEED.search(ahead, seen):
        raise Refused('400 Bad Request', 'a line of the head does not end with CR LF')
