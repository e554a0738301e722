"""Room that the database gets back on the day on which there is none: the file ``db/ballast``.

After a crash recovery writes pages that were only in the log, and a log has to be begun now and
then. On a full disk that would fail, and nothing could be read any more.
"""

from __future__ import annotations

import contextlib
import os

_SIZE = 16 << 20
# What recovery may need; and what is left to others: a file with a process number, a line of log.
_TIGHT = 16 << 20
_LEFT = 4 << 20


class Ballast:
    """The file in ``home``; there is one, or a smaller one, as far as there is room."""

    def __init__(self, home: str) -> None:
        self._path = os.path.join(home, 'ballast')

    def drop_if_needed(self) -> None:
        """Gives the room back where recovery may need it. Raises ``OSError``."""
        if os.path.exists(self._path) and free(self._path) < _TIGHT:
            os.unlink(self._path)

    def take(self) -> None:
        """Takes the room, as far as it is there; to be called now and then."""
        with contextlib.suppress(OSError):
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
            try:
                size = os.fstat(descriptor).st_size
                wanted = _SIZE
                while wanted > size:
                    if free(self._path) >= wanted - size + _LEFT:
                        os.posix_fallocate(descriptor, 0, wanted)
                        return
                    wanted //= 2
            finally:
                os.close(descriptor)


def free(path: str) -> int:
    """Returns how many bytes are free on the file system of a file."""
    status = os.statvfs(path)
    return status.f_bavail * status.f_frsize
