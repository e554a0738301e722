"""The directory of a cache, seen from outside: what is in it, and how it is made smaller."""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import stat
import time
from collections.abc import Iterator
from typing import NamedTuple

from filetracker.client.disk import disk_errors, sweep
from filetracker.client.lock_manager import FcntlLockManager, lock_path
from filetracker.client.names import parse_name
from filetracker.errors import InvalidName, NameConflict
from filetracker.utils import check_name, rmdirs

logger = logging.getLogger(__name__)

_GONE = (FileNotFoundError, NotADirectoryError)

#: A directory that was empty for so long, in seconds, is not one that somebody just made.
_IDLE_DIRECTORY = 60


class Entry(NamedTuple):
    """A file in a cache: its name without the leading slash, and what the system says of it."""

    stored: str
    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int


class CacheDirectory:
    """A directory with ``files``, ``locks`` and ``incoming``, in which others work meanwhile.

    What vanishes is passed over; what cannot be read, or is no entry, is logged and stays.
    Making one of these and looking creates nothing.
    """

    def __init__(self, path: str, locks_dir: str | None = None) -> None:
        self.path = path
        self._files = os.path.join(path, 'files')
        self._incoming = os.path.join(path, 'incoming')
        self._locks = locks_dir or os.path.join(path, 'locks')
        self._lock_manager: FcntlLockManager | None = None

    def path_of(self, entry: Entry) -> str:
        """Returns where the file of an entry is."""
        return self.file(entry.stored)

    def file(self, stored: str) -> str:
        """Returns where the file of a name is, that has no leading slash."""
        return os.path.join(self._files, stored)

    def entries(self) -> Iterator[Entry]:
        """Yields the entries, in no order."""
        for path, found in self._walk():
            entry = self._entry(path, found)
            if entry:
                yield entry

    def is_in_use(self, entry: Entry) -> bool:
        """Whether somebody holds the lock on an entry, shared or alone."""
        try:
            descriptor = os.open(lock_path(self._locks, entry.stored), os.O_RDWR | os.O_CLOEXEC)
        except OSError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return True
        finally:
            os.close(descriptor)
        return False

    def remove(self, entry: Entry) -> bool:
        """Removes an entry, its lock file, and the directories that are empty then.

        Tells whether that was done: an entry that somebody has locked stays, as does one that was
        replaced since it was looked at. Raises :class:`~filetracker.errors.LocalFileError`.
        """
        if self._lock_manager is None:
            self._lock_manager = FcntlLockManager(self._locks)
        try:
            lock = self._lock_manager.lock_for('/' + entry.stored)
        except NameConflict:
            # Then nobody else can lock it either.
            return self._unlink(entry)
        try:
            return lock.try_lock_exclusive() and self._unlink(entry)
        finally:
            lock.close(delete=not os.path.lexists(self.path_of(entry)))

    def used(self, entry: Entry) -> int:
        """Returns when an entry was put there or last asked for, in nanoseconds of Unix time.

        As far as that is known: whoever asks for one is to mark it as used.
        """
        try:
            marked = os.stat(lock_path(self._locks, entry.stored)).st_mtime_ns
        except OSError:
            marked = 0
        return max(entry.ctime_ns, marked)

    def mark_used(self, stored: str) -> None:
        """Notes that the entry of a name was asked for just now; fine if there is none.

        That is the modification time of its lock file, as filetracker 2.3.3 has it too. Those of
        the entry itself would not do: its modification time is its version, its access time is
        what the mount options make of it, and setting one of the two sets both.
        """
        now = time.time_ns()
        with contextlib.suppress(OSError):
            os.utime(lock_path(self._locks, stored), ns=(now, now))

    def tidy(self) -> None:
        """Removes directories that stay empty, and what dead processes left on its way in."""
        now = time.time()
        for folder, found in self._folders():
            if not found and _is_older(folder, now - _IDLE_DIRECTORY):
                with contextlib.suppress(OSError):
                    rmdirs(folder, self._files)
        sweep(self._incoming)

    def _walk(self) -> Iterator[tuple[str, os.DirEntry[str]]]:
        """Yields what is no directory, with its path below that of the files."""
        for _, found in self._folders():
            for item in found:
                if not _is_folder(item):
                    yield item.path[len(self._files) + 1 :], item

    def _folders(self) -> Iterator[tuple[str, list[os.DirEntry[str]]]]:
        """Yields the directories below that of the files, and it, each with what is in it."""
        waiting = [self._files]
        while waiting:
            folder = waiting.pop()
            found = _scan(folder)
            waiting += [item.path for item in found if _is_folder(item)]
            yield folder, found

    def _entry(self, stored: str, found: os.DirEntry[str]) -> Entry | None:
        try:
            name = '/' + stored
            check_name(name, allow_version=False)
            parse_name(name)
            status = found.stat(follow_symlinks=False)
            if not stat.S_ISREG(status.st_mode):
                raise InvalidName('it is no regular file')
        except InvalidName as error:
            logger.warning('%a stays, as it is no entry: %s', found.path, error)
            return None
        except _GONE:
            return None
        except OSError as error:
            logger.warning('%s is passed over: %s', found.path, error.strerror)
            return None
        return Entry(stored, status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)

    def _unlink(self, entry: Entry) -> bool:
        path = self.path_of(entry)
        with disk_errors(path):
            try:
                status = os.lstat(path)
                if (status.st_mtime_ns, status.st_ino) != (entry.mtime_ns, entry.inode):
                    return False
                os.unlink(path)
            except _GONE:
                return False
        with contextlib.suppress(OSError):
            rmdirs(os.path.dirname(path), self._files)
        return True


def _scan(folder: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as found:
            return list(found)
    except _GONE:
        return []
    except OSError as error:
        logger.warning('%s is passed over: %s', folder, error.strerror)
        return []


def _is_folder(item: os.DirEntry[str]) -> bool:
    try:
        return item.is_dir(follow_symlinks=False)
    except OSError:
        return False


def _is_older(path: str, time: float) -> bool:
    """Whether something is there, and was not changed since ``time``."""
    try:
        return os.lstat(path).st_ctime < time
    except OSError:
        return False
