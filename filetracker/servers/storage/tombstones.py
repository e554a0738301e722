"""Tombstones: what is remembered of names that were buried, in ``names``, inside a transaction."""

from __future__ import annotations

import six

from filetracker.servers.storage import bdb
from filetracker.servers.storage.records import tombstone_key


def buried_version(names: bdb.Database, name: str, transaction: bdb.Transaction) -> int | None:
    """Returns the newest version with which a name was buried, ``None`` if it never was."""
    version = names.get(tombstone_key(name), None, transaction)
    return None if version is None else int(six.ensure_str(version))


def bury(names: bdb.Database, name: str, version: int, transaction: bdb.Transaction) -> bool:
    """Remembers that a name was buried; returns whether it is the first time."""
    before = buried_version(names, name, transaction)
    if before is None or before < version:
        names.put(tombstone_key(name), b'%d' % version, transaction)
    return before is None
