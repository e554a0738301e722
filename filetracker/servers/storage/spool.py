"""An upload on its way in: received, inflated or compressed, hashed and counted in one pass."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import BinaryIO

from filetracker import gz
from filetracker.durable import begin_sync, reporting_full_disk
from filetracker.errors import BadUpload, Busy, TooLarge

_ROOM_CHECK_BYTES = 4 << 20
# Compressing so much takes a few milliseconds.
_STEP = 1 << 16
# A gzip stream may be so many times as large as its content, and so many bytes more. What is larger
# is padded with members or blocks that have nothing in them.
_MOST_TIMES = 4
_MOST_MORE = 1 << 18


def empty_spool(directory: str) -> None:
    """Removes all that is left of earlier uploads."""
    with os.scandir(directory) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                shutil.rmtree(entry.path)
            else:
                os.unlink(entry.path)


def inflated_size(blob: BinaryIO, digest: str) -> int | None:
    """Returns how many plain bytes a gzip file has, ``None`` if they do not have that digest."""
    size = 0
    actual = hashlib.sha256()
    try:
        for piece in gz.inflated(blob):
            actual.update(piece)
            size += len(piece)
    except gz.NotGzip:
        return None
    return size if actual.hexdigest() == digest.lower() else None


class reporting_disk(reporting_full_disk):
    """Turns what a disk says that is full or read-only into errors of ours."""

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        super().__exit__(kind, error, traceback)
        if isinstance(error, OSError) and error.errno == errno.EROFS:
            raise Busy('the disk of the store is read-only now; files can be read') from error


class Upload:
    """Bytes that come in parts, to be handed to :meth:`Storage.put`.

    ``gzipped`` says whether they are a gzip stream or plain. ``digest`` and ``size`` are those of
    the plain bytes where the sender gave them, and are checked; ``limit`` is the most plain bytes
    that are taken. ``check_room`` is called now and then and raises
    :class:`~filetracker.errors.StoreFull`. ``compression`` is what plain bytes are compressed for.
    A context manager: what was not put is gone at its end.
    """

    def __init__(
        self,
        file: BinaryIO,
        gzipped: bool,
        digest: str | None,
        size: int | None,
        limit: int | None,
        check_room: Callable[[], None],
        compression: str = gz.DEFAULT_COMPRESSION,
    ) -> None:
        self.file = file
        self._announced_digest = digest
        self._announced_size = size
        self._limit = limit
        self._check_room = check_room
        # How many bytes were saved, and of how many the disk has been looked at.
        self._stored = self._begun = 0
        self._failed = False
        self._hash = hashlib.sha256()
        self._codec: gz.Inflater | gz.Deflater = (
            gz.Inflater(size=size) if gzipped else gz.Deflater(compression)
        )
        #: How many plain bytes came so far.
        self.size = 0

    @property
    def digest(self) -> str:
        """The digest of the plain bytes that came so far."""
        return self._hash.hexdigest()

    def write(self, chunk: bytes) -> None:
        """Takes the next bytes.

        Raises :class:`~filetracker.errors.BadUpload` as soon as they cannot be what was announced,
        :class:`~filetracker.errors.TooLarge` and :class:`~filetracker.errors.StoreFull`.
        """
        for _ in self.writing(chunk):
            pass

    def writing(self, chunk: bytes) -> Iterator[None]:
        """Takes the next bytes in steps of which none takes long, however much they inflate to.

        Raises as :meth:`write` does. What was not gone through to its end is an upload that failed.
        """
        whole, self._failed = not self._failed, True
        if isinstance(self._codec, gz.Deflater):
            for start in range(0, len(chunk), _STEP):
                plain = chunk[start : start + _STEP]
                self._take(plain)
                self._save(self._codec.feed(plain))
                yield
        else:
            try:
                for piece in self._codec.feed(chunk):
                    self._take(piece)
                    yield
            except gz.NotGzip as error:
                raise BadUpload(str(error)) from None
            self._save(chunk)
            if self._stored > _MOST_TIMES * self.size + _MOST_MORE:
                raise BadUpload('the gzip stream is much larger than its content')
        self._failed = not whole

    def finish(self) -> str:
        """Ends the upload; returns the digest of the plain bytes.

        Raises :class:`~filetracker.errors.BadUpload` if it is not what was announced, or was not
        written to its end.
        """
        if self._failed:
            raise BadUpload('the content was not received whole')
        try:
            rest = self._codec.finish()
        except gz.NotGzip as error:
            raise BadUpload(str(error)) from None
        if rest:
            self._save(rest)
        if self._announced_size not in (None, self.size):
            raise BadUpload(
                'the content has %d bytes, not the announced %d' % (self.size, self._announced_size)
            )
        digest = self._hash.hexdigest()
        if self._announced_digest not in (None, digest):
            raise BadUpload('the content does not have the announced SHA-256')
        return digest

    def close(self) -> None:
        """Drops what was received."""
        try:
            self.file.close()
        except OSError:
            # What a full disk did not take before, it does not take now either.
            pass

    def __enter__(self) -> Upload:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _take(self, plain: bytes) -> None:
        self._hash.update(plain)
        self.size += len(plain)
        if self._announced_size is not None and self.size > self._announced_size:
            raise BadUpload(
                'the content has more than the announced %d bytes' % self._announced_size
            )

        if self._limit is not None and self.size > self._limit:
            raise TooLarge(self._limit)

    def _save(self, stored: bytes) -> None:
        with reporting_disk():
            left = stored
            while left:
                left = left[self.file.write(left) :]
            self._stored += len(stored)
            if self._stored - self._begun >= _ROOM_CHECK_BYTES:
                self._begun = begin_sync(self.file, self._begun)
                self._check_room()
