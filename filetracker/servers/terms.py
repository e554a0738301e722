"""On which terms a request is answered: what it may see and change of what it may ask for."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, TypeAlias

from filetracker.errors import NotFound
from filetracker.servers.base import Refusal
from filetracker.servers.quotas import Quotas
from filetracker.servers.rights import Rights
from filetracker.servers.storage import Condition, Entry, Storage, Upload

#: Where in the environment of a request its terms are.
TERMS = 'filetracker.terms'

_PAGE = 1000

Delete: TypeAlias = Callable[[str, int, Condition], 'int | None']


class Terms:
    """Where nobody has a say: what is asked for is done."""

    def most(self, limit: int | None) -> int | None:
        """Returns how many plain bytes a file may have, where the server takes ``limit``."""
        return limit

    def lines(self, storage: Storage, directory: str, cutoff: int | None) -> Iterator[bytes]:
        """As :meth:`~filetracker.servers.storage.Storage.lines`, of what may be seen."""
        return storage.lines(directory, cutoff)

    def roots(self, directory: str) -> list[str]:
        """Returns the names and directories in which is all that may be seen of a directory.

        None of them is below another; it is the directory itself, where all may be seen.
        """
        return [directory]

    @property
    def oversees(self) -> bool:
        """Whether it may be seen what concerns the server as a whole."""
        return True

    def put(
        self, storage: Storage, name: str, version: int, upload: Upload, condition: Condition
    ) -> int:
        """As :meth:`~filetracker.servers.storage.Storage.put`.

        Raises :class:`~filetracker.servers.base.Refusal` as well.
        """
        return storage.put(name, version, upload, condition)

    def check_taken(self) -> None:
        """Raises :class:`~filetracker.servers.base.Refusal` where no name may be put again."""

    def delete(self, delete: Delete, name: str, version: int, condition: Condition) -> int | None:
        """As ``delete``, a method of :class:`~filetracker.servers.storage.Storage`."""
        return delete(name, version, condition)


UNLIMITED = Terms()


def terms_of(environ: dict[str, Any]) -> Terms:
    """Returns the terms of a request."""
    terms: Terms = environ.get(TERMS, UNLIMITED)
    return terms


class Granted(Terms):
    """The terms of who has ``rights``; a file has at most ``max_size`` plain bytes.

    That the name, or the directory or a part of it, belongs to the rights was seen to before.
    """

    def __init__(self, rights: Rights, quotas: Quotas, max_size: int | None = None) -> None:
        self._rights = rights
        self._quotas = quotas
        self._max_size = max_size

    def most(self, limit: int | None) -> int | None:
        return min((most for most in (limit, self._max_size) if most is not None), default=None)

    def lines(self, storage: Storage, directory: str, cutoff: int | None) -> Iterator[bytes]:
        if self._rights.hold_for(directory):
            return storage.lines(directory, cutoff)
        return _parts(storage, directory, self._rights.parts(directory), cutoff)

    def roots(self, directory: str) -> list[str]:
        if self._rights.hold_for(directory):
            return [directory]
        return self._rights.parts(directory)

    @property
    def oversees(self) -> bool:
        return self._rights.includes('admin')

    def put(
        self, storage: Storage, name: str, version: int, upload: Upload, condition: Condition
    ) -> int:
        with self._quotas.change(name) as change:

            def check(old: Entry | None) -> None:
                condition(old)
                # Who asks again because the answer was lost changes nothing.
                if old and (old.version, old.digest) != (version, upload.digest):
                    self.check_taken()
                if old is None or old.version <= version:
                    change.admit(old.size if old else 0, upload.size)

            kept = storage.put(name, version, upload, check)
            if kept == version:
                change.settle()
            return kept

    def check_taken(self) -> None:
        if not self._rights.includes('write'):
            raise Refusal('403 Forbidden', 'the name is taken, and may not be put again')

    def delete(self, delete: Delete, name: str, version: int, condition: Condition) -> int | None:
        with self._quotas.change(name) as change:

            def check(old: Entry | None) -> None:
                condition(old)
                if old and old.version <= version:
                    change.admit(old.size, 0)

            kept = delete(name, version, check)
            if kept is None:
                change.settle()
            return kept


def _parts(
    storage: Storage, directory: str, prefixes: list[str], cutoff: int | None
) -> Iterator[bytes]:
    """Yields the names below a directory that belong to some prefixes below it, one a line.

    Raises :class:`~filetracker.errors.NotFound` where there is none of them, whatever else is in
    the directory; the root is always there.
    """
    above = len(directory) + 1 if directory else 0
    there = [prefix for prefix in prefixes if _is_there(storage, prefix)]
    if directory and not there:
        raise NotFound(directory, 'no such directory: %s' % directory)
    names = heapq.merge(*(_names(storage, prefix, cutoff) for prefix in there))
    while page := [name[above:] + '\n' for name in islice(names, _PAGE)]:
        yield ''.join(page).encode()


def _is_there(storage: Storage, prefix: str) -> bool:
    try:
        next(storage.pages(prefix))
    except NotFound:
        return _version(storage, prefix) is not None
    return True


def _names(storage: Storage, prefix: str, cutoff: int | None) -> Iterator[str]:
    """Yields a name, if there is such a file, and those below it, whole and sorted."""
    version = _version(storage, prefix)
    if version is not None and (cutoff is None or version <= cutoff):
        yield prefix
    try:
        for page in storage.pages(prefix, cutoff):
            for name in page:
                yield '%s/%s' % (prefix, name)
    except NotFound:
        pass


def _version(storage: Storage, name: str) -> int | None:
    try:
        return storage.entry(name).version
    except NotFound:
        return None
