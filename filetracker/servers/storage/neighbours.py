"""Records of a B-tree beside a key, inside a transaction."""

from __future__ import annotations

import contextlib

from filetracker.servers.storage import bdb

Record = tuple[bytes, bytes]


def first_from(database: bdb.Database, key: bytes, transaction: bdb.Transaction) -> Record | None:
    """Returns the first record at or behind ``key``."""
    with contextlib.closing(database.cursor(transaction)) as cursor:
        record: Record | None = cursor.set_range(key)
        return record


def around(
    database: bdb.Database, key: bytes, transaction: bdb.Transaction
) -> tuple[Record | None, Record | None]:
    """Returns the last record before ``key``, and the first at or behind it."""
    with contextlib.closing(database.cursor(transaction)) as cursor:
        behind = cursor.set_range(key)
        return (cursor.prev() if behind else cursor.last()), behind
