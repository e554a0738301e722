"""What comes from the server: checked against all that the answer says of it."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterator
from itertools import chain
from typing import NamedTuple, TypeVar

from filetracker.client.hashing import Sha256
from filetracker.client.retrying import Tries, insist
from filetracker.client.transport import Answer
from filetracker.errors import (
    AnswerCutOff,
    BadAnswer,
    ConnectionFailed,
    FiletrackerError,
    InvalidName,
    ServerError,
)
from filetracker.gz import PIECE, LenientInflater, NotGzip
from filetracker.protocol import DIGEST_HEADER, SIZE_HEADER, parse_date, parse_digest, parse_size

_GZIP = ('gzip', 'x-gzip')
_PLAIN = ('', 'identity')

T = TypeVar('T')


class Announced(NamedTuple):
    """What an answer says of a file; ``size`` and ``digest`` are those of the plain bytes."""

    version: int
    size: int | None
    digest: str | None
    is_gzipped: bool


def announced(answer: Answer) -> Announced:
    """Reads what an answer says of a file.

    Raises :class:`~filetracker.errors.BadAnswer` if it says nonsense, or not the version.
    """
    encoding = answer.headers.get('Content-Encoding', '').strip().lower()
    if encoding not in _GZIP + _PLAIN:
        raise BadAnswer(answer.url, 'unknown encoding %r of %s' % (encoding, answer.url))
    version = said_version(answer)
    if version is None:
        raise BadAnswer(answer.url, 'no Last-Modified with %s' % answer.url)
    size = _parsed(answer, SIZE_HEADER, parse_size)
    if size is None and encoding in _PLAIN:
        size = _parsed(answer, 'Content-Length', parse_size)
    digest = _parsed(answer, DIGEST_HEADER, parse_digest)
    return Announced(version, size, digest, encoding in _GZIP)


def said_version(answer: Answer) -> int | None:
    """Returns the version that an answer tells, ``None`` if it tells none."""
    return _parsed(answer, 'Last-Modified', parse_date)


def _parsed(answer: Answer, header: str, parse: Callable[[str], T]) -> T | None:
    text = answer.headers.get(header)
    if text is None:
        return None
    try:
        return parse(text)
    except (ValueError, InvalidName):
        message = 'not a %s: %r, with %s' % (header, text, answer.url)
        raise BadAnswer(answer.url, message) from None


#: Asks for a file, once.
Ask = Callable[[], tuple[Answer, Announced]]


def download(ask: Ask, tries: Callable[[], Tries]) -> Download:
    """Opens a file on the server; ``tries()`` says how often ``ask()`` may be repeated."""
    answer, said = insist(lambda _: ask(), tries())
    return Download(_Resuming(answer, said, ask, tries), said)


class Download(io.BufferedReader):
    """A file from the server, as a binary stream of plain bytes.

    The last of them come when everything was checked. Reading raises
    :class:`~filetracker.errors.BadAnswer` if something does not agree, and
    :class:`~filetracker.errors.ConnectionFailed`. When the connection breaks, the file is asked
    for again, and goes on where it was if it is the same to there.

    ``version`` is that of the file; ``size`` is how many bytes it has, ``None`` if nothing tells.
    """

    def __init__(self, raw: _Resuming, said: Announced) -> None:
        super().__init__(raw, PIECE)
        self._resuming = raw
        self.version = said.version
        self.size = said.size

    def pieces(self) -> Iterator[bytes]:
        """Yields what is left, as it comes, which copies it less often than reading does."""
        if piece := self.read1():
            yield piece
        while piece := self._resuming.piece():
            yield piece


class _Resuming(io.RawIOBase):
    def __init__(
        self,
        answer: Answer,
        said: Announced,
        ask: Ask,
        tries: Callable[[], Tries],
    ) -> None:
        super().__init__()
        self._answer = answer
        self._version = said.version
        self._ask = ask
        self._tries = tries
        self._left = tries()
        # Of what was given.
        self._digest = Sha256()
        self._pieces = _checked(answer, said, self._digest)
        self._rest = memoryview(b'')
        self._failure: FiletrackerError | None = None
        self._given = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        if not self._rest:
            self._rest = memoryview(self._next())
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count

    def readall(self) -> bytes:
        return b''.join(iter(self.piece, b''))

    def piece(self) -> bytes:
        """Returns what comes next, nothing at the end."""
        rest, self._rest = self._rest, memoryview(b'')
        return bytes(rest) or self._next()

    def close(self) -> None:
        if not self.closed:
            self._answer.close()
            self._digest.close()
        super().close()

    def _next(self) -> bytes:
        if self._failure:
            # What failed once must not look like an end to who reads on.
            raise self._failure
        try:
            piece = self._insist()
        except FiletrackerError as error:
            self._failure = error
            raise
        self._given += len(piece)
        # Each piece is worth as many tries as the first.
        self._left = self._tries()
        return piece

    def _insist(self) -> bytes:
        try:
            return next(self._pieces, b'')
        except (ConnectionFailed, AnswerCutOff) as error:
            failure: FiletrackerError = error
        while True:
            self._left.pause(failure)
            try:
                self._resume()
                return next(self._pieces, b'')
            except (ConnectionFailed, AnswerCutOff, ServerError) as error:
                failure = error

    def _resume(self) -> None:
        """Asks again, and passes over what was given already."""
        self._answer.close()
        self._answer, said = self._ask()
        anew = Sha256()
        self._pieces = _checked(self._answer, said, anew)
        left = self._given
        digest = hashlib.sha256()
        while left and (piece := next(self._pieces, b'')):
            digest.update(piece[:left])
            if len(piece) > left:
                self._pieces = chain((piece[left:],), self._pieces)
            left -= min(left, len(piece))
        self._digest.close()
        if said.version != self._version or digest.hexdigest() != self._digest.hexdigest():
            url = self._answer.url
            raise BadAnswer(url, 'the connection broke, and the file has changed since: %s' % url)
        self._digest = anew


def _checked(answer: Answer, said: Announced, digest: Sha256) -> Iterator[bytes]:
    """Yields the plain bytes; holds the last piece back until all is checked.

    ``digest`` is updated with each piece that is yielded.
    """
    if not (said.is_gzipped or said.size is not None or said.digest or answer.is_delimited):
        raise BadAnswer(answer.url, 'nothing tells where %s ends' % answer.url)
    size = 0
    held = b''
    try:
        for piece in _plain(answer, said):
            size += len(piece)
            if said.size is not None and size > said.size:
                break
            if held:
                digest.update(held)
                yield held
            held = piece
    except NotGzip as error:
        raise BadAnswer(answer.url, '%s: %s' % (error, answer.url)) from None
    if said.size is not None and size != said.size:
        raise BadAnswer(answer.url, 'not the size that was announced: %s' % answer.url)
    digest.update(held)
    if said.digest and digest.hexdigest() != said.digest:
        raise BadAnswer(answer.url, 'not the digest that was announced: %s' % answer.url)
    if held:
        yield held


def _plain(answer: Answer, said: Announced) -> Iterator[bytes]:
    if not said.is_gzipped:
        yield from answer.pieces()
        return
    # The server let it in, and checksum, size and digest are looked at here.
    inflater = LenientInflater()
    for piece in answer.pieces():
        yield from inflater.feed(piece)
    inflater.finish()
