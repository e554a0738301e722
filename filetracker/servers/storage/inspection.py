"""Looking into blobs: is the content what the name says, and how large is it?"""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Callable
from typing import BinaryIO, NamedTuple

from filetracker import gz

#: What the system says when a disk cannot read what is on it.
BROKEN_DISK = (errno.EIO, errno.EBADMSG, errno.EUCLEAN, errno.EREMOTEIO, errno.ENODATA)
_MAGIC = b'\x1f\x8b'
_TRAILER_SIZE = 4
# The shortest gzip file, of no bytes.
_SMALLEST = 20


class Verdict(NamedTuple):
    """What is in a blob: the SHA-256 and the number of its plain bytes.

    ``damage`` says, in words, why they cannot be read to their end; then they are ``''`` and 0.
    """

    digest: str
    size: int
    damage: str = ''


def inspect(blob: BinaryIO, pay: Callable[[int], object] = lambda size: None) -> Verdict:
    """Reads a blob to its end. ``pay`` is called now and then with how many bytes were read."""
    digest = hashlib.sha256()
    size = paid = 0
    blob.seek(0)
    try:
        for piece in gz.inflated(blob):
            digest.update(piece)
            size += len(piece)
            pay(blob.tell() - paid)
            paid = blob.tell()
    except gz.NotGzip as error:
        return Verdict('', 0, str(error))
    except OSError as error:
        if error.errno not in BROKEN_DISK:
            raise
        return Verdict('', 0, 'it cannot be read: %s' % error.strerror)
    return Verdict(digest.hexdigest(), size)


def looks_whole(blob: BinaryIO, stored_size: int, size: int) -> bool:
    """Compares a size with the last trailer of a gzip file: the size modulo 2**32 (RFC 1952).

    Reads next to nothing. Says no to most damaged files, and to whole ones of several members.
    """
    if stored_size < _SMALLEST:
        return False
    try:
        begin = os.pread(blob.fileno(), len(_MAGIC), 0)
        end = os.pread(blob.fileno(), _TRAILER_SIZE, stored_size - _TRAILER_SIZE)
    except OSError:
        return False
    return begin == _MAGIC and int.from_bytes(end, 'little') == size % 2**32
