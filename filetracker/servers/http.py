"""HTTP/1 on gevent, for one WSGI application.

Knows nothing of files. Everything that blocks is up to the application, which is called in a
greenlet of its own for each connection.
"""

from __future__ import annotations

import contextlib
import logging
import os
import socket as sockets
import time
from collections.abc import Callable
from typing import Any

import gevent
from gevent.baseserver import BaseServer
from gevent.socket import socket

from filetracker.servers.access_log import PAUSE, AccessLog
from filetracker.servers.arriving import ArrivingSocket
from filetracker.servers.crowd import Crowd
from filetracker.servers.figures import Figures
from filetracker.servers.http_connection import Application, Connection, Patience, Service
from filetracker.servers.senders import Senders
from filetracker.servers.wire import Wire
from filetracker.servers.wire_encrypted import EncryptedWire

__all__ = ['HttpServer', 'Patience']

logger = logging.getLogger(__name__)

_ABORT = 1.0
_SWEEP = 0.25
_FIRST_REQUEST = 1.0
# How many greenlets wait for the next connection.
_SPARE = 32

Encrypt = Callable[[socket], socket]


class HttpServer:
    """Serves ``application`` on a listening socket, which it takes over.

    There are ``most_connections`` at a time. When others want to come, those that have been idle
    for the longest are closed; if there are none, the others wait in the backlog of the socket.
    ``encrypt`` takes over a connected socket and returns it encrypted; it does not wait. What is
    done is counted in ``figures``.
    """

    def __init__(
        self,
        listener: sockets.socket,
        application: Application,
        patience: Patience,
        most_connections: int | None = None,
        encrypt: Encrypt | None = None,
        figures: Figures | None = None,
    ) -> None:
        listener.setblocking(False)
        # Without it the second of two small sends waits for an acknowledgement of the first.
        with contextlib.suppress(OSError):
            listener.setsockopt(sockets.IPPROTO_TCP, sockets.TCP_NODELAY, 1)
        self.address = listener.getsockname()
        self._most = most_connections
        self._crowd: Crowd[Connection] = Crowd(most_connections, self._accept_again)
        self._encrypt = encrypt
        scheme = 'https' if encrypt else 'http'
        self._log = AccessLog()
        self._figures = figures or Figures()
        self._figures.connections = lambda: self._crowd
        self._service = Service(
            application, patience, self.address, self._crowd, self._log, self._figures, scheme
        )
        self._senders = Senders(len(os.sched_getaffinity(0)))
        self._server = _Listening(listener, self._serve, self._crowd.is_full)

    def start(self) -> None:
        """Begins to accept connections."""
        if self._most is not None:
            logger.info('at most %d connections are served at a time', self._most)
        self._server.start()
        self._sweeper = gevent.spawn(self._sweep)
        self._logger = gevent.spawn(self._write_log)

    def stop(self, seconds: float) -> bool:
        """Accepts no more connections and waits for the requests in flight, for so long at most.

        Who has connected without a request yet, which may be on its way, has a moment for it.
        Returns whether all of them were answered; the rest are cut off.
        """
        self._service.stopping = True
        self._server.close()
        self._see_off(lambda connection: not connection.busy and connection.has_asked)
        first = min(_FIRST_REQUEST, seconds)
        until = time.monotonic() + seconds
        if not self._wait(first):
            self._see_off(lambda connection: not connection.busy)
        answered = self._wait(until - time.monotonic())
        for connection in self._crowd:
            connection.wire.abort()
        self._wait(_ABORT)
        self._sweeper.kill()
        self._logger.kill()
        self._senders.close()
        self._log.flush()
        return answered

    def _see_off(self, which: Callable[[Connection], bool]) -> None:
        for connection in self._crowd:
            if which(connection):
                connection.ask_to_leave()

    @property
    def is_busy(self) -> bool:
        """Whether the application is still working for somebody."""
        return bool(self._crowd)

    def _wait(self, seconds: float) -> bool:
        until = time.monotonic() + seconds
        while self._crowd and time.monotonic() < until:
            gevent.sleep(0.01)
        return not self._crowd

    def _sweep(self) -> None:
        """Ends the waits of those who were silent for too long."""
        pause = min(_SWEEP, min(self._service.patience) / 20)
        while True:
            gevent.sleep(pause)
            now = time.monotonic()
            for connection in self._crowd:
                connection.wire.expire(now)
            self._crowd.make_room(now)

    def _write_log(self) -> None:
        while True:
            gevent.sleep(PAUSE)
            self._log.flush()

    def _accept_again(self) -> None:
        if self._server.started:
            self._server.start_accepting()

    def _serve(self, connected: ArrivingSocket, peer: Any) -> None:
        patience = self._service.patience.within
        if self._encrypt:
            kind = connected.family, connected.type, connected.proto
            plain = socket(*kind, fileno=connected.detach())
            try:
                wire: Wire = EncryptedWire(self._encrypt(plain), patience)
            except OSError as error:
                logger.debug('lost a connection before it was encrypted: %s', error)
                plain.close()
                return
        else:
            wire = Wire(connected, patience, self._senders)
        connection = Connection(self._service, wire, peer)
        self._crowd.enter(connection)
        self._figures.accepted += 1
        try:
            connection.serve()
        finally:
            self._crowd.leave(connection)


class _Listening(BaseServer):
    """Accepts connections one by one, and none while it ``is_full()``, which is asked for each.

    What serves them, each in a greenlet of its own, takes them over. Greenlets are used again: to
    begin and to end one costs as much as a small answer, and so does a socket of gevent.
    """

    max_accept = 1

    def __init__(
        self,
        listener: sockets.socket,
        serve: Callable[[ArrivingSocket, Any], None],
        is_full: Callable[[], bool],
    ) -> None:
        self._spare: list[Any] = []
        super().__init__(listener, serve)
        self._listener: Any = listener
        self._kind = listener.family, listener.type, listener.proto
        self._serve = serve
        self._is_full = is_full
        self._hub = gevent.get_hub()

    def do_read(self) -> tuple[ArrivingSocket, Any] | None:
        try:
            descriptor, peer = self._listener._accept()
        except BlockingIOError:
            # Who wanted to connect is gone.
            return None
        return ArrivingSocket(*self._kind, fileno=descriptor), peer

    def do_handle(self, connected: ArrivingSocket, peer: Any) -> None:
        if self._spare:
            self._hub.loop.run_callback(self._spare.pop().switch, connected, peer)
        else:
            gevent.spawn_raw(self._serve_some, connected, peer)

    def _serve_some(self, connected: ArrivingSocket, peer: Any) -> None:
        """Serves one connection after the other, as long as few others wait to do so."""
        while True:
            self._serve(connected, peer)
            if self.closed or len(self._spare) >= _SPARE:
                return
            self._spare.append(gevent.getcurrent())
            connected, peer = self._hub.switch()

    def close(self) -> None:
        super().close()
        # That ends them.
        self._spare.clear()

    def full(self) -> bool:
        return self._is_full()
