"""What goes to the server: read once, so that what is announced is what is sent."""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import tempfile
from collections.abc import Iterator
from typing import IO, NamedTuple

from filetracker.client.disk import copy, disk_errors, pieces
from filetracker.client.transport import Body
from filetracker.gz import Deflater


class Packed(NamedTuple):
    """A gzip stream, with the SHA-256 and the number of the bytes that are in it."""

    body: Body
    digest: str
    size: int


@contextlib.contextmanager
def packed(source: IO[bytes]) -> Iterator[Packed]:
    """Compresses what can be read from ``source``, into a temporary file."""
    digest = hashlib.sha256()
    size = 0
    deflater = Deflater()
    with _temporary() as file:
        with disk_errors(tempfile.gettempdir()):
            for piece in pieces(source):
                digest.update(piece)
                size += len(piece)
                file.write(deflater.feed(piece))
            file.write(deflater.finish())
        yield Packed(Body(file, file.tell()), digest.hexdigest(), size)


@contextlib.contextmanager
def plain(source: IO[bytes]) -> Iterator[Body]:
    """Takes what can be read from ``source`` as it is.

    That is the file itself if it is one, and stands at its start; else a temporary copy.
    """
    size = _size_of(source)
    if size is not None:
        yield Body(source, size)
        return
    with _temporary() as file:
        copy(source, file, tempfile.gettempdir())
        yield Body(file, file.tell())


def _size_of(source: IO[bytes]) -> int | None:
    try:
        status = os.fstat(source.fileno())
        is_plain = stat.S_ISREG(status.st_mode) and source.tell() == 0
    except (AttributeError, OSError):
        return None
    return status.st_size if is_plain else None


@contextlib.contextmanager
def _temporary() -> Iterator[IO[bytes]]:
    with disk_errors(tempfile.gettempdir()), tempfile.TemporaryFile() as file:
        yield file
