"""Building ``names`` from ``links/``: for stores of filetracker 2.3.3, and when ``db/`` is lost."""

from __future__ import annotations

import collections
import itertools
import logging
import os
import re
from collections.abc import Iterator
from functools import partial
from typing import BinaryIO, TypeVar

import six

from filetracker.errors import InvalidName, StoreUnusable
from filetracker.protocol import check_stored_name, check_version
from filetracker.servers.storage import bdb
from filetracker.servers.storage.catalog_berkeleydb import (
    encode_entry,
    metadata_keys,
    name_key,
    set_count,
)
from filetracker.servers.storage.interfaces import BlobStore, Entry
from filetracker.servers.storage.links import Links
from filetracker.servers.storage.spool import inflated_size

logger = logging.getLogger(__name__)

T = TypeVar('T')

# Sorts in front of every name. Without it, `names` was never filled to the end.
_FORMAT_KEY = b'\0format'
_FORMAT = b'1'
_BATCH = 1000
# 2.3.3 believed any digest, so that blobs may be there under odd names.
_BLOB_NAME = re.compile(r'[!-~]+\Z')
_TRAILER_SIZE = 4


def take_over(environment: bdb.Environment, links: Links, blobs: BlobStore) -> None:
    """Fills ``names`` from the mirror if it never was filled, and sets all counts.

    Nothing is copied and no blob is touched. May die anywhere: then it starts over next time.
    Links without their blob and names that cannot be served are passed over, and logged. Raises
    :class:`~filetracker.errors.StoreUnusable` if the store has a format of a later filetracker.
    """
    found = environment.read(lambda: environment.names.get(_FORMAT_KEY))
    if found == _FORMAT:
        return
    if found is not None:
        raise StoreUnusable('the store was written by a later version of filetracker')
    environment.empty_names()
    entries = _Entries(environment, blobs)
    counts: collections.Counter[str] = collections.Counter()
    for batch in _batches(entries.of(links)):
        environment.transact(partial(_put_entries, environment, batch))
        counts.update(entry.digest for _, entry in batch)
    for keys in _batches(_metadata_keys_without_name(environment, counts)):
        environment.transact(partial(_delete_metadata, environment, keys))
    for digests in _batches(iter(counts.items())):
        environment.transact(partial(_set_counts, environment, digests, entries.sizes))
    environment.transact(
        lambda transaction: environment.names.put(_FORMAT_KEY, _FORMAT, transaction)
    )
    if counts or entries.passed_over:
        logger.info(
            'took over %d names with %d contents from links/, passed over %d',
            sum(counts.values()),
            len(counts),
            entries.passed_over,
        )


class _Entries:
    """Reads entries off the mirror, the blobs and what ``metadata`` says of them."""

    def __init__(self, environment: bdb.Environment, blobs: BlobStore) -> None:
        self._environment = environment
        self._blobs = blobs
        #: Digest to plain bytes and stored bytes.
        self.sizes: dict[str, tuple[int, int]] = {}
        self.passed_over = 0

    def of(self, links: Links) -> Iterator[tuple[str, Entry]]:
        for encoded, digest, version in links.walk():
            try:
                name = six.ensure_str(encoded)
                check_stored_name(name)
                check_version(version)
                size, stored_size = self._sizes_of(digest)
            except (UnicodeDecodeError, InvalidName) as error:
                logger.warning('passing over the link %r: %s', encoded, error)
                self.passed_over += 1
            except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
                logger.warning('passing over the link %s: its blob %s is missing', name, digest)
                self.passed_over += 1
            else:
                yield name, Entry(version, digest, size, stored_size)

    def _sizes_of(self, digest: str) -> tuple[int, int]:
        if not _BLOB_NAME.match(digest):
            raise InvalidName('it does not point to a blob')
        if digest not in self.sizes:
            with self._blobs.open(digest) as blob:
                self.sizes[digest] = self._measure(blob, digest)
        return self.sizes[digest]

    def _measure(self, blob: BinaryIO, digest: str) -> tuple[int, int]:
        stored_size = blob.seek(0, os.SEEK_END)
        said = self._environment.metadata.get(metadata_keys(digest)[1], b'')
        if said.isdigit() and _may_inflate_to(blob, stored_size, int(said)):
            return int(said), stored_size
        blob.seek(0)
        size = inflated_size(blob, digest)
        if size is None:
            logger.error('the blob %s is damaged', digest)
            # No blob has that size: whoever opens it looks again, and it may be good by then.
            return 0, 0
        return size, stored_size


def _may_inflate_to(blob: BinaryIO, stored_size: int, size: int) -> bool:
    """Compares a size with the last trailer of a gzip file: the size modulo 2**32 (RFC 1952).

    A file of several members, which is rare, is inflated for nothing.
    """
    if stored_size < _TRAILER_SIZE:
        return False
    blob.seek(-_TRAILER_SIZE, os.SEEK_END)
    return int.from_bytes(blob.read(_TRAILER_SIZE), 'little') == size % 2**32


def _metadata_keys_without_name(
    environment: bdb.Environment, counts: collections.Counter[str]
) -> Iterator[bytes]:
    for key in environment.read(environment.metadata.keys):
        if six.ensure_str(key).partition(':')[0] not in counts:
            yield key


def _put_entries(
    environment: bdb.Environment, batch: list[tuple[str, Entry]], transaction: bdb.Transaction
) -> None:
    for name, entry in batch:
        environment.names.put(name_key(name, entry.version), encode_entry(entry), transaction)


def _delete_metadata(
    environment: bdb.Environment, keys: list[bytes], transaction: bdb.Transaction
) -> None:
    for key in keys:
        environment.metadata.delete(key, transaction)


def _set_counts(
    environment: bdb.Environment,
    digests: list[tuple[str, int]],
    sizes: dict[str, tuple[int, int]],
    transaction: bdb.Transaction,
) -> None:
    for digest, count in digests:
        set_count(environment.metadata, transaction, digest, count, sizes[digest][0])


def _batches(things: Iterator[T]) -> Iterator[list[T]]:
    while batch := list(itertools.islice(things, _BATCH)):
        yield batch
