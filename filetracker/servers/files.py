"""The filetracker server as a WSGI application. PROTOCOL.md says what it answers."""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import chain
from typing import Any, BinaryIO

from filetracker import protocol
from filetracker.errors import FiletrackerError
from filetracker.gz import PIECE
from filetracker.servers import conditional
from filetracker.servers.base import Answer, Environ, Headers, Refusal, Server, error_answer
from filetracker.servers.conditional import Part, Unsatisfiable
from filetracker.servers.content import Check, Streamed, plain_pieces, stored_pieces
from filetracker.servers.storage import Entry, FileStorage, Storage, Upload
from filetracker.servers.uploads import (
    Announced,
    announced,
    body_pieces,
    required_version,
    version_parameter,
)

logger = logging.getLogger(__name__)

_TEXT = ('Content-Type', 'text/plain; charset=utf-8')
_EMPTY = ('Content-Length', '0')
# In bytes, each of which may inflate to a thousand, and in seconds of computing.
_QUICK = 16 * PIECE
_SLICE = 1 << 13
_WHILE = 0.005
_WELCOME = b'This is a filetracker server. See /list for the files it has.\n'


def _call(function: Callable[..., Any], *arguments: Any) -> Any:
    return function(*arguments)


class FiletrackerServer(Server):
    """A WSGI application that serves the files of a store.

    The store is ``storage``, or the one in the directory ``dir``, or in the one that
    ``FILETRACKER_DIR`` in the environment says. ``run`` calls everything that blocks: a function
    and its arguments, in calls of which none takes long. ``dir`` is then the directory of the
    mirror of the names. A file of more than ``max_size`` plain bytes is not taken.

    Raises :class:`~filetracker.errors.FiletrackerError` where no directory is said, and what
    ``open_storage`` does.
    """

    def __init__(
        self,
        dir: str | None = None,
        storage: Storage | None = None,
        run: Callable[..., Any] = _call,
        max_size: int | None = None,
    ) -> None:
        self.run = run
        self.max_size = max_size
        self.dir: str | None = None
        if storage is None:
            dir = dir or os.environ.get('FILETRACKER_DIR')
            if not dir:
                raise FiletrackerError('no directory: give one, or set FILETRACKER_DIR')
            # It closes the store when it is collected.
            self._files = FileStorage(dir)
            self.dir = self._files.links_dir
            storage = self._files.storage
        self.storage = storage

    def routes(self) -> dict[str, dict[str, Callable[[Environ, str], Answer]]]:
        return {
            '': {'GET': self._welcome},
            'files': {'GET': self._get, 'PUT': self._put, 'DELETE': self._delete},
            'list': {'GET': self._list},
            'version': {'GET': self._version},
        }

    def _welcome(self, environ: Environ, rest: str) -> Answer:
        return Answer('200 OK', [_TEXT, ('Content-Length', str(len(_WELCOME)))], [_WELCOME])

    def _version(self, environ: Environ, rest: str) -> Answer:
        if rest:
            raise Refusal('400 Bad Request', 'nothing is below /version')
        body = json.dumps({'protocol_versions': protocol.SERVER_VERSIONS}).encode()
        headers = [('Content-Type', 'application/json'), ('Content-Length', str(len(body)))]
        return Answer('200 OK', headers, [body])

    def _list(self, environ: Environ, directory: str) -> Answer:
        if directory:
            protocol.check_stored_name(directory)
        pages = self.storage.pages(directory, version_parameter(environ))
        first = self.run(next, pages, [])
        # A generator that is dropped in the middle would be closed by whichever thread drops it.
        close = getattr(pages, 'close', lambda: None)
        return Answer('200 OK', [_TEXT], Streamed(self.run, _lines(chain([first], pages)), close))

    def _get(self, environ: Environ, name: str) -> Answer:
        protocol.check_stored_name(name)
        return self.run(self._open, environ, name)

    def _open(self, environ: Environ, name: str) -> Answer:
        entry, file = self.storage.open(name)
        answer = None
        try:
            answer = self._represent(environ, name, entry, file)
            return answer
        finally:
            if answer is None or not isinstance(answer.body, Streamed):
                file.close()

    def _represent(self, environ: Environ, name: str, entry: Entry, file: BinaryIO) -> Answer:
        gzipped = conditional.accepts_gzip(environ)
        size = entry.stored_size if gzipped else entry.size
        tag = conditional.etag(entry.digest, gzipped)
        validators = [
            ('ETag', tag),
            ('Last-Modified', protocol.format_date(entry.version)),
            ('Vary', 'Accept-Encoding'),
        ]
        if conditional.is_failed(environ, tag, entry.version):
            return error_answer('412 Precondition Failed', 'the file is not in that state')
        if conditional.is_not_modified(environ, tag, entry.version):
            return Answer('304 Not Modified', validators, [])
        try:
            wanted = conditional.wanted_part(environ, tag, size)
        except Unsatisfiable:
            return error_answer(
                '416 Range Not Satisfiable',
                'the file has %d bytes' % size,
                [('Content-Range', 'bytes */%d' % size)],
            )
        part = wanted or Part(0, size)
        headers: Headers = [
            ('Content-Type', 'application/octet-stream'),
            ('Content-Length', str(part.stop - part.start)),
            ('Accept-Ranges', 'bytes'),
            (protocol.SIZE_HEADER, str(entry.size)),
            (protocol.DIGEST_HEADER, entry.digest),
            *validators,
        ]
        if gzipped:
            headers.append(('Content-Encoding', 'gzip'))
        status = '200 OK'
        if wanted:
            status = '206 Partial Content'
            headers.append(('Content-Range', 'bytes %d-%d/%d' % (part.start, part.stop - 1, size)))
        if environ['REQUEST_METHOD'] == 'HEAD':
            return Answer(status, headers, [])
        check = Check(name, entry.size, partial(self.storage.distrust, name, entry.digest))
        pieces = (stored_pieces if gzipped else plain_pieces)(file, part, check)
        if max(entry.size, entry.stored_size) <= PIECE:
            return Answer(status, headers, [b''.join(pieces)])
        return Answer(status, headers, Streamed(self.run, pieces, file.close))

    def _put(self, environ: Environ, name: str) -> Answer:
        protocol.check_stored_name(name)
        version = required_version(environ)
        said = announced(environ, self.max_size)
        pieces = body_pieces(environ)
        first = next(pieces, b'')
        second = next(pieces, b'')
        if second or not _is_quick(said):
            kept = self._put_large(name, version, said, chain((first, second), pieces))
        else:
            kept = self.run(self._put_small, name, version, said, first)
        logger.debug('%s@%d was put, %d is there', name, version, kept)
        return Answer('200 OK', [_TEXT, _EMPTY, ('Last-Modified', protocol.format_date(kept))], [])

    def _put_small(self, name: str, version: int, said: Announced, body: bytes) -> int:
        with self.storage.upload(*said) as upload:
            upload.write(body)
            return self.storage.put(name, version, upload)

    def _put_large(self, name: str, version: int, said: Announced, pieces: Iterable[bytes]) -> int:
        upload = self.run(self.storage.upload, *said)
        try:
            for piece in pieces:
                written = 0
                while written < len(piece):
                    written = self.run(_write_some, upload, piece, written)
            return self.run(self.storage.put, name, version, upload)
        finally:
            self.run(upload.close)

    def _delete(self, environ: Environ, name: str) -> Answer:
        protocol.check_stored_name(name)
        version = required_version(environ)
        kept = self.run(self.storage.delete, name, version)
        logger.debug('%s@%d was deleted, %s is there', name, version, kept)
        headers = [_TEXT, _EMPTY]
        if kept is not None:
            headers.append(('Last-Modified', protocol.format_date(kept)))
        return Answer('200 OK', headers, [])


def _is_quick(said: Announced) -> bool:
    """Whether a body of one piece cannot inflate to much before it is refused."""
    return not said.gzipped or (said.size is not None and said.size <= _QUICK)


def _write_some(upload: Upload, piece: bytes, written: int) -> int:
    """Writes more of a piece, for a while; returns how much of it is written now."""
    until = time.thread_time() + _WHILE
    while True:
        upload.write(piece[written : written + _SLICE])
        written += _SLICE
        if written >= len(piece) or time.thread_time() > until:
            return written


def _lines(pages: Iterable[list[str]]) -> Iterator[bytes]:
    """Yields the names, one a line, a page at a time."""
    for names in pages:
        if names:
            yield ''.join('%s\n' % name for name in names).encode()
