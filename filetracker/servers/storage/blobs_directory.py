"""Blobs as files: ``blobs/ab/abcd…``, read-only once there.

A blob of ours was verified before it got its name, and is not writable (mode 0444). One that is
writable was left by filetracker 2.3.3, which verified nothing, or found to be damaged since, and is
compared before it is relied upon.
"""

from __future__ import annotations

import contextlib
import errno
import io
import itertools
import logging
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import BinaryIO, cast

from filetracker.durable import sync_folder
from filetracker.servers.storage.inspection import BROKEN_DISK
from filetracker.servers.storage.interfaces import BlobStore
from filetracker.servers.storage.journal import may_lack_journal
from filetracker.servers.storage.spool import inflated_size
from filetracker.servers.storage.syncs import Syncs

logger = logging.getLogger(__name__)

_READ_ONLY = 0o444
_WRITABLE = 0o222
_DISTRUSTED = 0o644
_TRAILER_SIZE = 8
# No two files of a process may have one name, in however many stores.
_numbers = itertools.count()


class DirectoryBlobStore(BlobStore):
    """Blobs below ``root``; ``spool`` is on the same file system. Both exist."""

    def __init__(self, root: str, spool: str) -> None:
        #: Is called with the seconds that it took to sync a blob.
        self.synced: Callable[[float], object] = lambda seconds: None
        self._root = root
        self._spool = spool
        self._syncs = Syncs()
        with os.scandir(root) as found:
            there = {item.name for item in found if item.is_dir()}
        for prefix in map('%02x'.__mod__, range(256)):
            if prefix not in there:
                os.makedirs(os.path.join(root, prefix), 0o700, exist_ok=True)
        sync_folder(root)
        self._unnamed = _has_unnamed_files(root) and not may_lack_journal(root)

    def spool(self) -> BinaryIO:
        if self._unnamed:
            descriptor = os.open(self._root, os.O_TMPFILE | os.O_RDWR, _READ_ONLY)
            return cast(BinaryIO, io.FileIO(descriptor, 'r+'))
        while True:
            path = os.path.join(self._spool, 'upload-%d-%d' % (os.getpid(), next(_numbers)))
            with contextlib.suppress(FileExistsError):
                return cast(BinaryIO, _NamedFile(path))

    def add(self, digest: str, spooled: BinaryIO) -> int:
        path = self._path(digest)
        while True:
            if not self._is_good(path, digest, spooled):
                self._make(digest, spooled, path)
            # The name may be as fresh as that of somebody who has not synced it yet.
            self._syncs.folder(os.path.dirname(path))
            stored_size = self.stored_size(digest)
            # A collection, for somebody whose upload was refused, may have come between.
            if stored_size is not None:
                return stored_size

    def open(self, digest: str) -> BinaryIO:
        return open(self._path(digest), 'rb')

    def stored_size(self, digest: str) -> int | None:
        try:
            return os.stat(self._path(digest)).st_size
        except FileNotFoundError:
            return None

    def distrust(self, digest: str) -> None:
        try:
            os.chmod(self._path(digest), _DISTRUSTED)
        except FileNotFoundError:
            pass

    def remove(self, digest: str) -> None:
        try:
            os.unlink(self._path(digest))
        except FileNotFoundError:
            pass

    def digests_with(self, prefix: str) -> list[str]:
        try:
            return sorted(os.listdir(os.path.join(self._root, prefix)))
        except FileNotFoundError:
            return []

    def digests(self) -> Iterator[str]:
        for prefix in sorted(os.listdir(self._root)):
            yield from self.digests_with(prefix)

    def _path(self, digest: str) -> str:
        return '%s/%s/%s' % (self._root, digest[:2], digest)

    def _is_good(self, path: str, digest: str, spooled: BinaryIO) -> bool:
        if self.stored_size(digest) is None:
            return False
        try:
            with open(path, 'rb') as blob:
                is_ours = not os.fstat(blob.fileno()).st_mode & _WRITABLE
                # A disk may have lost the end of what was verified; then this is the time to know.
                if is_ours and _trailer(blob) == _trailer(spooled):
                    return True
                blob.seek(0)
                if inflated_size(blob, digest) is None:
                    return False
                os.fchmod(blob.fileno(), _READ_ONLY)
                os.fsync(blob.fileno())
                return True
        except FileNotFoundError:
            return False
        except OSError as error:
            if error.errno not in BROKEN_DISK:
                raise
            return False

    def _make(self, digest: str, spooled: BinaryIO, path: str) -> None:
        try:
            self._link(spooled, path)
        except FileExistsError:
            # Somebody was faster, or what is there is no good.
            if not self._is_good(path, digest, spooled) and self.stored_size(digest) is not None:
                logger.warning('replacing the damaged blob %s', digest)
                self._replace(spooled, path)

    def _link(self, spooled: BinaryIO, path: str) -> None:
        try:
            self._link_synced(spooled, path)
        except FileNotFoundError:
            # A file that lost its only name, to a collection, cannot get another (linkat(2)).
            with self.spool() as copy:
                spooled.seek(0)
                shutil.copyfileobj(spooled, copy)
                # A disk without room for all of the last piece takes a part, and raises nothing.
                if copy.tell() < spooled.tell():
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)) from None
                self._link_synced(copy, path)

    def _link_synced(self, spooled: BinaryIO, path: str) -> None:
        spooled.flush()
        begun = time.monotonic()
        self._syncs.file(spooled.fileno())
        self.synced(time.monotonic() - begun)
        # With a descriptor os.link follows the link in /proc (open(2), O_TMPFILE). It is not looked
        # at, as the path is absolute.
        file = spooled.fileno()
        os.link(_proc_path(file), path, src_dir_fd=file, follow_symlinks=True)

    def _replace(self, spooled: BinaryIO, path: str) -> None:
        with tempfile.TemporaryDirectory(dir=self._spool, prefix='replace-') as aside:
            good = os.path.join(aside, 'blob')
            self._link(spooled, good)
            os.rename(good, path)


class _NamedFile(io.FileIO):
    """A new file, which loses that name when it is closed."""

    def __init__(self, path: str) -> None:
        super().__init__(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, _READ_ONLY), 'r+')
        self._path = path

    def close(self) -> None:
        if not self.closed:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self._path)
            super().close()


def _trailer(file: BinaryIO) -> bytes:
    """Returns the end of a gzip file, which is that of any other of the same content.

    Unless it has several members: checksum and size (RFC 1952) are those of the last.
    """
    file.seek(-min(_TRAILER_SIZE, file.seek(0, os.SEEK_END)), os.SEEK_END)
    return file.read(_TRAILER_SIZE)


def _proc_path(descriptor: int) -> str:
    return '/proc/self/fd/%d' % descriptor


def _has_unnamed_files(folder: str) -> bool:
    try:
        descriptor = os.open(folder, os.O_TMPFILE | os.O_RDWR, _READ_ONLY)
    except OSError:
        return False
    os.close(descriptor)
    return True
