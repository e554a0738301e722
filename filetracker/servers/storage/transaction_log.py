"""The files of Berkeley DB's log: known to the folder they are in, and with room to grow.

Berkeley DB syncs its log files, but not the folder that has their names; and it makes them sparse,
so that a full disk shows when the log is flushed, after the commit, when it is too late to refuse.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from filetracker.durable import sync_folder
from filetracker.errors import StoreFull
from filetracker.servers.storage.ballast import free
from filetracker.servers.storage.witness import Witness

# A change is begun only where the log has so much of its file left, or a quarter of it; else a new
# file comes first, for which the disk must have room.
_LEFT_IN_FILE = 1 << 20
_LEFT_ON_DISK = 16 << 20
# How often that is looked at; no change logs more than a few KB, or a few MB while a store of
# filetracker 2.3.3 is taken over.
_CHANGES_BETWEEN_LOOKS = 8
_FILLING = 'x' * 4000


class TransactionLog:
    """The log of the environment ``environment`` (``DBEnv``), which is open, in ``home``."""

    def __init__(self, environment: Any, home: str) -> None:
        self._environment = environment
        self._home = home
        self._number = 0
        self._room = 0
        self._has_room = self._is_near_its_end = False
        self._changes = 0
        self._file = Witness([])
        # Goes up when somebody else begins and when he ends; what it was at the last check.
        self._turns = self._seen = 0
        self._turn = threading.Lock()
        self._doubtful = False
        #: Is called with the seconds that a flush took.
        self.synced: Callable[[float], object] = lambda seconds: None
        self._looking = threading.Lock()
        self.look()

    def flush(self) -> None:
        """Makes durable what is committed so far; not to be called by two at once.

        Raises ``OSError`` and errors of Berkeley DB, after which nobody knows what is durable.
        """
        doubtful, self._doubtful = self._doubtful, False
        begun = time.monotonic()
        self._environment.log_flush()
        self.synced(time.monotonic() - begun)
        turns = self._turns
        if doubtful or turns != self._seen:
            self.check()
            # Odd while somebody is at it, who may be told later.
            self._seen = turns & ~1
        self.look()

    @contextlib.contextmanager
    def synced_elsewhere(self) -> Iterator[None]:
        """To be held by whoever else lets Berkeley DB sync, who may then be told of a failure."""
        with self._turn:
            self._turns += 1
            try:
                yield
                self.check()
            except BaseException:
                self._turns += 1
                raise
            self._turns = self._seen = self._turns + 1

    def doubt(self) -> None:
        """Reports a failure that may have been one to sync the log."""
        self._doubtful = True

    def check(self) -> None:
        """Raises ``OSError`` if something that was written into the current file may be lost."""
        with self._looking:
            self._file.check()

    def close(self) -> None:
        """Closes what is open here; it may be called twice."""
        self._file.close()

    def look(self) -> None:
        """Makes durable that there is the current file, and takes the room for it.

        To be called behind each flush, before what was flushed is acknowledged. Raises
        ``OSError``.
        """
        with self._looking:
            self._look()

    def _look(self) -> None:
        status = self._environment.log_stat()
        if status['cur_file'] != self._number:
            self._enter(status['cur_file'], status['lg_size'])
        needed = status['cur_offset'] + min(_LEFT_IN_FILE, status['lg_size'] // 4)
        self._has_room = needed <= self._room
        self._is_near_its_end = needed > status['lg_size']

    def _enter(self, number: int, size: int) -> None:
        path = os.path.join(self._home, 'log.%010d' % number)
        # Berkeley DB begins a file in memory, and makes it when it first writes to it.
        exists = os.path.exists(path)
        self._file.check()
        sync_folder(self._home)
        self._room = 0
        if exists:
            self._file.close()
            self._file = Witness([path])
            with contextlib.suppress(OSError):
                self._room = self._take_room(path, size)
            self._number = number

    def check_room(self) -> None:
        """Sees to it that a change fits; to be called before each, on the thread that makes them.

        Raises :class:`~filetracker.errors.StoreFull`, ``OSError`` and errors of Berkeley DB.
        """
        self._changes += 1
        if self._changes % _CHANGES_BETWEEN_LOOKS == 0:
            self.look()
        if self._has_room:
            return
        if free(self._home) < _LEFT_ON_DISK:
            raise StoreFull()
        if self._is_near_its_end:
            self._begin_file()

    def _begin_file(self) -> None:
        """Begins a new file while no page depends on it.

        A page may be written as soon as its log is. It must not be there, after a loss of power,
        without it: in a file that the folder does not know yet.
        """
        number = self._environment.log_stat()['cur_file']
        while self._environment.log_stat()['cur_file'] == number:
            self._environment.log_printf(_FILLING)
        self._environment.log_flush()
        self.look()

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
