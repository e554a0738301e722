"""Whether a name can be a file beside the names that there are."""

from __future__ import annotations

import six

from filetracker.errors import NameConflict
from filetracker.servers.storage import bdb
from filetracker.servers.storage.neighbours import Record, around, first_from


def check_conflicts(names: bdb.Database, name: str, transaction: bdb.Transaction) -> None:
    """Raises :class:`~filetracker.errors.NameConflict` if a name that is not there cannot be.

    That is, if a component of it is a file, or it is a directory.
    """
    key = six.ensure_binary(name)
    before, behind = around(names, key + b'\0', transaction)
    # What is a directory of a neighbour is no file; mostly that is all there is to see.
    known = max(_common_directory(key, before), _common_directory(key, behind))
    slash = key.find(b'/', known)
    while slash != -1:
        parent = key[:slash] + b'\0'
        record = first_from(names, parent, transaction)
        if record and record[0].startswith(parent):
            raise NameConflict(name, name_of(record))
        slash = key.find(b'/', slash + 1)
    below = key + b'/'
    if behind and behind[0] < below:
        behind = first_from(names, below, transaction)
    if behind and behind[0].startswith(below):
        raise NameConflict(name, name_of(behind))


def name_of(record: Record) -> str:
    """Returns the name of a record of ``names``."""
    return six.ensure_str(record[0].partition(b'\0')[0])


def _common_directory(key: bytes, neighbour: Record | None) -> int:
    """Returns the length of the deepest directory of both, with its slash; 0 if there is none."""
    slash = key.rfind(b'/') if neighbour else -1
    while neighbour and slash != -1 and not neighbour[0].startswith(key[: slash + 1]):
        slash = key.rfind(b'/', 0, slash)
    return slash + 1
