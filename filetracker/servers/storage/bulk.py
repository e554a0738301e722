"""The databases as a whole: all names in order, many changes at once, counts from the beginning.

For those who have the store for themselves: the start, ``filetracker-recover``, copies.
"""

from __future__ import annotations

import collections
import itertools
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import NamedTuple, TypeVar

import six

from filetracker.errors import StoreUnusable
from filetracker.servers.storage import bdb
from filetracker.servers.storage.interfaces import Entry
from filetracker.servers.storage.records import (
    BEHIND,
    FIRST_NAME,
    decode_entry,
    encode_entry,
    metadata_keys,
    name_key,
)
from filetracker.servers.storage.stretches import stretches_of

T = TypeVar('T')

# Sorts in front of every name. Without it, `names` was never filled to the end.
_FORMAT_KEY = b'\0format'
_FORMAT = b'1'
_BATCH = 1000


class Change(NamedTuple):
    """A record of ``names``: ``old`` goes, ``new`` comes; ``None`` where there is none."""

    name: str
    old: Entry | None
    new: Entry | None


def is_complete(environment: bdb.Environment) -> bool:
    """Returns whether ``names`` was filled to the end.

    Raises :class:`~filetracker.errors.StoreUnusable` if its format is of a later filetracker.
    """
    found = environment.read(lambda: environment.names.get(_FORMAT_KEY))
    if found not in (None, _FORMAT):
        raise StoreUnusable('the store was written by a later version of filetracker')
    return found is not None


def mark_complete(environment: bdb.Environment) -> None:
    """Says so, durably."""
    environment.transact(
        lambda transaction: environment.names.put(_FORMAT_KEY, _FORMAT, transaction)
    )


def pages(environment: bdb.Environment, after: str = '') -> Iterator[list[tuple[str, Entry]]]:
    """Yields all names behind ``after`` in order, in lists that are not empty.

    Between two lists ``names`` may be changed. Raises ``ValueError`` for a record that is none.
    """
    start = six.ensure_binary(after) + BEHIND if after else FIRST_NAME
    while page := environment.names_from(start, _BATCH):
        # A name that is overwritten while the cursor stands on it is there twice.
        yield list(dict(decode_entry(*record) for record in page).items())
        start = page[-1][0] + b'\0'


def find(environment: bdb.Environment, name: str) -> Entry | None:
    """Returns what ``names`` says of a name."""
    key = six.ensure_binary(name) + b'\0'
    for record in environment.names_from(key, 1):
        if record[0].startswith(key):
            return decode_entry(*record)[1]
    return None


def has(environment: bdb.Environment, name: str, version: int) -> bool:
    """Returns whether ``names`` has a name in this very version."""
    key = name_key(name, version)
    return bool(environment.read(lambda: environment.names.has_key(key)))


def apply(environment: bdb.Environment, changes: list[Change]) -> None:
    """Makes some changes in ``names``, of at most a thousand names, durably."""
    if changes:
        environment.transact(partial(_apply, environment, changes))


def _apply(
    environment: bdb.Environment, changes: list[Change], transaction: bdb.Transaction
) -> None:
    known = stretches_of(environment)
    for name, old, new in changes:
        if old and environment.names.has_key(name_key(name, old.version), transaction):
            environment.names.delete(name_key(name, old.version), transaction)
        if new:
            environment.names.put(name_key(name, new.version), encode_entry(new), transaction)
        known.change(six.ensure_binary(name))


def plain_size(environment: bdb.Environment, digest: str) -> int | None:
    """Returns what ``metadata`` says of the size of a content."""
    said = environment.metadata.get(metadata_keys(digest)[1], b'')
    return int(said) if said.isdigit() else None


def count(environment: bdb.Environment, digest: str) -> int:
    """Returns what ``metadata`` says of the number of names of a content."""
    said = environment.metadata.get(metadata_keys(digest)[0], b'')
    return int(said) if said.isdigit() else 0


def set_sizes(environment: bdb.Environment, sizes: Iterable[tuple[str, int]]) -> None:
    """Writes the sizes of contents into ``metadata``."""
    _put(environment, ((metadata_keys(digest)[1], size) for digest, size in sizes))


class Counts:
    """How many names each content has, in memory: some 150 bytes for each content."""

    def __init__(self) -> None:
        self._counts: collections.Counter[bytes | str] = collections.Counter()

    def add(self, digest: str) -> bool:
        """Counts a name; returns whether it is the first."""
        key = _packed(digest)
        self._counts[key] += 1
        return self._counts[key] == 1

    def __contains__(self, digest: str) -> bool:
        return _packed(digest) in self._counts

    def __len__(self) -> int:
        return len(self._counts)

    def of(self, digest: str) -> int:
        return self._counts.get(_packed(digest), 0)

    def items(self) -> Iterator[tuple[str, int]]:
        for key, count in self._counts.items():
            yield _unpacked(key), count


def _packed(digest: str) -> bytes | str:
    """Returns a digest in half the room; odd ones, which 2.3.3 may have left, as they are."""
    if len(digest) != 64:
        return digest
    try:
        packed = bytes.fromhex(digest)
    except ValueError:
        return digest
    return packed if packed.hex() == digest else digest


def _unpacked(key: bytes | str) -> str:
    return key.hex() if isinstance(key, bytes) else key


def set_counts(environment: bdb.Environment, counts: Counts) -> int:
    """Makes ``metadata`` hold these counts and no others; returns how many were not right.

    What it says of the sizes of these contents stays, the rest goes.
    """
    wrong: dict[str, int] = {}
    useless = []
    right = 0
    for key, value in records(environment.metadata):
        digest, colon, _ = six.ensure_str(key, errors='replace').partition(':')
        count = counts.of(digest)
        if not count:
            useless.append(key)
        elif not colon and value != b'%d' % count:
            wrong[digest] = count
        elif not colon:
            right += 1
    if right + len(wrong) < len(counts):
        for digest, count in counts.items():
            if not environment.metadata.has_key(metadata_keys(digest)[0]):
                wrong[digest] = count
    _put(environment, ((metadata_keys(digest)[0], count) for digest, count in wrong.items()))
    for keys in batches(useless):
        environment.transact(partial(_delete, environment.metadata, keys))
    return len(wrong) + len(useless)


class Totals(NamedTuple):
    """How much there is: names and their plain bytes, contents and their stored bytes."""

    names: int
    size: int
    contents: int
    stored_size: int

    def __str__(self) -> str:
        return '%d names of %d bytes, %d contents stored in %d bytes' % self


def recount(
    environment: bdb.Environment, more: Iterable[str], step: Callable[[int], object]
) -> Totals:
    """Makes ``metadata`` what ``names`` say, and one more for each of the digests in ``more``."""
    counts = Counts()
    names = size = stored_size = 0
    for page in pages(environment):
        first = [entry for _, entry in page if counts.add(entry.digest)]
        wrong = [entry for entry in first if plain_size(environment, entry.digest) != entry.size]
        set_sizes(environment, [(entry.digest, entry.size) for entry in wrong])
        names += len(page)
        size += sum(entry.size for _, entry in page)
        stored_size += sum(entry.stored_size for entry in first)
        step(len(page))
    totals = Totals(names, size, len(counts), stored_size)
    for digest in more:
        counts.add(digest)
    set_counts(environment, counts)
    return totals


def records(database: bdb.Database) -> Iterator[tuple[bytes, bytes]]:
    """Yields all records of a database that nobody changes meanwhile."""
    cursor = database.cursor()
    try:
        record = cursor.first()
        while record:
            yield record
            record = cursor.next()
    finally:
        cursor.close()


def batches(things: Iterable[T]) -> Iterator[list[T]]:
    """Yields things in lists of a thousand, and the rest."""
    rest = iter(things)
    while batch := list(itertools.islice(rest, _BATCH)):
        yield batch


def _put(environment: bdb.Environment, numbers: Iterable[tuple[bytes, int]]) -> None:
    for batch in batches(numbers):
        environment.transact(partial(_put_batch, environment.metadata, batch))


def _put_batch(
    database: bdb.Database, batch: list[tuple[bytes, int]], transaction: bdb.Transaction
) -> None:
    for key, number in batch:
        database.put(key, b'%d' % number, transaction)


def _delete(database: bdb.Database, keys: list[bytes], transaction: bdb.Transaction) -> None:
    for key in keys:
        database.delete(key, transaction)
