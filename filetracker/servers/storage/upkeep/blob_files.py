"""The files below ``blobs/``, whatever they are: for those who repair a store or watch over it."""

from __future__ import annotations

import contextlib
import os
import re
import stat
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from filetracker.durable import sync_folder

_DIGEST = re.compile(r'[0-9a-f]{64}\Z')
_READ_ONLY = 0o444
_WRITABLE = 0o222


class BlobFile(NamedTuple):
    """A file where blobs are. ``digest`` is its name, ``None`` if it cannot be a blob at all."""

    digest: str | None
    path: bytes
    stored_size: int
    verified: bool

    @property
    def well_named(self) -> bool:
        return bool(self.digest and _DIGEST.match(self.digest))


class BlobFiles:
    """What is below ``blobs/`` of the store in ``root``; both exist."""

    def __init__(self, root: str) -> None:
        self._root = os.path.join(os.fsencode(root), b'blobs')
        self._aside = os.path.join(os.fsencode(root), b'spool', b'blob')
        self._synced = False

    def walk(self) -> Iterator[BlobFile]:
        """Yields all that is no directory. What goes meanwhile may be left out."""
        for folder in sorted(os.listdir(self._root)):
            path = os.path.join(self._root, folder)
            if os.path.isdir(path) and not os.path.islink(path):
                yield from self._walk(path, folder)
            else:
                with contextlib.suppress(FileNotFoundError):
                    yield _blob_file(None, path, os.lstat(path))

    def _walk(self, folder: bytes, prefix: bytes | None) -> Iterator[BlobFile]:
        """``prefix`` is ``None`` where no blobs can be."""
        with os.scandir(folder) as entries:
            # In order, as neighbours on the disk often are.
            for entry in sorted(entries, key=lambda entry: entry.name):
                if entry.is_dir(follow_symlinks=False):
                    yield from self._walk(entry.path, None)
                    continue
                with contextlib.suppress(FileNotFoundError):
                    status = entry.stat(follow_symlinks=False)
                    is_blob = stat.S_ISREG(status.st_mode) and prefix == entry.name[:2]
                    name = os.fsdecode(entry.name) if is_blob else None
                    yield _blob_file(name, entry.path, status)

    def stored_bytes(self) -> int:
        """Returns how much there is in blobs."""
        return sum(file.stored_size for file in self.walk() if file.digest)

    def path(self, digest: str) -> bytes:
        """Returns where the blob is, if it is there."""
        name = os.fsencode(digest)
        return b'%s/%s/%s' % (self._root, name[:2], name)

    def open(self, digest: str) -> BinaryIO:
        """Returns the blob for reading. Raises ``FileNotFoundError``."""
        return open(self.path(digest), 'rb')

    def stored_size(self, digest: str) -> int | None:
        """Returns the size of the blob, ``None`` if there is none."""
        try:
            status = os.stat(self.path(digest))
        except FileNotFoundError:
            return None
        return status.st_size if stat.S_ISREG(status.st_mode) else None

    def name(self, digest: str, actual: str) -> None:
        """Gives a blob a second name, which is that of its content; durable on return.

        What had that name, and is no good, loses it.
        """
        path = self.path(actual)
        folder = os.path.dirname(path)
        os.makedirs(folder, 0o700, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._aside)
        os.link(self.path(digest), self._aside)
        os.rename(self._aside, path)
        sync_folder(os.fsdecode(folder))

    def drop(self, digest: str) -> None:
        """Removes a name of a blob that has another one."""
        path = self.path(digest)
        os.unlink(path)
        with contextlib.suppress(OSError):
            # No folder of ours goes: they are 00 to ff.
            if not re.fullmatch(b'[0-9a-f]{2}', os.path.basename(os.path.dirname(path))):
                os.rmdir(os.path.dirname(path))

    def mark_verified(self, digest: str) -> None:
        """Lets everybody know that the content is what the name says."""
        if not self._synced:
            # What was read may not have been on the disk yet.
            os.sync()
            self._synced = True
        os.chmod(self.path(digest), _READ_ONLY)


def _blob_file(digest: str | None, path: bytes, status: os.stat_result) -> BlobFile:
    return BlobFile(digest, path, status.st_size, not status.st_mode & _WRITABLE)
