"""One connection: what was read ahead of it, and how long its peer may be silent."""

from __future__ import annotations

import contextlib
import socket as sockets
import struct
import time

import gevent
from gevent.socket import socket

_READ_SIZE = 1 << 16
_ABORT = struct.pack('ii', 1, 0)
_STEPS = 100
# Shorter sleeps do not look for the input of others.
_TURN = 0.0001


class TooLong(Exception):
    """What was looked for did not come within the limit."""


class Lost(Exception):
    """The peer takes no more: it is gone, or was silent for too long."""


class Wire:
    """A connected socket. Reading and sending wait ``patience`` seconds for each bit of progress.

    Reading raises ``TimeoutError`` when that is over, and another ``OSError`` when the connection
    is lost.
    """

    def __init__(self, connected: socket, patience: float) -> None:
        # Without it the second of two small sends waits for an acknowledgement of the first.
        with contextlib.suppress(OSError):
            connected.setsockopt(sockets.IPPROTO_TCP, sockets.TCP_NODELAY, 1)
        self._socket = connected
        self._patience = patience
        # What was read; it is taken by moving on in it, as tiny pieces of it may be taken.
        self._ahead = b''
        self._taken = 0
        self._steps = 0

    @property
    def ahead(self) -> bytes:
        """What was read and not taken yet."""
        if self._taken:
            self._ahead = self._ahead[self._taken :]
            self._taken = 0
        return self._ahead

    def take(self, count: int) -> bytes:
        """Takes the first bytes of ``ahead``, at most ``count``."""
        taken = self._ahead[self._taken : self._taken + count]
        self._taken += len(taken)
        return taken

    def fill(self, deadline: float | None = None) -> bool:
        """Adds to ``ahead`` what comes next; ``False`` at the end of the stream.

        Waits until ``deadline`` (of ``time.monotonic``) where that is given.
        """
        wait = self._patience if deadline is None else max(0.001, deadline - time.monotonic())
        self._socket.settimeout(wait)
        received = self._socket.recv(_READ_SIZE)
        self._ahead = self.ahead + received
        return bool(received)

    def step(self) -> None:
        """Lets others run now and then: to be called once for each small piece of work.

        Reading does not do it where input is always there.
        """
        self._steps += 1
        if self._steps % _STEPS == 0:
            gevent.sleep(_TURN)

    def read_into(self, buffer: memoryview) -> int:
        """Fills a part of ``buffer``; returns how many bytes, 0 at the end of the stream."""
        taken = self.take(len(buffer))
        if not taken:
            self._socket.settimeout(self._patience)
            return self._socket.recv_into(buffer)
        buffer[: len(taken)] = taken
        return len(taken)

    def read_line(self, limit: int) -> bytes:
        """Returns a line without its CR LF.

        Raises :class:`TooLong` behind ``limit`` bytes, ``EOFError`` at the end of the stream.
        """
        while (end := self._ahead.find(b'\r\n', self._taken, self._taken + limit + 2)) < 0:
            if len(self._ahead) - self._taken > limit + 1:
                raise TooLong
            if not self.fill():
                raise EOFError
        return self.take(end + 2 - self._taken)[:-2]

    def send(self, data: bytes) -> None:
        """Sends all of it. Raises :class:`Lost`."""
        self._socket.settimeout(self._patience)
        view = memoryview(data)
        try:
            while view:
                view = view[self._socket.send(view) :]
        except OSError as error:
            raise Lost(str(error)) from None

    def end_reading(self) -> None:
        """Makes whoever waits for input see the end of the stream, behind what has arrived."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(sockets.SHUT_RD)

    def linger(self, seconds: float, silence: float) -> None:
        """Ends the sending side and drops what still comes, until the peer ends its own.

        Closing while input is unread would reset the connection, and could take the answer away
        from a peer that is still sending. Lasts at most ``seconds``, and ``silence`` without input.
        """
        until = time.monotonic() + seconds
        with contextlib.suppress(OSError):
            self._socket.shutdown(sockets.SHUT_WR)
            while (now := time.monotonic()) < until:
                self.take(len(self._ahead))
                self.step()
                if not self.fill(min(until, now + silence)):
                    return

    def abort(self) -> None:
        """Resets the connection, so that no peer can take what it has got for complete."""
        with contextlib.suppress(OSError):
            self._socket.setsockopt(sockets.SOL_SOCKET, sockets.SO_LINGER, _ABORT)
        self.close()

    def close(self) -> None:
        """Closes the connection; it may be called twice."""
        self._socket.close()
