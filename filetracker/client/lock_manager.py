"""Locks on names, between the threads and processes that share a cache."""

from __future__ import annotations

import contextlib
import fcntl
import os
import random
import time
from collections.abc import Iterator

from filetracker.client.disk import disk_errors
from filetracker.client.names import parse_name
from filetracker.errors import Busy, NameConflict
from filetracker.utils import mkdir, rmdirs

_TREE_LOCK = 'tree.lock'

#: How long is waited before a lock is tried again, in seconds: at first, and at most.
_SHORTEST_PAUSE = 0.0005
_LONGEST_PAUSE = 0.02


class LockManager:
    """Gives out locks on names."""

    class Lock:
        """A lock on one name, not held by anybody at first.

        It is given back at the latest when nobody refers to it any more.
        """

        def lock_shared(self) -> None:
            """Waits until nobody else holds it exclusively, then shares it."""
            raise NotImplementedError

        def lock_exclusive(self) -> None:
            """Waits until nobody else holds it, then holds it alone.

            Who shares it gives that up while waiting.
            """
            raise NotImplementedError

        def try_lock_exclusive(self) -> bool:
            """Holds it alone if nobody else holds it; tells whether. Does not wait."""
            raise NotImplementedError

        def unlock(self) -> None:
            """Gives the lock back; fine if it is not held."""
            raise NotImplementedError

        def close(self, delete: bool = False) -> None:
            """Gives the lock back for good, and with it what it needs of the system.

            With ``delete``, also what is left of it on disk, unless others use it. May be called
            more than once.
            """

    def lock_for(self, name: str) -> LockManager.Lock:
        """Returns the lock on a name; a version in the name is ignored.

        It may raise :class:`~filetracker.errors.NameConflict` where the lock of another name is in
        the way, one that cannot be a file while this one is.
        """
        raise NotImplementedError


class FcntlLockManager(LockManager):
    """Locks of the system (``flock``), on files ``<dir>/<name>``.

    Filetracker 2.3.3 has its locks in the same places, and takes the lock on ``<dir>/tree.lock``
    around each change of the tree of lock files. So does this, and never waits meanwhile.

    ``timeout`` is how long somebody may wait for a lock, in seconds; then it is
    :class:`~filetracker.errors.Busy`. Without it there is no end to that.
    """

    class FcntlLock(LockManager.Lock):
        def __init__(self, manager: FcntlLockManager, name: str, path: str) -> None:
            self._descriptor: int | None = None
            self._manager = manager
            self._name = name
            self._path = path
            self._process = os.getpid()
            self._open()

        def lock_shared(self) -> None:
            self._lock(fcntl.LOCK_SH)

        def lock_exclusive(self) -> None:
            self._lock(fcntl.LOCK_EX)

        def try_lock_exclusive(self) -> bool:
            with disk_errors(self._path):
                try:
                    self._take(fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    return False
            return True

        def unlock(self) -> None:
            if self._descriptor is not None:
                fcntl.flock(self._descriptor, fcntl.LOCK_UN)

        def close(self, delete: bool = False) -> None:
            descriptor, self._descriptor = self._descriptor, None
            if descriptor is None:
                return
            try:
                # After a fork the lock belongs to the process that took it.
                if self._process == os.getpid():
                    if delete:
                        self._remove(descriptor)
                    # Closing is not enough while a child process has the file open too.
                    fcntl.flock(descriptor, fcntl.LOCK_UN)
            finally:
                os.close(descriptor)

        def __del__(self) -> None:
            self.close()

        def _lock(self, operation: int) -> None:
            with disk_errors(self._path):
                self._take(operation)

        def _take(self, operation: int) -> None:
            while True:
                descriptor = self._open()
                self._manager._wait(descriptor, operation, self._name)
                if _is_at(descriptor, self._path):
                    return
                # Who held it has removed the file; others have locked its successor.
                self._descriptor = None
                os.close(descriptor)

        def _open(self) -> int:
            while self._descriptor is None:
                with disk_errors(self._path):
                    try:
                        self._descriptor = self._manager._open(self._path)
                    except (FileExistsError, NotADirectoryError, IsADirectoryError):
                        if not self._manager._clear_way(self._path):
                            message = 'the lock of another name is in the way of %s' % self._name
                            raise NameConflict(self._name, self._path, message) from None
            return self._descriptor

        def _remove(self, descriptor: int) -> None:
            # A file that stays is only untidy.
            with contextlib.suppress(OSError), self._manager._tree():
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if _is_at(descriptor, self._path):
                    os.unlink(self._path)
                    rmdirs(os.path.dirname(self._path), self._manager.dir)

    def __init__(self, dir: str | os.PathLike[str], timeout: float | None = None) -> None:
        self.dir = os.path.normpath(dir)
        self._timeout = timeout
        with disk_errors(self.dir):
            mkdir(self.dir)

    def lock_for(self, name: str) -> LockManager.Lock:
        parsed = parse_name(name)
        return self.FcntlLock(self, parsed.bare, lock_path(self.dir, parsed.stored))

    def _open(self, path: str) -> int:
        """Opens a lock file, and makes it and its directories where they are missing."""
        flags = os.O_RDWR | os.O_CLOEXEC
        try:
            return os.open(path, flags)
        except FileNotFoundError:
            with self._tree():
                mkdir(os.path.dirname(path))
                return os.open(path, flags | os.O_CREAT, 0o600)

    @contextlib.contextmanager
    def _tree(self) -> Iterator[None]:
        """Keeps others from making and removing lock files."""
        mkdir(self.dir)
        path = os.path.join(self.dir, _TREE_LOCK)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            self._wait(descriptor, fcntl.LOCK_EX, 'the tree of locks')
            yield
        finally:
            fcntl.flock(descriptor, fcntl.LOCK_UN)
            os.close(descriptor)

    def _wait(self, descriptor: int, operation: int, name: str) -> None:
        """Takes a lock, and waits for it as long as one may."""
        if self._timeout is None or operation & fcntl.LOCK_NB:
            fcntl.flock(descriptor, operation)
            return
        until = time.monotonic() + self._timeout
        pause = _SHORTEST_PAUSE
        # The system has no lock that is waited for with an end.
        while True:
            try:
                fcntl.flock(descriptor, operation | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                if time.monotonic() > until:
                    message = 'others have had the lock on %s for %g s' % (name, self._timeout)
                    raise Busy(message) from None
            time.sleep(random.uniform(pause / 2, pause))
            pause = min(2 * pause, _LONGEST_PAUSE)

    def _clear_way(self, path: str) -> bool:
        """Removes lock files that are in the way of one at ``path``; tells whether all are gone.

        Nobody has them locked. Who has them open finds out when he has locked them.
        """
        with self._tree():
            above = os.path.dirname(path)
            while above != self.dir:
                if os.path.isfile(above):
                    return _discard(above)
                above = os.path.dirname(above)
            for folder, _, files in os.walk(path, topdown=False):
                if not all(_discard(os.path.join(folder, file)) for file in files):
                    return False
                os.rmdir(folder)
            return True


class NoOpLockManager(LockManager):
    """Locks that lock nothing, for where no other process is."""

    class NoOpLock(LockManager.Lock):
        def lock_shared(self) -> None:
            pass

        def lock_exclusive(self) -> None:
            pass

        def try_lock_exclusive(self) -> bool:
            return True

        def unlock(self) -> None:
            pass

    def lock_for(self, name: str) -> LockManager.Lock:
        parse_name(name)
        return self.NoOpLock()


def lock_path(dir: str, stored: str) -> str:
    """Returns where the lock file of a name is, below the directory of lock files ``dir``.

    ``stored`` is the name without its leading slash.
    """
    first, slash, rest = stored.partition('/')
    if first == _TREE_LOCK:
        # A name has no "@" before its version, so this is the place of no other name.
        first += '@'
    return os.path.join(dir, first + slash + rest)


def _discard(path: str) -> bool:
    """Removes a lock file that nobody has locked; tells whether it did."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.unlink(path)
        finally:
            os.close(descriptor)
    except OSError:
        return False
    return True


def _is_at(descriptor: int, path: str) -> bool:
    """Whether an open file is still the one at ``path``."""
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except (FileNotFoundError, NotADirectoryError):
        return False
