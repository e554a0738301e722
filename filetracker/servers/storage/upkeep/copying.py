"""Copies of blobs that cost as little as the disk allows: shared bytes, another name, or bytes."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import shutil
import threading
from typing import NamedTuple

from filetracker.servers.storage import inspection
from filetracker.servers.storage.upkeep.blob_files import BlobFiles

_FICLONE = 0x40049409
_UNSUPPORTED = (
    errno.EOPNOTSUPP,
    errno.ENOTTY,
    errno.EINVAL,
    errno.EXDEV,
    errno.EPERM,
    errno.EMLINK,
    errno.ENOSYS,
)


class Wanted(NamedTuple):
    """A blob, and the size that it should have, in bytes."""

    digest: str
    stored_size: int


class BlobCopies:
    """Copies from one store into another, ``target``; what is there is never changed in place."""

    def __init__(self, source: str, target: str) -> None:
        self._source = BlobFiles(source)
        self._target = BlobFiles(target)
        self._spool = os.path.join(os.fsencode(target), b'spool')
        self._clones = True

    def copy(self, blob: Wanted) -> int | None:
        """Lets the target have a blob.

        Returns how many bytes it had not, ``None`` if neither has the blob.
        """
        digest = blob.digest
        there = self._target.stored_size(digest)
        if there == blob.stored_size:
            return 0
        size = self._source.stored_size(digest)
        if there is not None and (size is None or size == there or self._is_good(digest)):
            return 0
        if size is None:
            return None
        path = self._target.path(digest)
        os.makedirs(os.path.dirname(path), 0o700, exist_ok=True)
        aside = os.path.join(self._spool, b'copy-%d' % threading.get_ident())
        try:
            self._copy(self._source.path(digest), aside)
        except FileNotFoundError:
            # Something else than a server removes blobs.
            return None
        os.rename(aside, path)
        return size

    def _is_good(self, digest: str) -> bool:
        """Whether what the target has is the content, though its size is another now."""
        with self._target.open(digest) as blob:
            return inspection.inspect(blob).digest == digest.lower()

    def _copy(self, source: bytes, aside: bytes) -> None:
        # It may be another name of a blob: never to be written into.
        with contextlib.suppress(FileNotFoundError):
            os.unlink(aside)
        # Rather shared bytes than a shared file, which filetracker 2.3.3 may write into.
        if self._clones and _clone(source, aside):
            return
        self._clones = False
        try:
            os.link(source, aside)
        except OSError as error:
            if error.errno not in _UNSUPPORTED:
                raise
            shutil.copy(source, aside)


def _clone(source: bytes, aside: bytes) -> bool:
    with open(source, 'rb') as blob, open(aside, 'xb') as copy:
        try:
            fcntl.ioctl(copy.fileno(), _FICLONE, blob.fileno())
        except OSError as error:
            if error.errno not in _UNSUPPORTED:
                raise
            os.unlink(aside)
            return False
        os.fchmod(copy.fileno(), os.fstat(blob.fileno()).st_mode & 0o777)
        return True
