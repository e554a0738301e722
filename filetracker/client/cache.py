"""What a client keeps of its server, in a local store.

A cache saves time and promises nothing: what goes wrong with it is logged, and the server asked.
"""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Callable, Iterator
from typing import IO

from filetracker.client.data_store import DataStore, Staged
from filetracker.client.disk import copy, target
from filetracker.client.eviction import Bound
from filetracker.client.local_data_store import SECOND, SIZE_ATTRIBUTE
from filetracker.client.lock_manager import LockManager
from filetracker.client.names import Name, parse_name, version_of
from filetracker.client.progress import Progress
from filetracker.errors import Busy, LocalFileError, NameConflict, NotFound, StoreFull

logger = logging.getLogger(__name__)

_TROUBLE = (Busy, LocalFileError, NameConflict, StoreFull)


class Cache:
    """Entries of a local store that are known to be what the server has had in their version.

    An entry in a directory is valid only if its modification time is exactly its version, and its
    size, where that was noted, the one it had at first. Each time it is written to it gets another
    time; a loss of power may leave it shorter; and filetracker 2.3.3, which may use the same
    directory, leaves entries whose time is not the version of their content.
    """

    def __init__(
        self, store: DataStore, lock_manager: LockManager, bound: Bound | None = None
    ) -> None:
        self._store = store
        self._lock_manager = lock_manager
        self._bound = bound
        self._has_grown = False

    def open(self, name: Name) -> IO[bytes] | None:
        """Opens the entry for a name with a version; ``None`` if there is no valid one."""
        try:
            stream, _ = self._store.get_stream(str(name))
        except NotFound:
            return None
        except _TROUBLE as error:
            logger.warning('%s is not read from the cache: %s', name, error)
            return None
        if _is_exact(stream, name.version):
            if self._bound:
                self._bound.used(name.stored)
            return stream
        stream.close()
        return None

    def save(
        self,
        name: Name,
        filename: str | os.PathLike[str],
        progress: Progress | None = None,
    ) -> bool:
        """Saves the entry for a name with a version; tells whether there is a valid one."""
        stream = self.open(name)
        if stream is None:
            return False
        try:
            with stream, target(filename) as file:
                size = copy(stream, file, filename, progress)
                # Filetracker 2.3.3 writes into entries, with others reading.
                if not _is_exact(stream, name.version) or size != stream.seek(0, os.SEEK_END):
                    raise _Unusable
        except _Unusable:
            logger.warning('%s is not read from the cache: it was changed meanwhile', name)
            return False
        except LocalFileError as error:
            if error.path != str(getattr(stream, 'path', '')):
                raise
            logger.warning('%s is not read from the cache: %s', name, error)
            return False
        return True

    def size(self, name: Name) -> int | None:
        """Returns the size of the entry for a name with a version, ``None`` without one."""
        stream = self.open(name)
        if stream is None:
            return None
        with stream:
            return stream.seek(0, os.SEEK_END)

    @contextlib.contextmanager
    def writing(self, name: Name) -> Iterator[bool]:
        """Holds the lock on a name exclusively; yields whether it could be had."""
        try:
            lock = self._lock_manager.lock_for(name.bare)
            lock.lock_exclusive()
        except (Busy, NameConflict) as error:
            logger.info('%s is not cached: %s', name.bare, error)
            yield False
            return
        except _TROUBLE as error:
            logger.warning('%s is not cached: %s', name.bare, error)
            yield False
            return
        try:
            yield True
        finally:
            lock.close(delete=not self._has(name.bare))
            if self._has_grown and self._bound:
                self._bound.added(name.stored)

    @contextlib.contextmanager
    def staged(self, source: IO[bytes], name: Name) -> Iterator[Staged | None]:
        """Yields a copy of a content that may be kept later; ``None`` if there cannot be one."""
        with contextlib.ExitStack() as opened:
            try:
                staged = opened.enter_context(self._store.staged(source))
            except _TROUBLE as error:
                logger.warning('%s is not cached: %s', name.bare, error)
                yield None
            else:
                yield staged

    def keep(self, versioned: str, add: Callable[[str], object]) -> None:
        """Makes an entry by calling ``add(versioned)``, twice if the first call is refused.

        What the server cannot have beside it makes way: an entry that was changed or is newer, and
        those that stand where a directory is needed, or below. To be called with the lock.
        """
        try:
            name = parse_name(versioned)
            self._drop_untrue(name)
            try:
                add(versioned)
            except NameConflict:
                # The server has had no room for those either.
                self._store.clear_way(name.bare)
                add(versioned)
            self._has_grown = True
        except _TROUBLE as error:
            logger.warning('%s is not cached: %s', versioned, error)

    def keep_stream(self, versioned: str, file: IO[bytes]) -> None:
        """Makes an entry of what can be read from ``file``; otherwise as :meth:`keep`."""
        with self.staged(file, parse_name(versioned)) as staged:
            if staged:
                self.keep(versioned, staged.add)

    def forget(self, versioned: str) -> None:
        """Removes the entry in that very version: the server has another content now."""
        if self._has(versioned):
            self.delete(versioned)

    def delete(self, name: str) -> None:
        """Removes the entry, unless the name has a version and the entry is newer."""
        try:
            self._store.delete_file(name)
        except _TROUBLE as error:
            logger.warning('%s stays in the cache: %s', name, error)

    def _has(self, name: str) -> bool:
        try:
            return self._store.exists(name)
        except _TROUBLE:
            return False

    def _drop_untrue(self, name: Name) -> None:
        """Removes an entry that was changed, or is newer than what the server has now."""
        try:
            stream, versioned = self._store.get_stream(name.bare)
        except NotFound:
            return
        version = version_of(versioned)
        with stream:
            is_true = _is_exact(stream, version)
        if not is_true or version > (name.version or 0):
            self._store.delete_file(name.bare)


class _Unusable(Exception):
    """An entry that changed while it was read."""


def _is_exact(stream: IO[bytes], version: int | None) -> bool:
    try:
        status = os.fstat(stream.fileno())
    except (AttributeError, OSError):
        # Not a file that anybody else could write to.
        return True
    if version is None or status.st_mtime_ns != version * SECOND:
        return False
    try:
        return int(os.getxattr(stream.fileno(), SIZE_ATTRIBUTE)) == status.st_size
    except (OSError, ValueError):
        # Not every file system has attributes, and filetracker 2.3.3 sets none.
        return True
