"""The catalogue in Berkeley DB, with its mirror in ``links/``.

``names`` (B-tree) is the truth. Its keys sort by name, then by version::

    name in UTF-8, NUL, version + 2**63 as 8 bytes, big-endian -> b'<digest> <size> <stored size>'

``metadata`` (hash) is what filetracker 2.3.3 keeps::

    <digest> -> number of names         <digest>:logical_size -> number of plain bytes

Both change in one transaction. The mirror changes inside it, before the commit; whatever a crash
could leave behind is noted first (:class:`~filetracker.servers.storage.links.Intents`).
"""

from __future__ import annotations

import contextlib
import logging
import struct
from collections.abc import Callable, Iterator
from functools import partial

import six

from filetracker.errors import Busy, FiletrackerError, NameConflict, StoreUnusable
from filetracker.servers.storage import bdb
from filetracker.servers.storage.environments import release_environment
from filetracker.servers.storage.interfaces import Catalog, Delete, Entry, Put
from filetracker.servers.storage.links import Intents, Links

logger = logging.getLogger(__name__)

_VERSION = struct.Struct('>Q')
_VERSION_BIAS = 2**63
# In front of every name: no name contains a control character.
FIRST_NAME = b'\x20'
# Sorts behind every version of a name, and before the name with anything behind it.
BEHIND = b'\0' + b'\xff' * 9


class BerkeleyCatalog(Catalog):
    """The catalogue of the store that ``environment`` belongs to."""

    def __init__(self, environment: bdb.Environment, links: Links, intents: Intents) -> None:
        self._environment = environment
        self._links = links
        self._intents = intents
        self._metadata = environment.metadata
        self._names = environment.names
        self._notes: dict[str, list[bytes]] = {}
        # Contents whose collection failed; their notes stay.
        self._uncollected: set[str] = set()
        self._closed = False

    @contextlib.contextmanager
    def intent(self, name: str, digest: str) -> Iterator[None]:
        note = self._intents.record(name, digest)
        try:
            yield
        except StoreUnusable:
            # Nobody knows what is durable; the next start will.
            raise
        except BaseException:
            self._settle(digest, note)
            raise
        self._settle(digest, note)

    @contextlib.contextmanager
    def _mirrored(self, name: str, digest: str | None = None) -> Iterator[None]:
        """Sets the mirror right where a transaction fails that may have changed it already."""
        try:
            yield
        except (OSError, Busy):
            try:
                self._environment.alone(partial(self._mirror, name))
            except (FiletrackerError, OSError) as error:
                logger.warning('the link of %s may be wrong until the next start: %s', name, error)
                if digest:
                    self._uncollected.add(digest)
            raise

    def _settle(self, digest: str, note: bytes) -> None:
        if digest in self._uncollected:
            self._notes.setdefault(digest, []).append(note)
        else:
            self._intents.forget(note)

    def unfinished(self) -> Iterator[tuple[str, Callable[[], None]]]:
        for note, name, digest in self._intents.pending():
            self._environment.transact(partial(self._mirror, name))
            yield digest, partial(self._intents.forget, note)

    def entry(self, name: str) -> Entry | None:
        return self._environment.read(partial(newest, self._names, name, None))

    def put(self, name: str, entry: Entry, has_blob: Callable[[str], bool]) -> Put:
        with self._mirrored(name, entry.digest):
            result, note = self._environment.transact(
                lambda transaction: self._put(transaction, name, entry, has_blob)
            )
        self._keep(result.freed, note)
        return result

    def _put(
        self,
        transaction: bdb.Transaction,
        name: str,
        entry: Entry,
        has_blob: Callable[[str], bool],
    ) -> tuple[Put, bytes | None]:
        old = self._newest(transaction, name)
        if old and old.version > entry.version:
            return Put(old.version), None
        if not old:
            self._check_conflicts(transaction, name)
        if not has_blob(entry.digest):
            return Put(entry.version, blob_is_missing=True), None
        freed = None
        if old:
            self._names.delete(name_key(name, old.version), transaction)
        if not old or old.digest != entry.digest:
            self._add_name(transaction, entry)
            freed = old and self._remove_name(transaction, old.digest)
        self._names.put(name_key(name, entry.version), encode_entry(entry), transaction)
        with self._noted(name, freed) as note:
            self._links.set(name, entry.digest, entry.version)
        return Put(entry.version, freed), note

    def delete(self, name: str, version: int) -> Delete:
        with self._mirrored(name):
            result, note = self._environment.transact(
                lambda transaction: self._delete(transaction, name, version)
            )
        self._keep(result.freed, note)
        return result

    def _delete(
        self, transaction: bdb.Transaction, name: str, version: int
    ) -> tuple[Delete, bytes | None]:
        old = self._newest(transaction, name)
        if not old:
            return Delete(found=False), None
        if old.version > version:
            return Delete(found=True, kept=old.version), None
        self._names.delete(name_key(name, old.version), transaction)
        freed = self._remove_name(transaction, old.digest)
        with self._noted(name, old.digest) as note:
            self._links.remove(name)
        return Delete(found=True, freed=freed), note

    @contextlib.contextmanager
    def _noted(self, name: str, digest: str | None) -> Iterator[bytes | None]:
        note = self._intents.record(name, digest) if digest else None
        try:
            yield note
        except BaseException:
            if note:
                self._intents.forget(note)
            raise

    def _keep(self, freed: str | None, note: bytes | None) -> None:
        if freed and note:
            self._notes.setdefault(freed, []).append(note)
        elif note:
            self._intents.forget(note)

    def names(self, directory: str, after: str, limit: int) -> list[tuple[str, int]]:
        prefix = six.ensure_binary(directory)
        start = six.ensure_binary(after) + BEHIND if after else prefix or FIRST_NAME
        result: list[tuple[str, int]] = []
        for key, value in self._environment.read(lambda: bdb.range_from(self._names, start, limit)):
            if not key.startswith(prefix):
                break
            name, entry = decode_entry(key, value)
            if result and result[-1][0] == name:
                # It was overwritten while the cursor stood on it.
                result.pop()
            result.append((name, entry.version))
        return result

    def count(self, digest: str) -> int:
        return self._environment.read(lambda: self._count(None, digest))

    def collect(self, digest: str, remove: Callable[[str], None]) -> bool:
        notes = self._notes.pop(digest, [])

        def collect(transaction: bdb.Transaction) -> bool:
            if self._count(transaction, digest):
                return False
            # What took the last name away must not be undone by a crash behind this.
            self._environment.flush()
            remove(digest)
            return True

        try:
            removed = self._environment.alone(collect)
        except BaseException:
            self._uncollected.add(digest)
            self._notes.setdefault(digest, []).extend(notes)
            raise
        self._uncollected.discard(digest)
        for note in notes:
            self._intents.forget(note)
        return removed

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            release_environment(self._environment)

    def _newest(self, transaction: bdb.Transaction, name: str) -> Entry | None:
        return newest(self._names, name, transaction)

    def _check_conflicts(self, transaction: bdb.Transaction, name: str) -> None:
        slash = name.find('/')
        while slash != -1:
            parent = name[:slash]
            if self._newest(transaction, parent):
                raise NameConflict(name, parent)
            slash = name.find('/', slash + 1)
        below = six.ensure_binary(name) + b'/'
        record = bdb.first_from(self._names, below, transaction)
        if record and record[0].startswith(below):
            raise NameConflict(name, decode_entry(*record)[0])

    def _count(self, transaction: bdb.Transaction, digest: str) -> int:
        return int(self._metadata.get(six.ensure_binary(digest), b'0', transaction))

    def _add_name(self, transaction: bdb.Transaction, entry: Entry) -> None:
        set_count(
            self._metadata,
            transaction,
            entry.digest,
            self._count(transaction, entry.digest) + 1,
            entry.size,
        )

    def _remove_name(self, transaction: bdb.Transaction, digest: str) -> str | None:
        """Takes one name from the count; returns the digest if it was the last."""
        count = self._count(transaction, digest)
        if count > 1:
            self._metadata.put(six.ensure_binary(digest), b'%d' % (count - 1), transaction)
            return None
        for key in metadata_keys(digest):
            if self._metadata.has_key(key, transaction):
                self._metadata.delete(key, transaction)
        return digest

    def _mirror(self, name: str, transaction: bdb.Transaction) -> None:
        entry = self._newest(transaction, name)
        if entry:
            self._links.set(name, entry.digest, entry.version)
        else:
            self._links.remove(name)


def newest(names: bdb.Database, name: str, transaction: bdb.Transaction) -> Entry | None:
    """Returns the entry of a name, inside a transaction, ``None`` if it has none."""
    key = _name_key(name)
    record = bdb.first_from(names, key, transaction)
    if record and record[0].startswith(key):
        return decode_entry(*record)[1]
    return None


def name_key(name: str, version: int) -> bytes:
    """Returns the key of a name and version in ``names``."""
    return _name_key(name) + _VERSION.pack(version + _VERSION_BIAS)


def encode_entry(entry: Entry) -> bytes:
    """Returns the value in ``names``."""
    return six.ensure_binary('%s %d %d' % (entry.digest, entry.size, entry.stored_size))


def decode_entry(key: bytes, value: bytes) -> tuple[str, Entry]:
    """Returns name and entry of a record of ``names``."""
    digest, size, stored_size = six.ensure_str(value).split(' ')
    (version,) = _VERSION.unpack(key[-_VERSION.size :])
    name = six.ensure_str(key[: -_VERSION.size - 1])
    return name, Entry(version - _VERSION_BIAS, digest, int(size), int(stored_size))


def set_count(
    metadata: bdb.Database, transaction: bdb.Transaction, digest: str, count: int, size: int
) -> None:
    """Writes the records of a content in ``metadata``: how many names, how many plain bytes."""
    count_key, size_key = metadata_keys(digest)
    metadata.put(count_key, b'%d' % count, transaction)
    metadata.put(size_key, b'%d' % size, transaction)


def _name_key(name: str) -> bytes:
    return six.ensure_binary(name) + b'\0'


def metadata_keys(digest: str) -> tuple[bytes, bytes]:
    """Returns the keys in ``metadata`` of a content: its count, its plain bytes."""
    return six.ensure_binary(digest), six.ensure_binary('%s:logical_size' % digest)
