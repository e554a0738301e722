"""The records of the databases: how names, versions and contents are written.

``names`` (B-tree) sorts by name, then by version::

    name in UTF-8, NUL, version + 2**63 as 8 bytes, big-endian -> b'<digest> <size> <stored size>'

In front of all names are the tombstones of names that were buried::

    NUL, b'deleted', NUL, name in UTF-8 -> version of the delete, decimal

``metadata`` (hash) is what filetracker 2.3.3 keeps::

    <digest> -> number of names         <digest>:logical_size -> number of plain bytes
"""

from __future__ import annotations

import struct

import six

from filetracker.servers.storage import bdb
from filetracker.servers.storage.interfaces import Entry, Page
from filetracker.servers.storage.neighbours import Record, first_from

_VERSION = struct.Struct('>Q')
_VERSION_BIAS = 2**63
_NAME_END = -_VERSION.size - 1
# In front of every name: no name contains a control character.
FIRST_NAME = b'\x20'
# Sorts behind every version of a name, and before the name with anything behind it.
BEHIND = b'\0' + b'\xff' * 9


def first_key(name: str) -> bytes:
    """Returns what the keys of a name in ``names`` start with, and those of no other."""
    return six.ensure_binary(name) + b'\0'


def newest(names: bdb.Database, name: str, transaction: bdb.Transaction) -> Entry | None:
    """Returns the entry of a name, inside a transaction, ``None`` if it has none."""
    key = first_key(name)
    record = first_from(names, key, transaction)
    if record and record[0].startswith(key):
        return decode_entry(*record)[1]
    return None


def entries_in(records: list[Record]) -> list[tuple[str, Entry]]:
    """Returns names and their entries."""
    # A name that was overwritten while a cursor stood on it is there twice.
    return list(dict(decode_entry(*record) for record in records).items())


def names_in(records: list[Record], start: int = 0) -> list[bytes]:
    """Returns the names of records, without their first ``start`` bytes."""
    # A name that was overwritten while a cursor stood on it is there twice.
    return list(dict.fromkeys([key[start:_NAME_END] for key, _ in records]))


def page_of(records: list[Record], limit: int, start: int, cutoff: int | None) -> Page:
    """Returns names without their first ``start`` bytes, of up to ``limit`` records."""
    if not records:
        return Page(b'', '', is_final=True)
    found = records
    if cutoff is not None:
        bound = _VERSION.pack(cutoff + _VERSION_BIAS)
        found = [record for record in records if record[0][-_VERSION.size :] <= bound]
    text = b'\n'.join([*names_in(found, start), b''])
    last = six.ensure_str(records[-1][0][:_NAME_END])
    return Page(text, last, is_final=len(records) < limit)


def name_key(name: str, version: int) -> bytes:
    """Returns the key of a name and version in ``names``."""
    return first_key(name) + _VERSION.pack(version + _VERSION_BIAS)


def encode_entry(entry: Entry) -> bytes:
    """Returns the value in ``names``."""
    return six.ensure_binary('%s %d %d' % (entry.digest, entry.size, entry.stored_size))


def decode_entry(key: bytes, value: bytes) -> tuple[str, Entry]:
    """Returns name and entry of a record of ``names``."""
    digest, size, stored_size = six.ensure_str(value).split(' ')
    (version,) = _VERSION.unpack(key[-_VERSION.size :])
    name = six.ensure_str(key[: -_VERSION.size - 1])
    return name, Entry(version - _VERSION_BIAS, digest, int(size), int(stored_size))


def tombstone_key(name: str) -> bytes:
    """Returns the key in ``names`` of the tombstone of a name."""
    return b'\0deleted\0' + six.ensure_binary(name)


def metadata_keys(digest: str) -> tuple[bytes, bytes]:
    """Returns the keys in ``metadata`` of a content: its count, its plain bytes."""
    return six.ensure_binary(digest), six.ensure_binary('%s:logical_size' % digest)


def set_count(
    metadata: bdb.Database, transaction: bdb.Transaction, digest: str, count: int, size: int
) -> None:
    """Writes the records of a content in ``metadata``: how many names, how many plain bytes."""
    count_key, size_key = metadata_keys(digest)
    metadata.put(count_key, b'%d' % count, transaction)
    metadata.put(size_key, b'%d' % size, transaction)


def sizes_of(metadata: bdb.Database, digests: list[str]) -> dict[str, int]:
    """Returns the plain bytes of those contents that have records."""
    sizes = {}
    for digest in digests:
        count_key, size_key = metadata_keys(digest)
        if int(metadata.get(count_key, b'0')) > 0:
            sizes[digest] = int(metadata.get(size_key, b'0'))
    return sizes
