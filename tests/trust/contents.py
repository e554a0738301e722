"""Files whose bytes are known, so that any answer can be judged."""

from __future__ import annotations

import functools
import gzip
import hashlib
import random
from email.utils import mktime_tz, parsedate_tz
from typing import NamedTuple

#: Mostly small; the last takes more than one piece of the server's buffers.
_SIZES = (0, 40, 700, 3_000, 20_000, 20_000, 70_000, 700_000)


class Torn(Exception):
    """An answer that is no whole file, or whose headers do not belong to its bytes."""


class Content(NamedTuple):
    """A file in all that an upload says of it."""

    plain: bytes
    gzipped: bytes
    digest: str


@functools.lru_cache(maxsize=2000)
def content(key: str, size: int | None = None) -> Content:
    """Returns the content that a key stands for; it begins with the key.

    Of a size that depends on the key, or with ``size`` bytes behind the key.
    """
    noise = random.Random(key)
    plain = key.encode() + b'\n' + noise.randbytes(noise.choice(_SIZES) if size is None else size)
    return Content(plain, gzip.compress(plain, 1, mtime=0), hashlib.sha256(plain).hexdigest())


def of_version(name: str, version: int) -> Content:
    """Returns the content that a name has in a version, where one follows from the other."""
    return content('%s@%d' % (name, version))


def version_of(headers: dict[str, str]) -> int:
    """Returns the version that an answer tells of. Raises :class:`Torn`."""
    fields = parsedate_tz(headers.get('last-modified', ''))
    if fields is None:
        raise Torn('no version: %r' % headers)
    return mktime_tz(fields)


def judged(headers: dict[str, str], body: bytes) -> bytes:
    """Returns the plain bytes of an answer to GET, if its headers belong to them.

    Raises :class:`Torn`. A header that is not there is not missed: filetracker 2.3.3 has no digest.
    """
    plain = body
    if headers.get('content-encoding') == 'gzip':
        try:
            plain = gzip.decompress(body)
        except (OSError, EOFError, ValueError) as error:
            raise Torn('no gzip: %s' % error) from None
    digest = hashlib.sha256(plain).hexdigest()
    if headers.get('sha256-checksum', digest) != digest:
        raise Torn('another digest than the header says')
    if int(headers.get('logical-size', len(plain))) != len(plain):
        raise Torn('%d bytes, the header says %s' % (len(plain), headers['logical-size']))
    return plain
