"""One process at a time: the lock on a store's root."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator

from filetracker.errors import StoreInUse


def lock_directory(root: str) -> int:
    """Locks the store for this process; returns what :func:`unlock_directory` takes.

    Raises :class:`~filetracker.errors.StoreInUse`, also for processes of filetracker 2.3.3.
    """
    descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _check_unregistered(root)
    except BlockingIOError:
        os.close(descriptor)
        raise StoreInUse(root) from None
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def unlock_directory(descriptor: int) -> None:
    """Unlocks the store, also where a child has inherited the descriptor."""
    fcntl.flock(descriptor, fcntl.LOCK_UN)
    os.close(descriptor)


@contextlib.contextmanager
def locked(root: str) -> Iterator[None]:
    """Has the store for itself meanwhile. Raises as :func:`lock_directory` does."""
    descriptor = lock_directory(root)
    try:
        yield
    finally:
        unlock_directory(descriptor)


def _check_unregistered(root: str) -> None:
    # Processes of 2.3.3 do not lock the directory; each that has the database open holds a lock on
    # a part of this file (Berkeley DB's DB_REGISTER).
    try:
        register = open(os.path.join(root, 'db', '__db.register'), 'rb+')
    except FileNotFoundError:
        return
    with register:
        fcntl.lockf(register, fcntl.LOCK_EX | fcntl.LOCK_NB)
