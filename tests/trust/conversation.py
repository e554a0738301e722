"""Any bytes sent to a server, and all that came back."""

from __future__ import annotations

import re
import socket
import threading

from tests.wire.raw import PATIENCE

_STATUS_LINE = re.compile(rb'HTTP/1\.1 ([0-9]{3}) [^\r\n]*\r\n')


def converse(port: int, said: bytes, end: bool = True) -> bytes:
    """Sends bytes, ends the sending side, and returns all that comes until the server hangs up.

    With ``end=False`` the sending side stays open, and it is up to the server to end it. A
    connection that is reset has ended too. Raises ``TimeoutError``.
    """
    with socket.create_connection(('127.0.0.1', port), PATIENCE) as connected:
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sender = threading.Thread(target=_send, args=(connected, said, end))
        sender.start()
        heard = b''
        try:
            while piece := connected.recv(1 << 16):
                heard += piece
        except ConnectionResetError:
            pass
        finally:
            # Who hears nothing any more will not send either.
            if not heard:
                _shut(connected, socket.SHUT_RDWR)
            sender.join()
        return heard


def statuses(heard: bytes) -> list[int]:
    """Returns the status of each answer; the bodies must not look like answers."""
    assert not heard or _STATUS_LINE.match(heard), heard[:200]
    return [int(status) for status in _STATUS_LINE.findall(heard)]


def _send(connected: socket.socket, said: bytes, end: bool) -> None:
    try:
        connected.sendall(said)
    except OSError:
        # The server has hung up, which is its right.
        return
    if end:
        _shut(connected, socket.SHUT_WR)


def _shut(connected: socket.socket, side: int) -> None:
    try:
        connected.shutdown(side)
    except OSError:
        pass
