"""Files of this machine: written whole, and errors about them in filetracker's words."""

from __future__ import annotations

import contextlib
import fcntl
import functools
import io
import os
import re
import stat
import time
from collections.abc import Iterator
from typing import IO

from filetracker import durable
from filetracker.client.beside import Beside
from filetracker.client.progress import Progress
from filetracker.errors import FiletrackerError, LocalFileError, StoreFull
from filetracker.gz import PIECE
from filetracker.utils import mkdir

#: Makes a file share the blocks of another one (ioctl_ficlone(2)).
_FICLONE = 0x40049409

#: How much the system copies at once, in bytes.
_CHUNK = 1 << 23

#: Sizes in bytes of what is copied sooner than the system is asked to do it.
_SMALL = range(1 << 14)

#: What is on its way for so long, in seconds, and not locked, was left by a killed process.
_ABANDONED = 60 * 60

#: A file that the process with that number has open.
_DESCRIPTOR = r'/proc/%d(?:/task/[0-9]+)?/fd/([0-9]+)\Z'


class disk_errors:
    """Turns an ``OSError`` about ``path`` into an error of filetracker, as ``with`` it is met.

    That is :class:`~filetracker.errors.StoreFull` or :class:`~filetracker.errors.LocalFileError`.
    """

    # No generator: there are dozens of these for each file.

    def __init__(self, path: str) -> None:
        self._path = path

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if not isinstance(error, OSError) or isinstance(error, FiletrackerError):
            return
        if durable.is_about_room(error):
            raise StoreFull('no room left for %s' % self._path) from error
        raise LocalFileError(self._path, error.strerror or str(error)) from error


@contextlib.contextmanager
def target(filename: str | os.PathLike[str]) -> Iterator[IO[bytes]]:
    """Yields a binary file that becomes ``filename`` on success and vanishes on error.

    Its folder is made. Where ``filename`` is a symbolic link, what it points to is replaced. What
    is no regular file, and what this process has open already (``/dev/stdout``), is written to as
    it is.
    """
    with disk_errors(os.fspath(filename)):
        path = _plain_path(filename)
        if path is None:
            descriptor = _open_descriptor(filename)
            if descriptor is not None:
                with open(os.dup(descriptor), 'wb') as file:
                    yield file
                return
            if is_special(filename):
                with open(filename, 'wb') as file:
                    yield file
                return
            path = os.path.realpath(filename)
            mkdir(os.path.dirname(path))
        with durable.saving(path) as aside:
            if aside.path:
                _sweep_once(os.path.dirname(path))
            yield aside


def copy(
    source: IO[bytes],
    file: IO[bytes],
    filename: str | os.PathLike[str],
    progress: Progress | None = None,
) -> int:
    """Copies all that can be read from ``source`` to ``file``, which errors call ``filename``.

    Returns how many bytes that were. Between files on one file system that can do it, nothing is
    copied: both share their blocks until one of them is written to.
    """
    total = size_of(source)
    with disk_errors(os.fspath(filename)):
        if progress:
            progress(0, total)
        done = 0
        if total not in _SMALL and _is_plain(source) and _is_plain(file):
            done = _cloned(source, file) or _copied(source, file, total, progress)
        with contextlib.closing(Beside(file.write)) as writing:
            # A thread that waits for a reader could not be interrupted.
            write = writing.add if _is_plain(file) else file.write
            for piece in pieces(source):
                write(bytes(piece))
                done += len(piece)
                if progress:
                    progress(done, total)
            writing.finish()
        file.flush()
    if progress:
        progress(done, done)
    return done


def pieces(source: IO[bytes]) -> Iterator[bytes]:
    """Yields all that can be read from ``source``, which may have ``pieces`` of its own."""
    with disk_errors(str(getattr(source, 'name', 'the stream'))):
        own = getattr(source, 'pieces', None)
        yield from own() if own else iter(functools.partial(source.read, PIECE), b'')


def size_of(stream: IO[bytes]) -> int | None:
    """Returns how many bytes can be read from a stream, ``None`` where it does not tell."""
    size = getattr(stream, 'size', None)
    if isinstance(size, int):
        return size
    if isinstance(stream, io.BytesIO):
        return stream.getbuffer().nbytes - stream.tell()
    if not _is_plain(stream):
        return None
    return max(0, os.fstat(stream.fileno()).st_size - stream.tell())


def is_special(filename: str | os.PathLike[str]) -> bool:
    """Whether there is something that is written to as it is: no regular file, or an open one."""
    try:
        mode = os.stat(filename).st_mode
    except OSError:
        return False
    if stat.S_ISDIR(mode):
        return False
    return not stat.S_ISREG(mode) or _open_descriptor(filename) is not None


def sweep(folder: str) -> None:
    """Removes from a folder what processes that were killed left of files on their way."""
    with contextlib.suppress(OSError), os.scandir(folder) as found:
        for left in found:
            with contextlib.suppress(OSError):
                if left.name.startswith(durable.PREFIX) and _is_abandoned(left.path):
                    os.unlink(left.path)


@functools.lru_cache(maxsize=1000)
def _sweep_once(folder: str) -> None:
    sweep(folder)


def _is_abandoned(path: str) -> bool:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return os.fstat(descriptor).st_ctime < time.time() - _ABANDONED
    finally:
        os.close(descriptor)


def _plain_path(filename: str | os.PathLike[str]) -> str | None:
    """Returns where a regular file is, or can be made, in a folder that is there.

    ``None`` if that takes a closer look, as with links.
    """
    path = os.fspath(filename)
    if not os.path.isabs(path):
        path = os.path.join(os.getcwd(), path)
    folder, base = os.path.split(path)
    if base in ('', '.', '..'):
        return None
    try:
        return path if stat.S_ISREG(os.lstat(path).st_mode) else None
    except FileNotFoundError:
        return path if os.path.isdir(folder) else None


def _open_descriptor(filename: str | os.PathLike[str]) -> int | None:
    """Returns the file of this process that ``filename`` stands for, ``None`` if it is no such."""
    if not os.path.islink(filename):
        return None
    path = os.path.abspath(os.fspath(filename))
    for _ in range(40):
        # The folder may be a link too, as /dev/fd is.
        path = os.path.join(os.path.realpath(os.path.dirname(path)), os.path.basename(path))
        found = re.match(_DESCRIPTOR % os.getpid(), path)
        if found:
            return int(found.group(1))
        if not os.path.islink(path):
            return None
        path = os.path.join(os.path.dirname(path), os.readlink(path))
    return None


def _is_plain(file: IO[bytes]) -> bool:
    """Whether it is a regular file, whose bytes are those that it gives to who reads it."""
    raw: object = file
    if isinstance(file, (io.BufferedReader, io.BufferedWriter, io.BufferedRandom)):
        raw = file.raw
    return isinstance(raw, io.FileIO) and stat.S_ISREG(os.fstat(raw.fileno()).st_mode)


def _cloned(source: IO[bytes], file: IO[bytes]) -> int:
    """Makes ``file`` share the blocks of ``source``; returns 0 where that cannot be."""
    if source.tell() or os.fstat(file.fileno()).st_size:
        return 0
    try:
        fcntl.ioctl(file.fileno(), _FICLONE, source.fileno())
    except OSError:
        return 0
    # What is read and written next comes behind it.
    source.seek(0, os.SEEK_END)
    return file.seek(0, os.SEEK_END)


def _copied(
    source: IO[bytes], file: IO[bytes], total: int | None, progress: Progress | None
) -> int:
    """Lets the system copy what it can; what is left, or fails, is for who reads and writes."""
    file.flush()
    start, begin, done = source.tell(), file.tell(), 0
    try:
        while count := os.copy_file_range(
            source.fileno(), file.fileno(), _CHUNK, start + done, begin + done
        ):
            done += count
            if progress:
                progress(done, total)
    except OSError:
        pass
    source.seek(start + done)
    file.seek(begin + done)
    return done
