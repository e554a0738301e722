"""Files that are there whole or not at all; where asked for, also after a loss of power."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
from collections.abc import Iterator
from typing import IO

from filetracker.errors import StoreFull

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)


@contextlib.contextmanager
def replacing(path: str, mode: int = 0o600) -> Iterator[IO[bytes]]:
    """Yields a binary file that becomes ``path`` on success and vanishes on error.

    Readers of ``path`` see the old file or the new one. On return the new one is durable.
    """
    folder = os.path.dirname(path) or '.'
    with aside(folder, 0o600) as file:
        yield file
        file.flush()
        os.fchmod(file.fileno(), mode)
        os.fsync(file.fileno())
        os.replace(file.name, path)
    # Until then a loss of power may undo the rename.
    sync_folder(folder)


@contextlib.contextmanager
def saving(path: str) -> Iterator[IO[bytes]]:
    """Yields a binary file that becomes ``path`` on success and vanishes on error.

    Readers of ``path`` see the old file or the new one, but a loss of power may take both. The
    mode is what the umask leaves. What was written can be read back until the end.
    """
    with aside(os.path.dirname(path) or '.') as file:
        yield file
        # Some file systems tell only here that there was no room.
        file.close()
        os.replace(file.name, path)


@contextlib.contextmanager
def aside(folder: str, mode: int = 0o666) -> Iterator[IO[bytes]]:
    """Yields a new binary file in ``folder``, that is gone in the end unless it was renamed.

    Its path is its attribute ``name``. It can be written and read. The umask takes from ``mode``.
    """
    path = os.path.join(folder, '.filetracker-%s' % secrets.token_hex(8))
    with open(path, 'x+b', opener=lambda path, flags: os.open(path, flags, mode)) as file:
        try:
            yield file
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)


def sync_folder(path: str) -> None:
    """Makes durable which names a folder holds."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def reporting_full_disk(where: str = 'in the store') -> Iterator[None]:
    """Turns an ``OSError`` that means "no room" into :class:`~filetracker.errors.StoreFull`."""
    try:
        yield
    except OSError as error:
        if error.errno in _NO_ROOM:
            raise StoreFull('no room left %s' % where) from error
        raise
