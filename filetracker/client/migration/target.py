"""The server that files are copied to."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import NamedTuple
from urllib.parse import quote

from filetracker.client.migration.connection import Answer, Server, file_target
from filetracker.errors import BadAnswer, FiletrackerError
from filetracker.protocol import MAX_VERSION, VERSION_PARAMETER, format_date

_PROTOCOL = 2
_PROTOCOLS = 'protocol_versions'
_GOOD = (200, 201, 204)
_FORBIDDEN = (401, 403, 429)


class Content(NamedTuple):
    """A file on its way: its version, what is said of the body in ``headers``, and the body."""

    version: int
    headers: Mapping[str, str]
    body: Iterable[bytes]


class Target:
    """Files on a server, as far as copying needs them."""

    def __init__(self, server: Server) -> None:
        self._server = server

    def check(self) -> None:
        """Raises :class:`~filetracker.errors.FiletrackerError` if there is no such server."""
        with self._server.ask('GET', '/version/') as answer:
            if answer.status in _FORBIDDEN:
                raise FiletrackerError('%s: %s' % (self._server.url, answer.error('')))
            try:
                body = b''.join(answer.pieces())
                is_known = answer.status == 200 and _PROTOCOL in json.loads(body)[_PROTOCOLS]
            except (ValueError, TypeError, KeyError):
                is_known = False
        if not is_known:
            raise FiletrackerError('%s is no server of filetracker 2.x' % self._server.url)

    def names(self) -> set[str]:
        """Returns the names of all files that are there."""
        return set(listed(self._server))

    def version(self, name: str) -> int | None:
        """Returns the version of a file, ``None`` if it is not there."""
        return version_at(self._server, name)

    def put(self, name: str, content: Content) -> bool:
        """Stores a file; returns whether it did.

        It does not where the file is there in the same or a newer version, or was deleted since.
        Raises :class:`~filetracker.errors.ServerError` and others.
        """
        target = '%s?%s=%s' % (
            file_target(name),
            VERSION_PARAMETER,
            quote(format_date(content.version)),
        )
        headers = {
            **content.headers,
            # "Nothing may have happened to the name in this second, or later."
            'If-Unmodified-Since': format_date(content.version - 1),
        }
        with self._server.ask('PUT', target, headers, content.body) as answer:
            if answer.status == 412:
                return False
            if answer.status not in _GOOD:
                raise answer.error(name)
            stored = answer.version()
            if stored is None or stored < content.version:
                raise BadAnswer(answer.url, 'the server does not tell the version that it stored')
            return stored == content.version


def version_at(server: Server, name: str) -> int | None:
    """Returns the version of a file on a server, ``None`` if it is not there.

    A file that the server only sends elsewhere for is not there.
    """
    with server.ask('HEAD', file_target(name), {'Accept-Encoding': 'gzip'}) as answer:
        if answer.status == 404 or 300 <= answer.status < 400:
            return None
        return told_version(answer, name)


def told_version(answer: Answer, name: str) -> int:
    """Returns the version that goes with a file; raises the error that the answer is instead."""
    if answer.status != 200:
        raise answer.error(name)
    version = answer.version()
    if version is None:
        raise BadAnswer(answer.url, 'no Last-Modified with %s' % answer.url)
    return version


def listed(server: Server) -> list[str]:
    """Returns the names of all files on a server.

    Raises :class:`~filetracker.errors.FiletrackerError` where it has no list, or cuts it off.
    """
    # Without a cut-off filetracker 2.3.3 leaves out what is newer than its clock.
    cutoff = '/list?%s=%s' % (VERSION_PARAMETER, quote(format_date(MAX_VERSION)))
    with server.ask('GET', cutoff) as answer:
        if answer.status != 500:
            return _lines(server, answer)
    # 2.3.1 fails for each cut-off.
    with server.ask('GET', '/list') as answer:
        return _lines(server, answer)


def _lines(server: Server, answer: Answer) -> list[str]:
    if answer.status in _FORBIDDEN:
        raise FiletrackerError('%s: %s' % (server.url, answer.error('')))
    if answer.status != 200:
        raise FiletrackerError(
            '%s does not list its files: HTTP/%d; if it is a 1.x server, give its directory'
            % (server.url, answer.status)
        )
    *lines, rest = b''.join(answer.pieces()).split(b'\n')
    if rest:
        raise BadAnswer(answer.url, 'the list of files is cut off: %s' % answer.url)
    return [line.decode('utf-8', 'surrogateescape') for line in lines]
