"""A socket that another thread may use for a while: one that is closed meanwhile is so later."""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import socket
import struct
import termios
import time

_INT = struct.Struct('i')


class ArrivingSocket(socket.socket):
    """A socket that does not block, and that may be closed while another thread uses it."""

    #: How often it is left out where threads send.
    left_out = 0

    _is_used = False
    _is_to_close = False

    def take(self, least: int, most: int) -> bytes:
        """Returns what has arrived, at most ``most`` bytes.

        And nothing if it is less than ``least``, or where there is an error or an end, which is
        there for who waits then.
        """
        self._is_used = True
        try:
            if self._is_to_close:
                return b''
            told = fcntl.ioctl(self.fileno(), termios.FIONREAD, bytes(_INT.size))
            arrived: int = _INT.unpack(told)[0]
            return self.recv(min(arrived, most)) if arrived and arrived >= least else b''
        except OSError:
            return b''
        finally:
            self._end_use()

    def send_file(self, descriptor: int, start: int, stop: int, seconds: float) -> int:
        """Sends a part of a file, for so long at most; returns how many bytes.

        It is less where the peer does not take it in time, where the file ends, and where there is
        an error, which is there for who sends on.
        """
        position = start
        until = time.monotonic() + seconds
        self._is_used = True
        try:
            while position < stop and not self._is_to_close:
                try:
                    count = os.sendfile(self.fileno(), descriptor, position, stop - position)
                    if not count:
                        break
                    position += count
                except BlockingIOError:
                    room = select.poll()
                    room.register(self.fileno(), select.POLLOUT)
                    left = until - time.monotonic()
                    if left <= 0 or not room.poll(left * 1000):
                        break
        except OSError:
            pass
        finally:
            self._end_use()
        return position - start

    def _end_use(self) -> None:
        self._is_used = False
        if self._is_to_close:
            super().close()

    def close(self) -> None:
        """Closes it, or lets the thread do it that uses it.

        Its descriptor may be somebody else's as soon as it is closed.
        """
        self._is_to_close = True
        if self._is_used:
            with contextlib.suppress(OSError):
                self.shutdown(socket.SHUT_RDWR)
        else:
            super().close()
