"""The folder ``db/``, before Berkeley DB opens what is in it.

A system that could not write what it was given says so once, to whoever syncs next, and then takes
it for written. So neither a process that was told so nor one that comes later may rely on what it
reads: that may be in memory alone.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Callable, Mapping

from filetracker.durable import sync_folder
from filetracker.errors import StoreUnusable
from filetracker.servers.storage.staleness import note_staleness

_PIECE = 1 << 16


def make_ready(home: str) -> None:
    """Makes ``db/`` if it is not there, and lets the disk have all that seems to be in it.

    Raises :class:`~filetracker.errors.StoreUnusable` where the disk is read-only, and ``OSError``.
    """
    if os.statvfs(os.path.dirname(home)).f_flag & os.ST_RDONLY:
        raise StoreUnusable('the disk of the store is read-only')
    os.makedirs(home, 0o700, exist_ok=True)
    note_staleness(home)
    files = sorted(os.listdir(home))
    # What is before these was synced when the next but one was begun.
    for log in [name for name in files if name.startswith('log.')][-2:]:
        _write_again(os.path.join(home, log))
    for database in {'names', 'metadata'}.intersection(files):
        _forget(os.path.join(home, database))


def make_databases(home: str, kinds: Mapping[str, int], make: Callable[[str, int], None]) -> None:
    """Calls ``make(path, kind)`` for each database of a store that has never been open.

    They are whole and durable before a log speaks of them: recovery makes one again unsynced, and
    after a loss of power would not get past what is left of it. Raises what ``make`` does, and
    ``OSError``.
    """
    if any(name.startswith('log.') for name in os.listdir(home)):
        return
    for name, kind in kinds.items():
        path = os.path.join(home, name)
        if os.path.exists(path):
            continue
        # Berkeley DB makes the second one first, and waits for ever for another's.
        for begun in (path + '.new', os.path.join(home, '__db.%s.new' % name)):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(begun)
        make(path + '.new', kind)
        _sync(path + '.new')
        os.rename(path + '.new', path)
    sync_folder(home)


def _sync(path: str) -> None:
    with open(path, 'rb') as file:
        os.fsync(file.fileno())


def _write_again(path: str) -> None:
    """Writes a log as it reads: recovery relies on it to its last record."""
    with open(path, 'r+b', buffering=0) as file:
        start = 0
        while piece := file.read(_PIECE):
            # What was never written has no room on the disk, and there may be no more.
            if piece != bytes(len(piece)):
                os.pwrite(file.fileno(), piece, start)
            start += len(piece)
        os.fsync(file.fileno())


def _forget(path: str) -> None:
    """Lets a database be read from the disk: recovery does again what did not get there."""
    with open(path, 'rb', buffering=0) as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def takes_changes(base_dir: str) -> bool:
    """Tries whether the disk of a store can be written."""
    try:
        with tempfile.TemporaryFile(dir=os.path.join(base_dir, 'db')) as file:
            file.write(bytes(_PIECE))
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        return False
    return True
