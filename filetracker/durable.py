"""Files that are there whole or not at all; where asked for, also after a loss of power."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import functools
import io
import os
import secrets
from collections.abc import Callable, Iterator
from typing import IO

from filetracker.errors import StoreFull

#: How the names of files begin that are about to become others.
PREFIX = '.filetracker-'

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
# sync_file_range(2): begin to write what is not being written.
_BEGIN = 2
# What is said where it may not be called, or not for such a file.
_NOT_THERE = (errno.ENOSYS, errno.EPERM, errno.EINVAL, errno.ESPIPE)


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
        publish(file, path)
        # That it has a name stands in the file, too, and only a journal makes one thing of both.
        os.fsync(file.fileno())
    # Until then a loss of power may undo the rename.
    sync_folder(folder)


@contextlib.contextmanager
def saving(path: str) -> Iterator[Aside]:
    """Yields a binary file that becomes ``path`` on success and vanishes on error.

    Readers of ``path`` see the old file or the new one, but a loss of power may take both. The
    mode is what the umask leaves. What was written can be read back until the end.
    """
    with aside(os.path.dirname(path) or '.') as file:
        yield file
        publish(file, path)


class Aside(io.BufferedRandom):
    """A new file that is about to become another; ``path`` is where it is, if it has a name."""

    def __init__(self, descriptor: int, path: str | None) -> None:
        super().__init__(io.FileIO(descriptor, 'r+'))
        self.path = path


@contextlib.contextmanager
def aside(folder: str, mode: int = 0o666) -> Iterator[Aside]:
    """Yields a new binary file in ``folder``, that is gone in the end unless it was published.

    It can be written and read. The umask takes from ``mode``. Where the file system can have it,
    the file has no name until then, and nothing is left of it when the process is killed. Else it
    has one that begins with :data:`PREFIX`, and is locked (``flock``) while it is in use.
    """
    descriptor = _unnamed(folder, mode)
    path = None
    if descriptor is None:
        path = _new_path(folder)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
        with contextlib.suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    with Aside(descriptor, path) as file:
        try:
            yield file
        finally:
            if file.path:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(file.path)


def publish(file: Aside, path: str, folder: str | None = None) -> None:
    """Makes a file of :func:`aside` appear as ``path``, at once, in the place of what is there.

    ``path`` is on the same file system. If the file has no name, it gets one in ``folder`` before,
    by default in that of ``path``. Where this fails it may be tried again.
    """
    file.flush()
    if file.path is None:
        folder = folder or os.path.dirname(path) or '.'
        # Where there is nothing yet, one step is enough.
        with contextlib.suppress(FileExistsError):
            _link(file, path, folder)
            return
        name = _new_path(folder)
        _link(file, name, folder)
        # It is kept until it is replaced: who loses his only name cannot get another (linkat(2)).
        file.path = name
    else:
        # Some file systems tell only here that there was no room.
        os.close(os.dup(file.fileno()))
    os.replace(file.path, path)
    file.path = None


def _link(file: Aside, path: str, folder: str) -> None:
    """Gives a name to a file that has none. ``folder`` is any that is there."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        # With a folder's descriptor, os.link follows the link in /proc (open(2), O_TMPFILE).
        os.link(path_of(file), path, src_dir_fd=descriptor, follow_symlinks=True)
    finally:
        os.close(descriptor)


def path_of(file: Aside) -> str:
    """Returns a path under which this process can open a file of :func:`aside` once more."""
    return file.path or '/proc/self/fd/%d' % file.fileno()


def _unnamed(folder: str, mode: int) -> int | None:
    try:
        descriptor = os.open(folder, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, mode)
    except OSError:
        return None
    if os.path.exists('/proc/self/fd/%d' % descriptor):
        return descriptor
    os.close(descriptor)
    return None


def _new_path(folder: str) -> str:
    return os.path.join(folder, PREFIX + secrets.token_hex(8))


def sync_folder(path: str) -> None:
    """Makes durable which names a folder holds."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def begin_sync(file: IO[bytes], start: int) -> int:
    """Lets the system begin to write what is behind ``start``, and does not wait for it.

    A sync later takes less time then. Returns where the file ends. Nothing happens to a file that
    is in memory. Raises ``OSError`` as :func:`begin_sync_of` does.
    """
    end = file.tell()
    try:
        descriptor = file.fileno()
    except OSError:
        # What is in memory has none.
        return end
    begin_sync_of(descriptor, start, end - start)
    return end


def begin_sync_of(descriptor: int, start: int = 0, size: int = 0) -> None:
    """Does that with ``size`` bytes behind ``start``; all of them if it is 0.

    Raises ``OSError`` where the system cannot write them. It has dropped them then, and a sync
    later may say nothing of it: ext4 does so, and ``posix_fadvise`` would not tell.
    """
    number = _sync_file_range()(descriptor, start, size, _BEGIN)
    if number not in (0, *_NOT_THERE):
        raise OSError(number, os.strerror(number))


@functools.cache
def _sync_file_range() -> Callable[[int, int, int, int], int]:
    """Returns the call of that name, which Python has not got; it returns an error number, or 0."""
    try:
        import ctypes

        call = ctypes.CDLL(None, use_errno=True).sync_file_range
    except (ImportError, OSError, AttributeError):
        # Other systems have not got it either.
        return lambda descriptor, start, size, flags: 0
    call.argtypes = ctypes.c_int, ctypes.c_int64, ctypes.c_int64, ctypes.c_uint
    return lambda *arguments: ctypes.get_errno() if call(*arguments) else 0


class reporting_full_disk:
    """Turns an ``OSError`` that means "no room" into :class:`~filetracker.errors.StoreFull`."""

    def __init__(self, where: str = 'in the store') -> None:
        self._where = where

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if isinstance(error, OSError) and is_about_room(error):
            raise StoreFull('no room left %s' % self._where) from error


def is_about_room(error: OSError) -> bool:
    """Whether an error says that the disk, or what may be used of it, is full."""
    return error.errno in _NO_ROOM
