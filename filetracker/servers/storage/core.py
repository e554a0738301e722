"""The store: the one order in which bytes and names are written, for every backend.

Bytes before names, so that a name always has its blob; unname before removing. STORAGE.md lists
each step and what a crash there leaves.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from functools import partial
from typing import BinaryIO

from filetracker.durable import reporting_full_disk
from filetracker.errors import Damaged, FiletrackerError, NotFound
from filetracker.protocol import check_stored_name, check_version
from filetracker.servers.storage.interfaces import BlobStore, Catalog, Entry, Put
from filetracker.servers.storage.spool import Upload, inflated_size

logger = logging.getLogger(__name__)

_PAGE = 1000


class Storage:
    """Files by name and version over a blob store and a catalogue, which it closes in the end.

    ``check_room`` raises :class:`~filetracker.errors.StoreFull` when no more should be taken in.
    Every method blocks and may be called from any thread. All raise
    :class:`~filetracker.errors.Busy` and :class:`~filetracker.errors.StoreUnusable`;
    ``OSError`` is what the disk says.
    """

    def __init__(
        self,
        blobs: BlobStore,
        catalog: Catalog,
        check_room: Callable[[], None] = lambda: None,
    ) -> None:
        self._blobs = blobs
        self._catalog = catalog
        self._check_room = check_room

    def entry(self, name: str) -> Entry:
        """Returns version, digest and sizes of a file.

        Raises :class:`~filetracker.errors.NotFound` and
        :class:`~filetracker.errors.InvalidName`.
        """
        check_stored_name(name)
        entry = self._catalog.entry(name)
        if entry is None:
            raise NotFound(name)
        return entry

    def open(self, name: str) -> tuple[Entry, BinaryIO]:
        """Returns what :meth:`entry` does, and the gzip bytes of that very version.

        The caller closes the file, and can read it to its end whatever happens to the name. Raises
        what :meth:`entry` does, and :class:`~filetracker.errors.Damaged` if the blob is not
        there, or has another size than when it was stored and is not good.
        """
        entry = self.entry(name)
        while True:
            blob = self._open_blob(entry)
            if blob and blob.seek(0, os.SEEK_END) == entry.stored_size:
                blob.seek(0)
                return entry, blob
            # The name may have been put again or deleted since; then there is a newer answer.
            looked_up, entry = entry, self.entry(name)
            if entry == looked_up:
                return self._corrected(name, entry, blob)
            if blob:
                blob.close()

    def upload(
        self,
        gzipped: bool,
        digest: str | None = None,
        size: int | None = None,
        limit: int | None = None,
    ) -> Upload:
        """Returns an :class:`Upload`, to be written, handed to :meth:`put`, and closed.

        ``digest`` (64 lower-case hex digits) and ``size`` are what the sender says of the plain
        bytes; ``limit`` is the most of them that are taken, in bytes. Raises
        :class:`~filetracker.errors.StoreFull`.
        """
        with reporting_full_disk():
            self._check_room()
            return Upload(self._blobs.spool(), gzipped, digest, size, limit, self._check_room)

    def put(self, name: str, version: int, upload: Upload) -> int:
        """Stores what was uploaded; it is durable on return.

        Returns the version that the name has now: ``version``, or the newer one that was there
        and stays. Raises :class:`~filetracker.errors.BadUpload`,
        :class:`~filetracker.errors.InvalidName`, :class:`~filetracker.errors.NameConflict` and
        :class:`~filetracker.errors.StoreFull`; then nothing is changed.
        """
        check_stored_name(name)
        check_version(version)
        with reporting_full_disk():
            digest = upload.finish()
            with self._catalog.intent(name, digest):
                named = False
                try:
                    result = self._name(name, version, digest, upload)
                    named = result.version == version
                finally:
                    if not named:
                        self._collect(digest)
                if result.freed:
                    self._collect(result.freed)
            return result.version

    def delete(self, name: str, version: int) -> int | None:
        """Removes a file, unless it is newer than ``version``; durable on return.

        Returns ``None``, or the newer version, which stays. Raises what :meth:`entry` does.
        """
        check_stored_name(name)
        with reporting_full_disk():
            result = self._catalog.delete(name, version)
            if not result.found:
                raise NotFound(name)
            if result.freed:
                self._collect(result.freed)
            return result.kept

    def pages(self, directory: str, cutoff: int | None = None) -> Iterator[list[str]]:
        """Yields the names below a directory, relative to it, sorted by their bytes in UTF-8.

        ``directory`` is ``''`` for all. With ``cutoff`` only those whose version is not newer.
        They come in lists, which may be empty. A name that is there all the time, unchanged, comes
        exactly once. Raises :class:`~filetracker.errors.NotFound` at the first list if nothing is
        below the directory (the root is always there), and
        :class:`~filetracker.errors.InvalidName`.
        """
        prefix = ''
        if directory:
            check_stored_name(directory)
            prefix = directory + '/'
        page = self._catalog.names(prefix, '', _PAGE)
        if not page and directory:
            raise NotFound(directory, 'no such directory: %s' % directory)
        while page:
            yield [
                name[len(prefix) :] for name, version in page if cutoff is None or version <= cutoff
            ]
            page = self._catalog.names(prefix, page[-1][0], _PAGE)

    def distrust(self, name: str, digest: str) -> None:
        """Reports that what :meth:`open` returned for a name is damaged.

        It is logged, and the next upload of the same content replaces it.
        """
        logger.error('the blob %s of %s is damaged', digest, name)
        try:
            self._blobs.distrust(digest)
        except OSError as error:
            logger.warning('cannot mark the blob %s: %s', digest, error)

    def close(self) -> None:
        """Releases the store; it may be called twice."""
        self._catalog.close()

    def finish_unfinished(self) -> None:
        """Removes the blobs that the death of the process left without a name."""
        for digest, forget in self._catalog.unfinished():
            self._collect(digest)
            forget()

    def _name(self, name: str, version: int, digest: str, upload: Upload) -> Put:
        while True:
            stored_size = self._blobs.add(digest, upload.file)
            result = self._catalog.put(
                name,
                Entry(version, digest, upload.size, stored_size),
                partial(self._has_blob, stored_size),
            )
            # A collection may have come between, and then even another stream of the same content.
            if not result.blob_is_missing:
                return result

    def _has_blob(self, stored_size: int, digest: str) -> bool:
        return self._blobs.stored_size(digest) == stored_size

    def _open_blob(self, entry: Entry) -> BinaryIO | None:
        try:
            return self._blobs.open(entry.digest)
        except FileNotFoundError:
            return None

    def _corrected(self, name: str, entry: Entry, blob: BinaryIO | None) -> tuple[Entry, BinaryIO]:
        """Returns a blob that is good, though it does not have the size it had.

        So is one that replaced a damaged blob of filetracker 2.3.3.
        """
        if not blob:
            logger.error('the blob %s of %s is missing', entry.digest, name)
            raise Damaged(name, 'the stored content of %s is missing' % name)
        stored_size = blob.tell()
        blob.seek(0)
        size = inflated_size(blob, entry.digest)
        if size is None:
            blob.close()
            logger.error('the blob %s of %s is damaged', entry.digest, name)
            raise Damaged(name)
        blob.seek(0)
        return entry._replace(size=size, stored_size=stored_size), blob

    def _collect(self, digest: str) -> None:
        try:
            self._catalog.collect(digest, self._blobs.remove)
        except (FiletrackerError, OSError) as error:
            # What was asked for is done; the catalogue remembers what is left for the next start.
            logger.warning('cannot remove the blob %s: %s', digest, error)
