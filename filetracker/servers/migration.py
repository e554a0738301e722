"""The server that sends clients to another one, the fallback, for files that it does not have.

A name that was deleted here is not looked for in the fallback any more. What is only there can be
deleted as well: the version rule then goes by the version that the fallback tells.
"""

from __future__ import annotations

import http.client
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

from filetracker.errors import Busy, InvalidName, NotFound
from filetracker.protocol import parse_date, quote_name
from filetracker.servers.base import Answer
from filetracker.servers.figures import Figures
from filetracker.servers.files import EMPTY, TEXT, FiletrackerServer, call
from filetracker.servers.storage import Condition, Storage
from filetracker.servers.terms import Terms

_PATIENCE = 5.0
_UNCERTAIN = (408, 429)


class MigrationFiletrackerServer(FiletrackerServer):
    """A WSGI application as its base, but for names that are not there.

    GET of such a name is redirected to ``redirect_url/files/<name>``, unless it was deleted here.
    ``ask`` runs what waits for the fallback, as ``run`` what waits for the disk.
    """

    def __init__(
        self,
        redirect_url: str,
        dir: str | None = None,
        storage: Storage | None = None,
        run: Callable[..., Any] = call,
        max_size: int | None = None,
        ask: Callable[..., Any] = call,
        figures: Figures | None = None,
        run_short: Callable[..., Any] | None = None,
        compute: Callable[..., Any] | None = None,
        verify: Callable[..., Any] | None = None,
    ) -> None:
        super().__init__(dir, storage, run, max_size, figures, run_short, compute, verify)
        self.redirect_url = redirect_url
        self._ask = ask

    def _absent(self, name: str, error: NotFound) -> Answer:
        if self.storage.buried_version(name) is not None:
            raise error
        location = file_url(self.redirect_url, name)
        headers = [TEXT, EMPTY, ('Location', location)]
        return Answer('307 Temporary Redirect', headers, [])

    def _remove(self, terms: Terms, name: str, version: int, condition: Condition) -> int | None:
        if not self.run(self.storage.is_known, name):
            there = self._ask(version_at, file_url(self.redirect_url, name))
            if there is None:
                raise NotFound(name)
            if there > version:
                return there
        return self.run(terms.delete, self.storage.bury, name, version, condition)


def file_url(url: str, name: str) -> str:
    """Returns where the server at ``url`` has a file."""
    return '%s/files/%s' % (url.rstrip('/'), quote_name(name))


def version_at(url: str) -> int | None:
    """Returns the version of the file at a URL, ``None`` if there is no file.

    Raises :class:`~filetracker.errors.Busy` if that cannot be found out.
    """
    request = urllib.request.Request(url, method='HEAD')
    try:
        with urllib.request.urlopen(request, timeout=_PATIENCE) as answer:
            date = answer.headers['Last-Modified']
            # A static server answers for directories as well.
            return None if date is None else parse_date(date)
    except urllib.error.HTTPError as error:
        error.close()
        if 400 <= error.code < 500 and error.code not in _UNCERTAIN:
            return None
        raise Busy('the fallback answered HTTP/%d; try again' % error.code) from error
    except (OSError, http.client.HTTPException, InvalidName, ValueError) as error:
        raise Busy('the fallback cannot be asked; try again') from error
