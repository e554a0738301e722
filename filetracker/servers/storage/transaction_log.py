"""The files of Berkeley DB's log: known to the folder they are in, and with room to grow.

Berkeley DB syncs its log files, but not the folder that has their names; and it makes them sparse,
so that a full disk shows when the log is flushed, after the commit, when it is too late to refuse.
"""

from __future__ import annotations

import contextlib
import os
from typing import Any

from filetracker.durable import sync_folder
from filetracker.errors import StoreFull

# A change is begun only where the log has so much of its file left, or the disk so much room.
_LEFT_IN_FILE = 1 << 20
_LEFT_ON_DISK = 16 << 20


class TransactionLog:
    """The log of the environment ``environment`` (``DBEnv``), which is open, in ``home``."""

    def __init__(self, environment: Any, home: str) -> None:
        self._environment = environment
        self._home = home
        self._number = 0
        self._room = 0
        self._has_room = False
        self.look()

    def look(self) -> None:
        """Makes durable that there is the current file, and takes the room for it.

        To be called behind each flush, before what was flushed is acknowledged. Raises
        ``OSError``.
        """
        status = self._environment.log_stat()
        number, size = status['cur_file'], status['lg_size']
        if number != self._number:
            sync_folder(self._home)
            self._room = 0
            with contextlib.suppress(OSError):
                self._room = self._take_room(os.path.join(self._home, 'log.%010d' % number), size)
            self._number = number
        self._has_room = status['cur_offset'] + _LEFT_IN_FILE <= self._room

    def check_room(self) -> None:
        """Raises :class:`~filetracker.errors.StoreFull` where a change might not fit."""
        if self._has_room:
            return
        status = os.statvfs(self._home)
        if status.f_bavail * status.f_frsize < _LEFT_ON_DISK:
            raise StoreFull()

    def _take_room(self, path: str, size: int) -> int:
        descriptor = os.open(path, os.O_RDWR)
        try:
            # Not beyond its end, which Berkeley DB sets: the file must not look longer.
            size = min(size, os.fstat(descriptor).st_size)
            if size:
                os.posix_fallocate(descriptor, 0, size)
            return size
        finally:
            os.close(descriptor)
