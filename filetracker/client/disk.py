"""Files of this machine: written whole, and errors about them in filetracker's words."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from typing import IO

from filetracker import durable
from filetracker.errors import FiletrackerError, LocalFileError
from filetracker.gz import PIECE
from filetracker.utils import mkdir


@contextlib.contextmanager
def disk_errors(path: str) -> Iterator[None]:
    """Turns an ``OSError`` about ``path`` into an error of filetracker.

    That is :class:`~filetracker.errors.StoreFull` or :class:`~filetracker.errors.LocalFileError`.
    """
    try:
        with durable.reporting_full_disk('for %s' % path):
            yield
    except FiletrackerError:
        raise
    except OSError as error:
        raise LocalFileError(path, error.strerror or str(error)) from error


@contextlib.contextmanager
def target(filename: str | os.PathLike[str]) -> Iterator[IO[bytes]]:
    """Yields a binary file that becomes ``filename`` on success and vanishes on error.

    Its folder is made. Where ``filename`` is a symbolic link, what it points to is replaced. What
    is no regular file (``/dev/stdout``) is written to as it is.
    """
    with disk_errors(os.fspath(filename)):
        if is_special(filename):
            with open(filename, 'wb') as file:
                yield file
            return
        path = os.path.realpath(filename)
        mkdir(os.path.dirname(path))
        with durable.saving(path) as aside:
            yield aside


def copy(source: IO[bytes], file: IO[bytes], filename: str | os.PathLike[str]) -> None:
    """Copies all that can be read from ``source`` to ``file``, which errors call ``filename``."""
    with disk_errors(os.fspath(filename)):
        for piece in pieces(source):
            file.write(piece)
        file.flush()


def pieces(source: IO[bytes]) -> Iterator[bytes]:
    """Yields all that can be read from ``source``."""
    with disk_errors(str(getattr(source, 'name', 'the stream'))):
        while piece := source.read(PIECE):
            yield piece


def is_special(filename: str | os.PathLike[str]) -> bool:
    """Whether there is something that is neither a regular file nor a directory."""
    try:
        mode = os.stat(filename).st_mode
    except OSError:
        return False
    return not stat.S_ISREG(mode) and not stat.S_ISDIR(mode)
