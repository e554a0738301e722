"""A socket of which another thread may take what has arrived, without waiting for more."""

from __future__ import annotations

import contextlib
import fcntl
import socket
import struct
import termios

_INT = struct.Struct('i')


class ArrivingSocket(socket.socket):
    """A socket that does not block, and that may be closed while another thread takes from it."""

    _is_taken_from = False
    _is_to_close = False

    def take(self, least: int, most: int) -> bytes:
        """Returns what has arrived, at most ``most`` bytes.

        And nothing if it is less than ``least``, or where there is an error or an end, which is
        there for who waits then.
        """
        self._is_taken_from = True
        try:
            if self._is_to_close:
                return b''
            told = fcntl.ioctl(self.fileno(), termios.FIONREAD, bytes(_INT.size))
            arrived: int = _INT.unpack(told)[0]
            return self.recv(min(arrived, most)) if arrived and arrived >= least else b''
        except OSError:
            return b''
        finally:
            self._is_taken_from = False
            if self._is_to_close:
                super().close()

    def close(self) -> None:
        """Closes it, or lets the thread do it that takes from it.

        Its descriptor may be somebody else's as soon as it is closed.
        """
        self._is_to_close = True
        if self._is_taken_from:
            with contextlib.suppress(OSError):
                self.shutdown(socket.SHUT_RDWR)
        else:
            super().close()
