"""The store: the one order in which bytes and names are written, for every backend.

Bytes before names, so that a name always has its blob; unname before removing. STORAGE.md lists
each step and what a crash there leaves.
"""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Callable, Iterator
from functools import partial
from typing import BinaryIO

from filetracker.errors import Busy, Damaged, FiletrackerError, NotFound
from filetracker.gz import DEFAULT_COMPRESSION
from filetracker.protocol import check_stored_name, check_version
from filetracker.servers.storage.disk import Disk
from filetracker.servers.storage.interfaces import (
    BlobStore,
    Catalog,
    Condition,
    Delete,
    Entry,
    Put,
    See,
    unconditionally,
)
from filetracker.servers.storage.listing import lines, survey
from filetracker.servers.storage.shelf import Shelf
from filetracker.servers.storage.spool import Upload, inflated_size, reporting_disk
from filetracker.servers.storage.tree import Tree

logger = logging.getLogger(__name__)


class Storage:
    """Files by name and version over a blob store and a catalogue, which it closes in the end.

    ``tree`` is how people look at the names. ``check_room`` raises
    :class:`~filetracker.errors.StoreFull` when no more should be taken in; ``compression`` is one
    of :data:`~filetracker.gz.COMPRESSIONS`, for what comes in plain. Every method blocks and may
    be called from any thread. All raise :class:`~filetracker.errors.Busy` and
    :class:`~filetracker.errors.StoreUnusable`; ``OSError`` is what the ``disk`` says, on which the
    store is if that is not ``None``.
    """

    def __init__(
        self,
        blobs: BlobStore,
        catalog: Catalog,
        check_room: Callable[[], None] = lambda: None,
        compression: str = DEFAULT_COMPRESSION,
        shelf: Shelf | None = None,
        disk: Disk | None = None,
    ) -> None:
        self._blobs = blobs
        self._catalog = catalog
        self._check_room = check_room
        self._compression = compression
        self.shelf, self.tree = shelf or Shelf(), Tree(catalog)
        #: What goes on in the store.
        self.activity = catalog.activity
        #: Counts what is stored from now on, in the background; returns what is counted by now.
        self.begin_census = partial(self.activity.census.begin, blobs, catalog)
        self.disk = disk

    def entry(self, name: str) -> Entry:
        """Returns version, digest and sizes of a file.

        Raises :class:`~filetracker.errors.NotFound` and :class:`~filetracker.errors.InvalidName`.
        """
        check_stored_name(name)
        entry = self._catalog.entry(name)
        if entry is None:
            raise NotFound(name)
        return entry

    def open(self, name: str) -> tuple[Entry, BinaryIO]:
        """Returns what :meth:`entry` does, and the gzip bytes of that very version.

        The caller closes the file, and can read it to its end whatever happens to the name. Raises
        what :meth:`entry` does, and :class:`~filetracker.errors.Damaged` if there is no good blob.
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
        with reporting_disk():
            self._check_room()
            return Upload(
                self._blobs.spool(),
                gzipped,
                digest,
                size,
                limit,
                self._check_room,
                self._compression,
            )

    def put(
        self, name: str, version: int, upload: Upload, condition: Condition = unconditionally
    ) -> int:
        """Stores what was uploaded; it is durable on return.

        Returns the version that the name has now: ``version``, or the newer one that stays. May
        close the upload. Raises what ``condition`` does, :class:`~filetracker.errors.BadUpload`,
        ``InvalidName``, ``NameConflict`` and ``StoreFull``; then nothing is changed.
        """
        check_stored_name(name)
        check_version(version)
        with reporting_disk():
            digest = upload.finish()
            with self.shelf.changing(name), self._catalog.intent(name, digest):
                named = False
                try:
                    result = self._name(name, version, digest, upload, condition)
                    named = result.version == version
                    if not named:
                        condition(self._catalog.entry(name))
                finally:
                    # A collection opens a file, and many may wait for theirs at a time.
                    upload.close()
                    if not named:
                        self._collect(digest)
                if result.freed:
                    self._collect(result.freed)
            return result.version

    def delete(self, name: str, version: int, condition: Condition = unconditionally) -> int | None:
        """Removes a file, unless it is newer than ``version``; durable on return.

        Returns the newer version that stays, if any. Raises as :meth:`entry` and ``condition`` do.
        """
        return self._remove(name, partial(self._catalog.delete, name, version, condition))

    def bury(self, name: str, version: int, condition: Condition = unconditionally) -> int | None:
        """Removes a file as :meth:`delete` does, and remembers that; durable on return.

        So with a name that is not there, unless it was buried before.
        """
        return self._remove(name, partial(self._catalog.bury, name, version, condition))

    def buried_version(self, name: str) -> int | None:
        """Returns the version with which a file was buried, ``None`` if it never was."""
        return self._catalog.buried_version(name)

    def is_known(self, name: str) -> bool:
        """Returns whether there is a file of that name, or one was ever buried."""
        return self._catalog.entry(name) is not None or self.buried_version(name) is not None

    def pages(self, directory: str, cutoff: int | None = None) -> Iterator[list[str]]:
        """Yields what :meth:`lines` does in lists, which may be empty."""
        return (some.decode().split('\n')[:-1] for some in self.lines(directory, cutoff))

    def lines(self, directory: str, cutoff: int | None = None) -> Iterator[bytes]:
        """Yields the names below a directory (``''``: all), relative to it, sorted by their UTF-8.

        Some at a time, maybe none, each with a newline behind it. With ``cutoff`` only those whose
        version is not newer. A name that is there all the time, unchanged, comes exactly once.
        Raises as :meth:`entry`, at first if nothing is below the directory; the root always is.
        """
        return lines(self._catalog, directory, cutoff)

    def survey(self, directory: str, see: See) -> None:
        """Calls ``see`` with all names below a directory and their entries, a page at a time.

        ``directory`` is ``''`` for all; the names are whole. The last page is empty. ``see`` must
        not wait: each change was made, and its condition asked, before it runs or after.
        """
        survey(self._catalog, directory, see)

    def check_ready(self) -> None:
        """Raises an error of ours, or ``OSError``, where nothing could be stored just now."""
        self._check_room()
        # Not answered where the database cannot be written.
        self._catalog.survey('', '', 1, lambda page: None)
        if self.disk and not self.disk.takes_changes():
            raise Busy('the disk of the store takes no changes now; files can be read')

    def distrust(self, name: str, digest: str) -> None:
        """Reports that what :meth:`open` returned for a name is damaged.

        It is logged, and the next upload of the same content replaces it.
        """
        logger.error('the blob %s of %s is damaged', digest, name)
        self.activity.damaged += 1
        # Other names may have the same content, and the disk may take no mark.
        self.shelf.clear()
        try:
            self._blobs.distrust(digest)
        except OSError as error:
            logger.warning('cannot mark the blob %s: %s', digest, error)

    def close(self) -> None:
        """Releases the store; it may be called twice."""
        self.shelf.clear()
        self._catalog.close()

    def finish_unfinished(self) -> None:
        """Removes the blobs that the death of the process left without a name.

        What cannot be done, because the disk is full, is left for the next start.
        """
        for digest, forget in self._catalog.unfinished():
            if self._collect(digest):
                forget()

    def _remove(self, name: str, remove: Callable[[], Delete]) -> int | None:
        check_stored_name(name)
        with reporting_disk(), self.shelf.changing(name):
            result = remove()
            if not result.found:
                raise NotFound(name)
            if result.freed:
                self._collect(result.freed)
            return result.kept

    def _name(
        self, name: str, version: int, digest: str, upload: Upload, condition: Condition
    ) -> Put:
        while True:
            stored_size = self._blobs.add(digest, upload.file)
            entry = Entry(version, digest, upload.size, stored_size)
            has_blob = partial(self._has_blob, digest, stored_size, condition)
            result = self._catalog.put(name, entry, has_blob)
            # A collection may have come between, and then even another stream of the same content.
            if not result.blob_is_missing:
                return result

    def _has_blob(
        self, digest: str, stored_size: int, condition: Condition, entry: Entry | None
    ) -> bool:
        condition(entry)
        return self._blobs.stored_size(digest) == stored_size

    def _held(self, digest: str) -> contextlib.AbstractContextManager[object]:
        with contextlib.suppress(OSError):
            return self._blobs.open(digest)
        return contextlib.nullcontext()

    def _open_blob(self, entry: Entry) -> BinaryIO | None:
        with contextlib.suppress(FileNotFoundError):
            return self._blobs.open(entry.digest)
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
            self.distrust(name, entry.digest)
            raise Damaged(name)
        blob.seek(0)
        return entry._replace(size=size, stored_size=stored_size), blob

    def _collect(self, digest: str) -> bool:
        """Removes the blob if it has no name; returns whether it could."""
        try:
            # The last to let go of a large file has to wait for its room to be freed. That must
            # not be the thread that makes all changes.
            with self._held(digest):
                self._catalog.collect(digest, self._blobs.remove)
        except (FiletrackerError, OSError) as error:
            # What was asked for is done; the catalogue remembers what is left for the next start.
            logger.warning('cannot remove the blob %s: %s', digest, error)
            return False
        return True
