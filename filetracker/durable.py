"""Files that are there whole or not at all, also after a crash or a loss of power."""

from __future__ import annotations

import contextlib
import errno
import os
import tempfile
from collections.abc import Iterator
from typing import BinaryIO, cast

from filetracker.errors import StoreFull

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)


@contextlib.contextmanager
def replacing(path: str, mode: int = 0o600) -> Iterator[BinaryIO]:
    """Yields a binary file that becomes ``path`` on success and vanishes on error.

    Readers of ``path`` see the old file or the new one. On return the new one is durable.
    """
    folder = os.path.dirname(path) or '.'
    descriptor, aside = tempfile.mkstemp(dir=folder, prefix='.filetracker-')
    try:
        with os.fdopen(descriptor, 'wb') as file:
            yield cast(BinaryIO, file)
            file.flush()
            os.fchmod(descriptor, mode)
            os.fsync(descriptor)
        os.replace(aside, path)
    except BaseException:
        os.unlink(aside)
        raise
    # Until then a loss of power may undo the rename.
    sync_folder(folder)


def sync_folder(path: str) -> None:
    """Makes durable which names a folder holds."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def reporting_full_disk() -> Iterator[None]:
    """Turns an ``OSError`` that means "no room" into :class:`~filetracker.errors.StoreFull`."""
    try:
        yield
    except OSError as error:
        if error.errno in _NO_ROOM:
            raise StoreFull() from error
        raise
