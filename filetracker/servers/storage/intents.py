"""What is under way, noted so that the next start can see to what the death of the process left.

A note is a slot in a file, and no file of its own: ext4 looks at each inode that was freed in the
last seconds before it takes one, so that files that come and go make all others slow.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import os
import threading
from collections.abc import Iterator
from typing import NamedTuple

import six

from filetracker.errors import StoreUnusable

logger = logging.getLogger(__name__)

# A digest, a space, a name of at most 3,072 bytes, a zero byte: in one page of memory.
_SLOT = 4096
_DIGEST = 64
_FREE = b'\0'
_PREFIX = 'intents-'


class Note(NamedTuple):
    """Where a note is."""

    path: str
    offset: int


class Intents:
    """Notes in files of ``directory``, which exists when the first one is made.

    They are not synced: they are for the death of the process. After a loss of power a blob
    without a name may stay, which costs its room until ``filetracker-recover`` finds it.
    """

    def __init__(self, directory: str) -> None:
        self._directory = directory
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._path: str | None = None
        self._file = -1
        self._is_closed = False
        self._used = 0
        self._free: list[int] = []

    def record(self, name: str, digest: str) -> Note:
        """Notes that the blob may come to have no name, and the mirror of the name be wrong."""
        if self._pid != os.getpid():
            raise StoreUnusable('the store was opened before a fork; open it in the child')
        with self._lock:
            if self._is_closed:
                raise StoreUnusable('the store is closed')
            path = self._path or self._open()
            offset = self._free[-1] if self._free else self._used
            os.pwrite(self._file, six.ensure_binary('%s %s\0' % (digest, name)), offset)
            if self._free:
                self._free.pop()
            else:
                self._used += _SLOT
        return Note(path, offset)

    def forget(self, note: Note) -> None:
        """Clears a note, which is not used any more.

        One that cannot be cleared is looked into at the next start, for nothing.
        """
        try:
            with self._lock:
                if note.path == self._path and not self._is_closed:
                    os.pwrite(self._file, _FREE, note.offset)
                    self._free.append(note.offset)
                    return
            _clear(note)
        except OSError as error:
            logger.warning('cannot clear a note: %s', error.strerror)

    def pending(self) -> Iterator[tuple[Note, str, str]]:
        """Yields note, name and digest of what was recorded and not forgotten."""
        for path in self._files():
            for offset in itertools.count(0, _SLOT):
                with open(path, 'rb') as file:
                    file.seek(offset)
                    slot = file.read(_SLOT)
                if not slot:
                    break
                digest, space, name = slot.partition(_FREE)[0].partition(b' ')
                # After a loss of power there may be anything.
                with contextlib.suppress(UnicodeDecodeError):
                    if space and len(digest) == _DIGEST and digest.isalnum():
                        yield Note(path, offset), six.ensure_str(name), six.ensure_str(digest)

    def tidy(self) -> None:
        """Removes the files of earlier processes in which nothing is noted any more."""
        noted = {note.path for note, _, _ in self.pending()}
        for path in self._files():
            if path not in noted:
                os.unlink(path)

    def close(self) -> None:
        """Ends the use of these notes; those that are not forgotten stay. May be called twice."""
        with self._lock:
            was_closed, self._is_closed = self._is_closed, True
            if self._path is None or was_closed:
                return
            os.close(self._file)
            if self._pid == os.getpid() and len(self._free) * _SLOT == self._used:
                with contextlib.suppress(OSError):
                    os.unlink(self._path)

    def _open(self) -> str:
        for number in itertools.count():
            path = os.path.join(self._directory, '%s%d' % (_PREFIX, number))
            with contextlib.suppress(FileExistsError):
                self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
                self._path = path
                return path
        raise AssertionError

    def _files(self) -> list[str]:
        names = os.listdir(self._directory)
        return [os.path.join(self._directory, name) for name in names if name.startswith(_PREFIX)]


def _clear(note: Note) -> None:
    file = os.open(note.path, os.O_RDWR)
    try:
        os.pwrite(file, _FREE, note.offset)
    finally:
        os.close(file)
