"""Files on another server, which go from one to the other as they come."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from filetracker.client.migration.connection import Answer, Server, file_target
from filetracker.client.migration.sources import Item, PassedOver, Source, Told
from filetracker.client.migration.target import Content, listed, told_version, version_at
from filetracker.errors import InvalidName
from filetracker.protocol import DIGEST_HEADER, SIZE_HEADER, check_stored_name

_GONE = 404


class Remote(Source):
    """All files of a server, with its versions. Gzip is passed on as it is."""

    def __init__(self, server: Server) -> None:
        self._server = server

    def items(self) -> Iterator[Item | PassedOver]:
        for name in listed(self._server):
            name = self._asked_for(name)
            try:
                check_stored_name(name)
            except InvalidName as error:
                yield PassedOver(name, str(error))
            else:
                yield Item(name, name)

    def version(self, item: Item) -> int | None:
        return version_at(self._server, item.place)

    @contextlib.contextmanager
    def open(self, item: Item, told: Told) -> Iterator[Content | None]:
        with self._server.ask(
            'GET', file_target(item.place), {'Accept-Encoding': 'gzip'}
        ) as answer:
            if answer.status == _GONE:
                yield None
                return
            version = told_version(answer, item.place)
            headers = {'Content-Length': '%d' % answer.size()}
            for header in ('Content-Encoding', DIGEST_HEADER, SIZE_HEADER):
                if header in answer.headers:
                    headers[header] = answer.headers[header]
            yield Content(version, headers, _pieces(answer, told))

    def _asked_for(self, name: str) -> str:
        """Returns what a listed name is asked for: filetracker 2.3.3 mangles those in UTF-8."""
        try:
            restored = name.encode('latin-1').decode('utf-8')
        except UnicodeError:
            return name
        if restored == name or version_at(self._server, name) is not None:
            return name
        return restored

    def close(self) -> None:
        self._server.close()


def _pieces(answer: Answer, told: Told) -> Iterator[bytes]:
    for piece in answer.pieces():
        told(len(piece))
        yield piece
