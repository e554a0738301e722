"""Stores in a directory: how the parts are put together, and the class that callers know."""

from __future__ import annotations

import os
import weakref
from typing import BinaryIO

from filetracker.errors import BadUpload, StoreUnusable
from filetracker.gz import DEFAULT_COMPRESSION
from filetracker.protocol import parse_digest, parse_size
from filetracker.servers.storage import bdb
from filetracker.servers.storage.activity import Activity
from filetracker.servers.storage.blobs_directory import DirectoryBlobStore
from filetracker.servers.storage.catalog_berkeleydb import BerkeleyCatalog
from filetracker.servers.storage.core import Storage
from filetracker.servers.storage.disk import Disk
from filetracker.servers.storage.environments import acquire_environment
from filetracker.servers.storage.intents import Intents
from filetracker.servers.storage.links import Links
from filetracker.servers.storage.shelf import Shelf
from filetracker.servers.storage.spool import empty_spool
from filetracker.servers.storage.takeover import take_over
from filetracker.utils import mkdir

_PIECE = 1 << 18

# Whoever opens the same store has to know of the changes that others make.
_shelves: weakref.WeakKeyDictionary[bdb.Environment, Shelf] = weakref.WeakKeyDictionary()
_activities: weakref.WeakKeyDictionary[bdb.Environment, Activity] = weakref.WeakKeyDictionary()


def open_storage(base_dir: str, compression: str = DEFAULT_COMPRESSION) -> Storage:
    """Opens the store in ``base_dir``, which is made if it is not there.

    Several in one process share the directory, another process cannot open it meanwhile. What a
    crash left behind is cleared away, and a store of filetracker 2.3.3 is taken over. What comes in
    plain is compressed for ``compression``, one of :data:`~filetracker.gz.COMPRESSIONS`. Raises
    :class:`~filetracker.errors.StoreInUse` and :class:`~filetracker.errors.StoreUnusable`.
    """
    return _open(base_dir, compression)[0]


def _open(base_dir: str, compression: str = DEFAULT_COMPRESSION) -> tuple[Storage, bdb.Database]:
    spool = os.path.join(base_dir, 'spool')
    blobs_dir = os.path.join(base_dir, 'blobs')
    links_dir = os.path.join(base_dir, 'links')
    try:
        for directory in (base_dir, spool, blobs_dir, links_dir):
            mkdir(directory)
        blobs = DirectoryBlobStore(blobs_dir, spool)
        links = Links(links_dir, spool, os.path.join(base_dir, 'lost+found'))
        intents = Intents(os.path.join(base_dir, 'db'))

        def prepare(environment: bdb.Environment) -> None:
            take_over(environment, links, blobs)
            Storage(blobs, BerkeleyCatalog(environment, links, intents)).finish_unfinished()
            intents.tidy()
            empty_spool(spool)

        environment = acquire_environment(base_dir, prepare)
    except OSError as error:
        raise StoreUnusable(
            'cannot use %s as a store: %s' % (base_dir, error.strerror or error)
        ) from error
    catalog = BerkeleyCatalog(environment, links, intents)
    catalog.activity = _activity_of(environment)
    blobs.synced = catalog.activity.content_was_synced
    disk = Disk(base_dir)
    storage = Storage(
        blobs,
        catalog,
        disk.check_room,
        compression,
        _shelves.setdefault(environment, Shelf()),
        disk,
    )
    return storage, environment.metadata


def _activity_of(environment: bdb.Environment) -> Activity:
    activity = _activities.get(environment)
    if activity is None:
        # What is kept for the environment must not keep the environment.
        waiting = weakref.WeakMethod(environment.commits.waiting)
        activity = _activities.setdefault(environment, Activity(lambda: (waiting() or int)()))
        environment.log.synced = activity.log_was_synced
    return activity


class FileStorage:
    """The store in ``base_dir``, for callers in the same process.

    Names have no leading slash and no version. ``links_dir`` and ``blobs_dir`` are its
    directories, ``db`` is the database ``metadata`` (``get`` and ``put`` of bytes), ``storage``
    what :func:`open_storage` returns; it raises as that does. Closed with :meth:`close` or when
    it is collected.
    """

    def __init__(self, base_dir: str) -> None:
        self.base_dir = base_dir
        self.links_dir = os.path.join(base_dir, 'links')
        self.blobs_dir = os.path.join(base_dir, 'blobs')
        self.storage, self.db = _open(base_dir)
        self._finalizer = weakref.finalize(self, self.storage.close)

    def store(
        self,
        name: str,
        data: BinaryIO,
        version: int,
        size: int = 0,
        compressed: bool = False,
        digest: str | None = None,
        logical_size: int | str | None = None,
    ) -> int:
        """Stores what can be read from ``data``; durable on return.

        ``size`` is the number of bytes to read; 0 means to the end. ``compressed`` says whether
        they are gzip. ``digest`` (hex) and ``logical_size`` are those of the plain bytes; they
        are checked. Returns the version that the name has now, which may be a newer one. Raises
        as :meth:`Storage.put` does.
        """
        try:
            digest = None if digest is None else parse_digest(digest)
            plain_size = None if logical_size is None else parse_size(str(logical_size))
        except ValueError as error:
            raise BadUpload(str(error)) from None
        with self.storage.upload(compressed, digest, plain_size) as upload:
            left = size
            while chunk := data.read(min(left, _PIECE) if size else _PIECE):
                upload.write(chunk)
                left -= len(chunk)
                if size and not left:
                    break
            if size and left:
                raise BadUpload('%d bytes are missing of the announced %d' % (left, size))
            return self.storage.put(name, int(version), upload)

    def delete(self, name: str, version: int) -> bool:
        """Removes a file unless it is newer; returns whether it did. Raises ``NotFound``."""
        return self.storage.delete(name, int(version)) is None

    def stored_version(self, name: str) -> int | None:
        """Returns the version of a file, ``None`` if there is none."""
        try:
            return self.storage.entry(name).version
        except FileNotFoundError:
            return None

    def logical_size(self, name: str) -> int:
        """Returns the number of plain bytes of a file. Raises ``NotFound``."""
        return self.storage.entry(name).size

    def close(self) -> None:
        """Closes the store; it may be called twice."""
        self._finalizer()
