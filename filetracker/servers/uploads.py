"""What a request that changes something says, checked before it is used for anything."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import BinaryIO, NamedTuple
from urllib.parse import parse_qs

from filetracker import protocol
from filetracker.errors import BadUpload, TooLarge
from filetracker.gz import PIECE
from filetracker.servers.base import Environ, Refusal
from filetracker.servers.known import known
from filetracker.servers.storage import Upload

_GZIP_NAMES = ('gzip', 'x-gzip')
_PLAIN_NAMES = ('', 'identity')
# In bytes, each of which may inflate to a thousand, and in seconds of computing.
_QUICK = 16 * PIECE
_WHILE = 0.02
_SMALL = 1 << 16
# Of what arrives a little at a time more is waited for: an engine is slow with little.
_LEAST = 1 << 16
# Most of those who ask at one time mean few dates. In characters, and in numbers.
_KNOWN_SIZE = 1 << 8
_KNOWN_VERSIONS = 1 << 6


class Announced(NamedTuple):
    """Whether a body is gzip, and digest and size of the plain bytes, where they are said.

    ``limit`` is the most plain bytes that are taken.
    """

    gzipped: bool
    digest: str | None
    size: int | None
    limit: int | None


def version_parameter(environ: Environ) -> int | None:
    """Returns the version in the query, the first if there are several, ``None`` if it is empty.

    Raises :class:`~filetracker.errors.InvalidName`.
    """
    return _version(environ.get('QUERY_STRING', ''))


@known(_KNOWN_VERSIONS, _KNOWN_SIZE)
def _version(query: str) -> int | None:
    values = parse_qs(query, keep_blank_values=True).get(protocol.VERSION_PARAMETER)
    return protocol.parse_date(values[0]) if values and values[0] else None


def required_version(environ: Environ) -> int:
    """As :func:`version_parameter`; refuses the request if there is none."""
    version = version_parameter(environ)
    if version is None:
        sentence = 'the parameter "%s" is required' % protocol.VERSION_PARAMETER
        raise Refusal('400 Bad Request', sentence)
    return version


def announced(environ: Environ, limit: int | None) -> Announced:
    """Returns what the headers say of the body of an upload.

    Raises :class:`~filetracker.errors.BadUpload`, :class:`~filetracker.errors.TooLarge` if it
    is said to have more than ``limit`` plain bytes, and
    :class:`~filetracker.servers.base.Refusal`.
    """
    encoding = environ.get('HTTP_CONTENT_ENCODING', '').strip().lower()
    if encoding not in _GZIP_NAMES + _PLAIN_NAMES:
        raise Refusal(
            '415 Unsupported Media Type',
            'the Content-Encoding must be gzip or none',
            [('Accept-Encoding', 'gzip')],
        )
    if 'HTTP_CONTENT_RANGE' in environ:
        raise Refusal('400 Bad Request', 'a part of a file cannot be put')
    digest = environ.get('HTTP_SHA256_CHECKSUM')
    size = environ.get('HTTP_LOGICAL_SIZE')
    try:
        said = Announced(
            encoding in _GZIP_NAMES,
            None if digest is None else protocol.parse_digest(digest),
            None if size is None else protocol.parse_size(size),
            limit,
        )
    except ValueError as error:
        raise BadUpload(str(error)) from None
    length = environ.get('CONTENT_LENGTH', '')
    sizes = [said.size or 0, int(length) if length.isdigit() and not said.gzipped else 0]
    if limit is not None and max(sizes) > limit:
        raise TooLarge(limit)
    return said


class Incoming:
    """The body of a request, in pieces of at most :data:`~filetracker.gz.PIECE` bytes.

    Making one raises :class:`~filetracker.servers.base.Refusal` where no length is announced.
    """

    def __init__(self, environ: Environ) -> None:
        self._body = environ['wsgi.input']
        self._read_now = getattr(self._body, 'read_now', None)
        length = environ.get('CONTENT_LENGTH')
        self._left: int | None = None
        if length:
            if not (length.isascii() and length.isdigit()):
                raise Refusal('400 Bad Request', 'Content-Length is no length')
            self._left = int(length)
        elif 'HTTP_TRANSFER_ENCODING' not in environ or not environ.get('wsgi.input_terminated'):
            raise Refusal('411 Length Required', 'the length of the body is not announced')

    @property
    def ended(self) -> bool:
        """Whether it is known that nothing follows."""
        return self._left == 0

    def next(self) -> bytes:
        """Waits for a piece, which is a whole one but at the end; returns nothing behind that.

        Raises :class:`~filetracker.errors.BadUpload` where it is shorter than announced.
        """
        if self.ended:
            return b''
        if self._left is None:
            piece = _read(self._body, PIECE)
            # Our own bodies end where they give less than was asked for.
            if not piece or (self._read_now and len(piece) < PIECE):
                self._left = 0
            return piece
        piece = _read(self._body, min(self._left, PIECE))
        if not piece:
            raise BadUpload('the body ended %d bytes early' % self._left)
        self._left -= len(piece)
        return piece

    def now(self) -> bytes:
        """Returns what has arrived, or nothing if it is little; any thread may ask for it."""
        if not self._left or not self._read_now:
            return b''
        piece: bytes = self._read_now(min(self._left, _LEAST), min(self._left, PIECE))
        self._left -= len(piece)
        return piece


def _read(body: BinaryIO, size: int) -> bytes:
    try:
        return body.read(size)
    except TimeoutError:
        raise
    except OSError as error:
        # So other servers say that a peer has gone, or that its chunks are none.
        raise BadUpload('the body could not be read to its end') from error


def is_quick(said: Announced) -> bool:
    """Whether a body of one piece cannot inflate to much before it is refused."""
    return not said.gzipped or (said.size is not None and said.size <= _QUICK)


def is_small(said: Announced, body: bytes) -> bool:
    """Whether a body takes next to no time, but for what the disk takes."""
    return len(body) <= _SMALL and (not said.gzipped or (said.size or 0) <= PIECE)


def written(upload: Upload, incoming: Incoming, piece: bytes) -> Iterator[None]:
    """Writes a piece, and what has arrived behind it, in steps of which none takes long.

    So a thread goes on as long as there is something to do, without a turn to the one that reads.
    """
    while piece:
        yield from upload.writing(piece)
        # A piece may inflate to nothing, and would else be no step.
        yield
        piece = incoming.now()


def begin_writing(
    make: Callable[[], Upload], incoming: Incoming, piece: bytes
) -> tuple[Upload, Iterator[None], bool]:
    """Makes an upload, and does what :func:`write_some` does with its first piece.

    Returns the upload, what goes on with writing it, and whether there is more to do.
    """
    upload = make()
    try:
        writing = written(upload, incoming, piece)
        return upload, writing, write_some(writing)
    except BaseException:
        upload.close()
        raise


def write_some(writing: Iterator[None]) -> bool:
    """Goes on with writing a piece, for a while; returns whether there is more to do."""
    until = time.thread_time() + _WHILE
    for _ in writing:
        if time.thread_time() > until:
            return True
    return False
