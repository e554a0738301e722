"""The door of a store that is served, for commands on the same machine.

The process that serves listens on the Unix socket ``spool/control``, which only its user and root
can connect to. Whoever connects is told the folder of a snapshot, below the store's root, in one
line; or ``!`` and why there is none. The snapshot lasts as long as the connection.
"""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import threading
from collections.abc import Iterator

from filetracker.errors import FiletrackerError, StoreUnusable
from filetracker.servers.storage.snapshots import snapshot

logger = logging.getLogger(__name__)

_SOCKET = os.path.join('spool', 'control')
_BACKLOG = 8
_FAILED = '!'


class Control:
    """Answers at the door of a store that this process has open, until :meth:`close`.

    Raises ``OSError`` if there can be no door.
    """

    def __init__(self, root: str) -> None:
        self._root = root
        self._closed = False
        self._lock = threading.Lock()
        self._connections: dict[threading.Thread, socket.socket] = {}
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            with _address(root) as address:
                self._listener.bind(address)
                os.chmod(address, 0o600)
            self._listener.listen(_BACKLOG)
        except BaseException:
            self._listener.close()
            raise
        self._thread = threading.Thread(target=self._accept, name='filetracker-control')
        self._thread.daemon = True
        self._thread.start()

    def close(self) -> None:
        """Cuts off everybody, and returns when their snapshots are gone."""
        with self._lock:
            self._closed = True
            connections = dict(self._connections)
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()
        for connection in connections.values():
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in connections:
            thread.join()
        with contextlib.suppress(FileNotFoundError):
            os.unlink(os.path.join(self._root, _SOCKET))

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                # It was shut down.
                return
            thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
            with self._lock:
                if self._closed:
                    connection.close()
                    return
                self._connections[thread] = connection
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            try:
                with snapshot(self._root) as folder:
                    _say(connection, os.path.relpath(folder, self._root))
                    # Nothing comes but the end.
                    connection.recv(1)
            except (FiletrackerError, OSError) as error:
                logger.warning('no snapshot of the store: %s', error)
                with contextlib.suppress(OSError):
                    _say(connection, '%s%s' % (_FAILED, error))
        with self._lock:
            del self._connections[threading.current_thread()]


@contextlib.contextmanager
def ask(root: str) -> Iterator[str | None]:
    """Yields the folder of a snapshot, ``None`` if nobody is there to make one.

    Raises :class:`~filetracker.errors.StoreUnusable` if it cannot be made, or did not last to the
    end, and ``OSError``.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        try:
            with _address(root) as address:
                connection.connect(address)
        except (FileNotFoundError, ConnectionRefusedError):
            yield None
            return
        except PermissionError:
            raise StoreUnusable('%s: only the user of its server and root may' % root) from None
        with connection.makefile('r', encoding='utf-8', errors='surrogateescape') as lines:
            said = lines.readline().rstrip('\n')
        if not said or said.startswith(_FAILED):
            raise StoreUnusable(said[1:] or 'the server stopped')
        yield os.path.join(root, said)
        if _is_over(connection):
            raise StoreUnusable('the server stopped meanwhile; try again')


def _is_over(connection: socket.socket) -> bool:
    connection.setblocking(False)
    try:
        return connection.recv(1) == b''
    except BlockingIOError:
        return False


@contextlib.contextmanager
def _address(root: str) -> Iterator[str]:
    """Yields a short path of the socket: the system takes no long ones."""
    folder = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield '/proc/self/fd/%d/%s' % (folder, _SOCKET)
    finally:
        os.close(folder)


def _say(connection: socket.socket, line: str) -> None:
    connection.sendall(('%s\n' % line).encode('utf-8', 'surrogateescape'))
