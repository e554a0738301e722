"""One connection: what was read ahead of it, and how long its peer may be silent."""

from __future__ import annotations

import contextlib
import errno
import math
import os
import socket as sockets
import struct
import time
from typing import Any

import gevent

from filetracker.servers.arriving import ArrivingSocket
from filetracker.servers.senders import Senders

_READ_SIZE = 1 << 16
_FILE_SIZE = 4 << 20
# What no socket says, but a disk.
_UNREADABLE = (errno.EIO, errno.EBADMSG, errno.EUCLEAN, errno.EREMOTEIO, errno.ENODATA)
_READ, _WRITE = 1, 2
_STEPS = 100
# Shorter sleeps do not look for the input of others.
TURN = 0.0001


class TooLong(Exception):
    """What was looked for did not come within the limit."""


class Lost(Exception):
    """The peer takes no more: it is gone, or was silent for too long."""


class Wire:
    """A connected socket, which it takes over.

    Reading and sending wait ``patience`` seconds for each bit of progress; somebody has to call
    :meth:`expire` now and then. Reading raises ``TimeoutError`` when that is over, and another
    ``OSError`` when the connection is lost.
    """

    ABORT = struct.pack('ii', 1, 0)

    def __init__(
        self, connected: ArrivingSocket, patience: float, senders: Senders | None = None
    ) -> None:
        self._socket = connected
        self._senders = senders
        self._socket.setblocking(False)
        self._hub = gevent.get_hub()
        # A small request mostly comes with the connection, and there is mostly room for its answer.
        self._readable: Any = None
        self._writable: Any = None
        self._waiting: Any = None
        self._expires = math.inf
        self._closed = False
        # Whether the last read took all that was there. A request mostly comes with the connection.
        self._dry = False
        self._prepare(patience)

    def _prepare(self, patience: float) -> None:
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

        Waits until ``deadline`` (of ``time.monotonic``) where that is given, not at all if it is 0.
        """
        if deadline is None:
            deadline = time.monotonic() + self._patience
        in_time = self._wait_to_read(deadline) if self._dry else True
        while True:
            try:
                received = self._socket.recv(_READ_SIZE)
                break
            except BlockingIOError:
                if not in_time:
                    raise TimeoutError('timed out') from None
                in_time = self._wait_to_read(deadline)
        self._dry = len(received) < _READ_SIZE
        self._ahead = self.ahead + received if self._ahead else received
        return bool(received)

    def step(self) -> None:
        """Lets others run now and then: to be called once for each small piece of work.

        Reading does not do it where input is always there.
        """
        self._steps += 1
        if self._steps % _STEPS == 0:
            self.turn()

    def turn(self) -> None:
        """Lets others run."""
        gevent.sleep(TURN)

    def read_into(self, buffer: memoryview) -> int:
        """Fills a part of ``buffer``; returns how many bytes, 0 at the end of the stream."""
        taken = self.take(len(buffer))
        if taken:
            buffer[: len(taken)] = taken
            return len(taken)
        deadline = time.monotonic() + self._patience
        in_time = self._wait_to_read(deadline) if self._dry else True
        while True:
            try:
                count = self._socket.recv_into(buffer)
                break
            except BlockingIOError:
                if not in_time:
                    raise TimeoutError('timed out') from None
                in_time = self._wait_to_read(deadline)
        self._dry = count < len(buffer)
        return count

    def read_now(self, least: int, most: int) -> bytes:
        """Returns what has arrived, at most ``most`` bytes, or nothing if it is not ``least``.

        Another thread may call it, while the one that has the wire waits for that thread.
        """
        return b'' if self.ahead else self._socket.take(least, most)

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

    def send(self, data: bytes, more: bool = False) -> None:
        """Sends all of it; ``more`` is to follow at once. Raises :class:`Lost`."""
        flags = sockets.MSG_MORE if more else 0
        try:
            sent = self._socket.send(data, flags)
        except BlockingIOError:
            sent = 0
        except OSError as error:
            raise Lost(str(error)) from None
        if sent < len(data):
            self._send_rest(memoryview(data)[sent:], flags)

    def send_joined(self, head: bytes, body: bytes) -> None:
        """Sends one behind the other, without a copy of them. Raises :class:`Lost`."""
        try:
            sent = self._socket.sendmsg([head, body])
        except BlockingIOError:
            sent = 0
        except OSError as error:
            raise Lost(str(error)) from None
        if sent < len(head):
            self._send_rest(memoryview(head)[sent:], sockets.MSG_MORE)
            sent = len(head)
        if sent < len(head) + len(body):
            self._send_rest(memoryview(body)[sent - len(head) :], 0)

    def send_file(self, descriptor: int, start: int, stop: int) -> int:
        """Sends a part of a file, as much as is there; returns how many bytes.

        Raises :class:`Lost`, and ``OSError`` where the file cannot be read.
        """
        position = start
        if self._senders:
            position += self._senders.send(self._socket, descriptor, start, stop)
        while position < stop:
            asked = min(stop - position, _FILE_SIZE)
            try:
                count = os.sendfile(self._socket.fileno(), descriptor, position, asked)
            except BlockingIOError:
                self._wait_to_send()
                continue
            except OSError as error:
                if error.errno in _UNREADABLE:
                    raise
                raise Lost(str(error)) from None
            if not count:
                break
            position += count
            if position == stop:
                break
            if count < asked:
                # There is no room for more, or the file ends here.
                self._wait_to_send()
            else:
                self.turn()
        return position - start

    def _send_rest(self, view: memoryview, flags: int) -> None:
        while view:
            self._wait_to_send()
            try:
                view = view[self._socket.send(view, flags) :]
            except BlockingIOError:
                continue
            except OSError as error:
                raise Lost(str(error)) from None

    def _wait_to_send(self) -> None:
        if self._writable is None and not self._closed:
            self._writable = self._hub.loop.io(self._socket.fileno(), _WRITE)
        try:
            if not self._wait(self._writable, time.monotonic() + self._patience):
                raise Lost('it takes nothing')
        except OSError as error:
            raise Lost(str(error)) from None

    def _wait_to_read(self, deadline: float) -> bool:
        if self._readable is None and not self._closed:
            self._readable = self._hub.loop.io(self._socket.fileno(), _READ)
        return self._wait(self._readable, deadline)

    def _wait(self, watcher: Any, deadline: float) -> bool:
        """Waits until something can be read or sent; whether that was so by the deadline."""
        if self._closed:
            raise ConnectionAbortedError('the connection was closed here')
        self._expires = deadline
        self._waiting = watcher
        try:
            while deadline:
                try:
                    self._hub.wait(watcher)
                    return True
                except TimeoutError:
                    # It may have been meant for the wait before this one.
                    if time.monotonic() >= self._expires:
                        break
            return False
        finally:
            self._waiting = None

    def expire(self, now: float) -> None:
        """Ends a wait whose time is over at ``now`` (of ``time.monotonic``)."""
        if self._waiting is not None and now >= self._expires:
            self._hub.cancel_wait(self._waiting, TimeoutError('timed out'))

    def stop_waiting(self) -> None:
        """Ends a wait for input, behind what has arrived, as if its time was over."""
        if self._waiting is not None and self._waiting is self._readable:
            self._expires = 0.0
            self.expire(0.0)

    def linger(self, seconds: float, silence: float) -> None:
        """Ends the sending side and drops what still comes, until the peer ends its own.

        Closing while input is unread would reset the connection, and could take the answer away
        from a peer that is still sending. Lasts at most ``seconds``, and ``silence`` without input.
        """
        until = time.monotonic() + seconds
        self._shut(sockets.SHUT_WR)
        with contextlib.suppress(OSError):
            while (now := time.monotonic()) < until:
                self.take(len(self._ahead))
                self.step()
                if not self.fill(min(until, now + silence)):
                    return

    def _shut(self, side: int) -> None:
        with contextlib.suppress(OSError):
            self._socket.shutdown(side)

    def abort(self) -> None:
        """Resets the connection, so that no peer can take what it has got for complete."""
        with contextlib.suppress(OSError):
            self._socket.setsockopt(sockets.SOL_SOCKET, sockets.SO_LINGER, self.ABORT)
        self.close()

    def close(self) -> None:
        """Closes the connection; it may be called twice."""
        if not self._closed:
            self._closed = True
            self._hub.cancel_waits_close_and_then(
                (self._readable, self._writable),
                ConnectionAbortedError('the connection was closed here'),
                self._socket.close,
            )
