"""What the shim recorded: each change of the disk, in the order in which it happened."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from typing import NamedTuple

# As in shim.c.
_HEADER = struct.Struct('=QqIIII')


class Event(NamedTuple):
    """A change, a sync (``s`` when it starts, ``S`` when it has ended) or a mark (``!``).

    ``kind`` is the letter that shim.c writes.
    """

    kind: str
    inode: int
    number: int
    first: bytes
    second: bytes
    third: bytes


def read_events(path: str | os.PathLike[str]) -> Iterator[Event]:
    """Yields what was recorded in a file."""
    with open(path, 'rb') as file:
        while header := file.read(_HEADER.size):
            inode, number, kind, *lengths = _HEADER.unpack(header)
            first, second, third = (file.read(length) for length in lengths)
            yield Event(chr(kind), inode, number, first, second, third)
