"""A connection that is encrypted: what goes over it has to go through the hands of its socket."""

from __future__ import annotations

import contextlib
import os
import socket as sockets
import time

import gevent
from gevent.socket import socket

from filetracker.servers.wire import TURN, Lost, Wire

_PIECE = 1 << 16
# Others have a turn each so many bytes.
_TURN_SIZE = 1 << 20


class EncryptedWire(Wire):
    """As its base, over an encrypted socket, whose waits have an end by themselves."""

    def __init__(self, connected: socket, patience: float) -> None:
        self._connected = connected
        self._prepare(patience)

    def fill(self, deadline: float | None = None) -> bool:
        wait = self._patience if deadline is None else max(0.001, deadline - time.monotonic())
        self._connected.settimeout(wait)
        received = self._connected.recv(_PIECE)
        self._ahead = self.ahead + received
        return bool(received)

    def read_into(self, buffer: memoryview) -> int:
        taken = self.take(len(buffer))
        if not taken:
            self._connected.settimeout(self._patience)
            return self._connected.recv_into(buffer)
        buffer[: len(taken)] = taken
        return len(taken)

    def read_now(self, least: int, most: int) -> bytes:
        return b''

    def send(self, data: bytes, more: bool = False) -> None:
        self._connected.settimeout(self._patience)
        view = memoryview(data)
        try:
            while view:
                view = view[self._connected.send(view) :]
        except OSError as error:
            raise Lost(str(error)) from None

    def send_joined(self, head: bytes, body: bytes) -> None:
        self.send(head + body)

    def send_file(self, descriptor: int, start: int, stop: int) -> int:
        for position in range(start, stop, _PIECE):
            piece = os.pread(descriptor, min(_PIECE, stop - position), position)
            self.send(piece)
            if position + len(piece) < min(position + _PIECE, stop):
                return position + len(piece) - start
            if (position - start) % _TURN_SIZE == 0:
                # To encrypt takes longer than to send, so that there is always room for more.
                gevent.sleep(TURN)
        return stop - start

    def expire(self, now: float) -> None:
        pass

    def stop_waiting(self) -> None:
        self._shut(sockets.SHUT_RD)

    def _shut(self, side: int) -> None:
        with contextlib.suppress(OSError):
            self._connected.shutdown(side)

    def abort(self) -> None:
        with contextlib.suppress(OSError):
            self._connected.setsockopt(sockets.SOL_SOCKET, sockets.SO_LINGER, self.ABORT)
        self.close()

    def close(self) -> None:
        self._connected.close()
