"""The disk that a store is on: how much room it has, and whether it takes changes."""

from __future__ import annotations

import os
from typing import NamedTuple

from filetracker.errors import StoreFull
from filetracker.servers.storage.home import takes_changes

# Kept free for the database, whose log must always be able to grow a little: in bytes.
_RESERVE = 32 << 20


class Room(NamedTuple):
    """How large a disk is, and how much of it can still be written, in bytes."""

    total: int
    free: int


class Disk:
    """The disk of the store in ``base_dir``. Every method blocks and raises ``OSError``."""

    def __init__(self, base_dir: str) -> None:
        self._base_dir = base_dir

    def room(self) -> Room:
        """Returns its size and what is free."""
        status = os.statvfs(self._base_dir)
        return Room(status.f_blocks * status.f_frsize, status.f_bavail * status.f_frsize)

    def check_room(self) -> None:
        """Raises :class:`~filetracker.errors.StoreFull` where no more should be taken in."""
        if self.room().free < _RESERVE:
            raise StoreFull()

    def takes_changes(self) -> bool:
        """Tries whether it can be written."""
        return takes_changes(self._base_dir)
