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
from filetracker.client.disk import pieces, target
from filetracker.client.local_data_store import SECOND
from filetracker.client.lock_manager import LockManager
from filetracker.client.names import Name, parse_name, version_of
from filetracker.errors import LocalFileError, NameConflict, NotFound, StoreFull

logger = logging.getLogger(__name__)

_TROUBLE = (LocalFileError, NameConflict, StoreFull)


class Cache:
    """Entries of a local store that are known to be what the server has had in their version.

    An entry in a directory is valid if its modification time is exactly its version. Each time it
    is written to it gets another; and filetracker 2.3.3, which may use the same directory, leaves
    entries whose time is not the version of their content.
    """

    def __init__(self, store: DataStore, lock_manager: LockManager) -> None:
        self._store = store
        self._lock_manager = lock_manager

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
            return stream
        stream.close()
        return None

    def save(self, name: Name, filename: str | os.PathLike[str]) -> bool:
        """Saves the entry for a name with a version; tells whether there is a valid one."""
        stream = self.open(name)
        if stream is None:
            return False
        try:
            with stream, target(filename) as file:
                for piece in _unchanging(stream, name):
                    file.write(piece)
        except _Unusable as error:
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
        except NameConflict as error:
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
        """Makes an entry by calling ``add(versioned)``, in the place of one that is not valid.

        To be called with the lock.
        """
        try:
            self._drop_invalid(parse_name(versioned).bare)
            add(versioned)
        except _TROUBLE as error:
            logger.warning('%s is not cached: %s', versioned, error)

    def keep_stream(self, versioned: str, file: IO[bytes]) -> None:
        """Makes an entry of what can be read from ``file``; otherwise as :meth:`keep`."""
        self.keep(versioned, lambda name: self._store.add_stream(name, file))

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

    def _drop_invalid(self, bare: str) -> None:
        # It would count as newer if it was changed after the version that we have.
        try:
            stream, versioned = self._store.get_stream(bare)
        except NotFound:
            return
        with stream:
            is_valid = _is_exact(stream, version_of(versioned))
        if not is_valid:
            self._store.delete_file(bare)


class _Unusable(Exception):
    """An entry that failed while it was read."""


def _unchanging(stream: IO[bytes], name: Name) -> Iterator[bytes]:
    """Yields the content of an entry; raises :class:`_Unusable` if it cannot be relied on."""
    size = 0
    try:
        for piece in pieces(stream):
            size += len(piece)
            yield piece
    except LocalFileError as error:
        raise _Unusable(str(error)) from error
    # Filetracker 2.3.3 writes into entries, with others reading.
    if not _is_exact(stream, name.version) or stream.tell() != stream.seek(0, os.SEEK_END):
        raise _Unusable('it was changed meanwhile')


def _is_exact(stream: IO[bytes], version: int | None) -> bool:
    try:
        status = os.fstat(stream.fileno())
    except (AttributeError, OSError):
        # Not a file that anybody else could write to.
        return True
    return version is not None and status.st_mtime_ns == version * SECOND
