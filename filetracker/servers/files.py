"""The filetracker server as a WSGI application. PROTOCOL.md says what it answers."""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Callable
from functools import partial
from itertools import chain
from typing import Any, BinaryIO

from filetracker import protocol
from filetracker.errors import FiletrackerError, NotFound
from filetracker.gz import PIECE
from filetracker.servers import conditional
from filetracker.servers.base import Answer, Environ, Refusal, Routes, Server
from filetracker.servers.content import (
    Check,
    FromShelf,
    Streamed,
    plain_pieces,
    stored_pieces,
)
from filetracker.servers.figures import Figures
from filetracker.servers.page.pages import Pages
from filetracker.servers.representation import represent
from filetracker.servers.storage import (
    Condition,
    Entry,
    FileStorage,
    Shelved,
    Storage,
    Upload,
    unconditionally,
)
from filetracker.servers.terms import Terms, terms_of
from filetracker.servers.uploads import (
    Announced,
    Incoming,
    announced,
    begin_writing,
    is_quick,
    is_small,
    required_version,
    version_parameter,
    write_some,
    written,
)
from filetracker.servers.watch import Watch

logger = logging.getLogger(__name__)

TEXT = ('Content-Type', 'text/plain; charset=utf-8')
EMPTY = ('Content-Length', '0')


def call(function: Callable[..., Any], *arguments: Any) -> Any:
    """Calls a function right here."""
    return function(*arguments)


class FiletrackerServer(Server):
    """A WSGI application that serves the files of a store.

    The store is ``storage``, or the one in the directory ``dir``, or in the one that
    ``FILETRACKER_DIR`` in the environment says. ``run`` calls everything that blocks: a function
    and its arguments, in calls of which none takes long; ``run_short`` calls what only waits for
    the disk, ``compute`` what only computes, ``verify`` what takes in large files. ``dir`` is then
    the directory of the mirror of the names. A file of more than ``max_size`` plain bytes is not
    taken. ``figures`` are what is told of the server.

    Raises :class:`~filetracker.errors.FiletrackerError` where no directory is said, and what
    ``open_storage`` does.
    """

    def __init__(
        self,
        dir: str | None = None,
        storage: Storage | None = None,
        run: Callable[..., Any] = call,
        max_size: int | None = None,
        figures: Figures | None = None,
        run_short: Callable[..., Any] | None = None,
        compute: Callable[..., Any] | None = None,
        verify: Callable[..., Any] | None = None,
    ) -> None:
        self.run = run
        self._run_short = run_short or run
        self._verify = verify or run
        self.max_size = max_size
        self.figures = figures or Figures()
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
        self.pages = Pages(storage, run, self.figures, compute or run)
        self._routes: Routes = {
            'files': {'GET': self._get, 'PUT': self._put, 'DELETE': self._delete},
            'list': {'GET': self._list},
            'version': {'GET': self._version},
            **self.pages.routes,
            **Watch(storage, self.figures, run, compute or run).routes,
        }

    def routes(self) -> Routes:
        return self._routes

    def _version(self, environ: Environ, rest: str) -> Answer:
        if rest:
            raise Refusal('400 Bad Request', 'nothing is below /version')
        body = json.dumps({'protocol_versions': protocol.SERVER_VERSIONS}).encode()
        headers = [('Content-Type', 'application/json'), ('Content-Length', str(len(body)))]
        return Answer('200 OK', headers, [body])

    def _list(self, environ: Environ, directory: str) -> Answer:
        if directory:
            protocol.check_stored_name(directory)
        lines = terms_of(environ).lines(self.storage, directory, version_parameter(environ))
        first = self.run(next, lines, b'')
        # A generator that is dropped in the middle would be closed by whichever thread drops it.
        close = getattr(lines, 'close', lambda: None)
        return Answer('200 OK', [TEXT], Streamed(self.run, chain([first], lines), close))

    def _get(self, environ: Environ, name: str) -> Answer:
        shelved = self.storage.shelf.get(name)
        if shelved is not None:
            answer = self._answer_from_shelf(environ, name, shelved)
            if answer is not None:
                return answer
        protocol.check_stored_name(name)
        return self.run(self._open, environ, name)

    def _answer_from_shelf(self, environ: Environ, name: str, shelved: Shelved) -> Answer | None:
        """Returns the answer, if it can be had without waiting for anything."""
        chosen = represent(environ, shelved.entry)
        if isinstance(chosen, Answer):
            return chosen
        gzipped, part, status, headers = chosen
        if environ['REQUEST_METHOD'] == 'HEAD':
            return Answer(status, headers, [])
        if not gzipped:
            return None
        if shelved.content is not None:
            return Answer(status, headers, [shelved.content[part.start : part.stop]])
        report = partial(self.storage.distrust, name, shelved.entry.digest)
        return Answer(status, headers, FromShelf(self.run, name, shelved, part, report))

    def _open(self, environ: Environ, name: str) -> Answer:
        since = time.time_ns()
        try:
            entry, file = self.storage.open(name)
        except NotFound as error:
            return self._absent(name, error)
        answer = None
        try:
            answer = self._answer(environ, name, entry, file, since)
            return answer
        finally:
            if answer is None or not isinstance(answer.body, Streamed):
                file.close()

    def _absent(self, name: str, error: NotFound) -> Answer:
        """Returns what is answered for a name that is not there, or raises ``error``."""
        raise error

    def _answer(
        self, environ: Environ, name: str, entry: Entry, file: BinaryIO, since: int
    ) -> Answer:
        chosen = represent(environ, entry)
        if isinstance(chosen, Answer):
            return chosen
        gzipped, part, status, headers = chosen
        if environ['REQUEST_METHOD'] == 'HEAD':
            return Answer(status, headers, [])
        check = Check(
            name,
            entry.size,
            partial(self.storage.shelf.keep, name, entry, file, since, self.storage.entry),
            partial(self.storage.distrust, name, entry.digest),
        )
        pieces = (stored_pieces if gzipped else plain_pieces)(file, part, check)
        if max(entry.size, entry.stored_size) <= PIECE:
            return Answer(status, headers, [b''.join(pieces)])
        return Answer(status, headers, Streamed(self.run, pieces, file.close))

    def _put(self, environ: Environ, name: str) -> Answer:
        protocol.check_stored_name(name)
        version = required_version(environ)
        terms = terms_of(environ)
        said = announced(environ, terms.most(self.max_size))
        condition = self._condition(environ, name)
        put = partial(terms.put, self.storage, name, version, condition=condition)
        if 'HTTP_EXPECT' in environ:
            # The peer has not sent the body yet, and need not where something newer stays.
            kept = self.run(self._newer, name, version)
            if kept is not None:
                terms.check_taken()
                return _stored(kept)
        incoming = Incoming(environ)
        first = incoming.next()
        if incoming.ended and is_quick(said):
            run = self._run_short if is_small(said, first) else self.run
            kept = run(self._put_small, put, said, first)
        else:
            kept = self._put_large(put, said, first, incoming)
        logger.debug('%s@%d was put, %d is there', name, version, kept)
        return _stored(kept)

    def _newer(self, name: str, version: int) -> int | None:
        try:
            kept = self.storage.entry(name).version
        except NotFound:
            return None
        return kept if kept > version else None

    def _condition(self, environ: Environ, name: str) -> Condition:
        """Returns what a change of a file depends on, once it holds just now.

        Raises :class:`~filetracker.errors.PreconditionFailed`.
        """
        if not conditional.has_conditions(environ):
            return unconditionally
        condition = partial(self._check_unchanged, environ, name)
        # Before the body comes; it is asked again when the change is made.
        self.run(self._check, name, condition)
        return condition

    def _check_unchanged(self, environ: Environ, name: str, entry: Entry | None) -> None:
        conditional.check_unchanged(environ, self.storage.buried_version(name), entry)

    def _check(self, name: str, condition: Condition) -> None:
        try:
            entry = self.storage.entry(name)
        except NotFound:
            condition(None)
        else:
            condition(entry)

    def _put_small(self, put: Callable[[Upload], int], said: Announced, body: bytes) -> int:
        with self.storage.upload(*said) as upload:
            upload.write(body)
            return put(upload)

    def _put_large(
        self, put: Callable[[Upload], int], said: Announced, piece: bytes, incoming: Incoming
    ) -> int:
        make = partial(self.storage.upload, *said)
        upload, writing, has_more = self._verify(begin_writing, make, incoming, piece)
        try:
            while has_more or (piece := incoming.next()):
                writing = writing if has_more else written(upload, incoming, piece)
                has_more = self._verify(write_some, writing)
            return self.run(put, upload)
        finally:
            if not upload.file.closed:
                self.run(upload.close)

    def _delete(self, environ: Environ, name: str) -> Answer:
        protocol.check_stored_name(name)
        version = required_version(environ)
        condition = self._condition(environ, name)
        kept = self._remove(terms_of(environ), name, version, condition)
        logger.debug('%s@%d was deleted, %s is there', name, version, kept)
        headers = [TEXT, EMPTY]
        if kept is not None:
            headers.append(('Last-Modified', protocol.format_date(kept)))
        return Answer('200 OK', headers, [])

    def _remove(self, terms: Terms, name: str, version: int, condition: Condition) -> int | None:
        """Removes a file; returns the newer version that stays, if there is one."""
        return self.run(terms.delete, self.storage.delete, name, version, condition)


def _stored(version: int) -> Answer:
    headers = [TEXT, EMPTY, ('Last-Modified', protocol.format_date(version))]
    return Answer('200 OK', headers, [])
