"""Which bytes of a file a peer gets, and what is said of them."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import NamedTuple

from filetracker import protocol
from filetracker.servers import conditional
from filetracker.servers.base import Answer, Environ, Headers, error_answer
from filetracker.servers.conditional import Part, Unsatisfiable
from filetracker.servers.storage import Entry

_CONDITIONAL = {
    'HTTP_IF_MATCH',
    'HTTP_IF_NONE_MATCH',
    'HTTP_IF_MODIFIED_SINCE',
    'HTTP_IF_UNMODIFIED_SINCE',
    'HTTP_RANGE',
}
_KNOWN_FILES = 1 << 10


class Representation(NamedTuple):
    """What is sent of a file: ``part`` of its gzip bytes, or else of its plain ones."""

    gzipped: bool
    part: Part
    status: str
    headers: Sequence[tuple[str, str]]


def represent(environ: Environ, entry: Entry) -> Representation | Answer:
    """Returns what a request for a file gets, or the answer where that is no bytes of it."""
    gzipped = conditional.accepts_gzip(environ)
    if environ.keys().isdisjoint(_CONDITIONAL):
        return _whole(entry, gzipped)
    size = entry.stored_size if gzipped else entry.size
    tag = conditional.etag(entry.digest, gzipped)
    if conditional.is_failed(environ, tag, entry.version):
        return error_answer('412 Precondition Failed', 'the file is not in that state')
    if conditional.is_not_modified(environ, tag, entry.version):
        return Answer('304 Not Modified', _validators(entry, gzipped), [])
    try:
        part = conditional.wanted_part(environ, tag, size)
    except Unsatisfiable:
        return error_answer(
            '416 Range Not Satisfiable',
            'the file has %d bytes' % size,
            [('Content-Range', 'bytes */%d' % size)],
        )
    if part is None:
        return _whole(entry, gzipped)
    headers = [
        ('Content-Length', str(part.stop - part.start)),
        ('Content-Range', 'bytes %d-%d/%d' % (part.start, part.stop - 1, size)),
        *_whole(entry, gzipped).headers[1:],
    ]
    return Representation(gzipped, part, '206 Partial Content', headers)


@functools.lru_cache(_KNOWN_FILES)
def _whole(entry: Entry, gzipped: bool) -> Representation:
    """Returns all of a file; its length comes first in the headers."""
    size = entry.stored_size if gzipped else entry.size
    coding = [('Content-Encoding', 'gzip')] if gzipped else []
    headers = (
        ('Content-Length', str(size)),
        ('Content-Type', 'application/octet-stream'),
        ('Accept-Ranges', 'bytes'),
        (protocol.SIZE_HEADER, str(entry.size)),
        (protocol.DIGEST_HEADER, entry.digest),
        *_validators(entry, gzipped),
        *coding,
    )
    return Representation(gzipped, Part(0, size), '200 OK', headers)


def _validators(entry: Entry, gzipped: bool) -> Headers:
    return [
        ('ETag', conditional.etag(entry.digest, gzipped)),
        ('Last-Modified', protocol.format_date(entry.version)),
        ('Vary', 'Accept-Encoding'),
    ]
