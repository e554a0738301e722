"""What goes to the server: read once, so that what is announced is what is sent."""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import tempfile
from collections.abc import Callable, Iterator, Mapping
from typing import IO, NamedTuple

from filetracker.client.body import Body
from filetracker.client.disk import copy, disk_errors, pieces, size_of
from filetracker.client.progress import Progress
from filetracker.gz import Deflater
from filetracker.protocol import DIGEST_HEADER, SIZE_HEADER
from filetracker.utils import file_digest

#: The most bytes of a body that need no temporary file.
_IN_MEMORY = 1 << 18


class Upload(NamedTuple):
    """A body, and the headers that say what it is.

    ``digest()`` returns the SHA-256 of the plain bytes, in hex.
    """

    body: Body
    headers: Mapping[str, str]
    digest: Callable[[], str]


@contextlib.contextmanager
def packed(source: IO[bytes], compression: str, progress: Progress | None) -> Iterator[Upload]:
    """Compresses what can be read from ``source``, into a temporary file."""
    digest = hashlib.sha256()
    size = 0
    deflater = Deflater(compression)
    told = _Halves(source, progress)
    with _temporary() as file:
        with disk_errors(tempfile.gettempdir()):
            for piece in pieces(source):
                digest.update(piece)
                size += len(piece)
                file.write(deflater.feed(piece))
                told.read(size)
            file.write(deflater.finish())
        stored = file.tell()
        body = Body(file, stored, lambda sent: told.sent(size, sent / stored))
        headers = {
            'Content-Encoding': 'gzip',
            DIGEST_HEADER: digest.hexdigest(),
            SIZE_HEADER: '%d' % size,
        }
        yield Upload(body, headers, digest.hexdigest)


@contextlib.contextmanager
def plain(source: IO[bytes], progress: Progress | None) -> Iterator[Upload]:
    """Takes what can be read from ``source`` as it is.

    That is the file itself if it is one, and stands at its start; else a temporary copy.
    """
    with contextlib.ExitStack() as opened:
        file, size = source, _size_of(source)
        if size is None:
            file = opened.enter_context(_temporary())
            copy(source, file, tempfile.gettempdir())
            size = file.tell()
        total = size
        if progress:
            progress(0, total)
        body = Body(file, total, progress and (lambda sent: progress(sent, total)))
        yield Upload(body, {}, lambda: _digest(file))


class _Halves:
    """Tells of an upload that is read first, and then sent: each is one half of the way."""

    def __init__(self, source: IO[bytes], progress: Progress | None) -> None:
        self._total = size_of(source)
        self._progress = progress
        self.read(0)

    def read(self, size: int) -> None:
        if self._progress:
            self._progress(size // 2, self._total)

    def sent(self, size: int, part: float) -> None:
        if self._progress:
            self._progress(size - int((1 - part) * (size - size // 2)), size)


def _digest(file: IO[bytes]) -> str:
    file.seek(0)
    return file_digest(file)


def _size_of(source: IO[bytes]) -> int | None:
    try:
        status = os.fstat(source.fileno())
        is_plain = stat.S_ISREG(status.st_mode) and source.tell() == 0
    except (AttributeError, OSError):
        return None
    return status.st_size if is_plain else None


@contextlib.contextmanager
def _temporary() -> Iterator[IO[bytes]]:
    with (
        disk_errors(tempfile.gettempdir()),
        tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY) as file,
    ):
        yield file
