"""``filetracker-check``: is each file of a store there, and what it was? Also while it is served.

Blobs do not change and are named by their digest, so that anybody can verify them from outside.
Names are looked at in a copy of the database. If anything looks wrong, all are looked at again, in
a later copy, and what does not look the same twice is passed over.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

from filetracker.errors import StoreInUse
from filetracker.servers.storage import bulk, inspection
from filetracker.servers.storage.bdb import Environment
from filetracker.servers.storage.links import Links
from filetracker.servers.storage.pace import Progress, hidden
from filetracker.servers.storage.staleness import is_stale
from filetracker.servers.storage.upkeep.blob_files import BlobFile, BlobFiles
from filetracker.servers.storage.upkeep.examination import is_readable
from filetracker.servers.storage.upkeep.parallel import in_parallel
from filetracker.servers.storage.upkeep.recovery import check_directories
from filetracker.servers.storage.upkeep.scrutiny import Finding, Scrutiny
from filetracker.servers.storage.upkeep.sources import present_database
from filetracker.servers.storage.upkeep.toll import Toll

_PAUSE = 0.3


class Report(NamedTuple):
    """What was looked at, and whether no harm was found."""

    names: int
    blobs: int
    stored_size: int
    good: bool


def check(
    root: str,
    tell: Callable[[Finding], object],
    progress: Progress = hidden,
    rate: int | None = None,
) -> Report:
    """Verifies the store in ``root``, at most ``rate`` bytes of it in a second; changes nothing.

    Raises :class:`~filetracker.errors.StoreUnusable` if that is no store, and ``OSError``.
    """
    check_directories(root)
    return _Check(root, tell, progress).run(Toll(rate).pay if rate else lambda size: None)


class _Check:
    def __init__(self, root: str, tell: Callable[[Finding], object], progress: Progress) -> None:
        self._root = root
        self._tell = tell
        self._progress = progress
        self._files = BlobFiles(root)
        self._links = Links(os.path.join(root, 'links'), '', '')
        #: The blobs in which something is wrong.
        self._bad: set[str] = set()
        self._good = True

    def run(self, pay: Callable[[int], object]) -> Report:
        blobs, stored_size = self._check_blobs(pay)
        names = self._check_names()
        return Report(names, blobs, stored_size, self._good)

    def _check_blobs(self, pay: Callable[[int], object]) -> tuple[int, int]:
        blobs = stored_size = 0
        files = (file for file in self._files.walk() if file.digest)
        with self._progress('verifying blobs', self._files.stored_bytes(), 'B') as step:
            for file, why in in_parallel(partial(trouble, pay), files):
                blobs += 1
                stored_size += file.stored_size
                step(file.stored_size)
                if why and file.digest:
                    self._bad.add(file.digest)
        return blobs, stored_size

    def _check_names(self) -> int:
        found, names = self._look()
        if found:
            time.sleep(_PAUSE)
            again = set(self._look()[0])
            # What does not stay so was in the middle of a change.
            for finding in found:
                if finding in again:
                    self._good = self._good and not finding.harm
                    self._tell(finding)
        return names

    def _look(self) -> tuple[list[Finding], int]:
        """Returns all that looks wrong now, and how many names there are."""
        with _names_of(self._root) as environment:
            with self._progress('checking names', None, 'names') as step:
                scrutiny = Scrutiny(environment, self._files, self._links, self._why)
                return list(scrutiny.all(step)), scrutiny.names

    def _why(self, digest: str) -> str:
        """Returns what is wrong with a blob that is there, ``''`` if nothing is."""
        if digest not in self._bad:
            return ''
        return trouble(lambda size: None, BlobFile(digest, self._files.path(digest), 0, False))


def trouble(pay: Callable[[int], object], file: BlobFile) -> str:
    """Returns what is wrong with a blob, ``''`` if nothing is or it is gone."""
    try:
        with open(file.path, 'rb') as blob:
            verdict = inspection.inspect(blob, pay)
    except FileNotFoundError:
        return ''
    if file.digest and verdict.digest == file.digest.lower():
        return ''
    return verdict.damage or 'it is the content of %s' % verdict.digest


@contextlib.contextmanager
def _names_of(root: str) -> Iterator[Environment | None]:
    """Yields a copy of the database; ``None`` if only the links tell of the names.

    So it is for a store of filetracker 2.3.3, also if it is in use, and where the database cannot
    be read.
    """
    with contextlib.ExitStack() as stack:
        environment = None
        with contextlib.suppress(StoreInUse):
            copy = stack.enter_context(present_database(root))
            if is_readable(copy):
                environment = stack.enter_context(contextlib.closing(Environment(copy)))
        known = environment and bulk.is_complete(environment) and not is_stale(environment.home)
        yield environment if known else None
