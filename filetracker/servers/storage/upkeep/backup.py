"""``filetracker-backup``: a copy of a store as it is at one instant, also while it is served.

The copy is a store itself. At each moment it is, for whoever opens it, as of the last backup that
came to its end: blobs come first, then the database as a whole takes the place of the old one, then
links follow and blobs go that have no name any more. Should there be no database for a moment, the
links still tell what the old one told.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator
from typing import NamedTuple

import six

from filetracker.durable import replacing, reporting_full_disk, sync_folder
from filetracker.errors import StoreUnusable
from filetracker.servers.storage import bulk
from filetracker.servers.storage.bdb import Environment
from filetracker.servers.storage.bulk import Change, Counts, Totals
from filetracker.servers.storage.directory_lock import locked
from filetracker.servers.storage.links import Links
from filetracker.servers.storage.pace import Progress, hidden
from filetracker.servers.storage.snapshots import copy_database
from filetracker.servers.storage.spool import empty_spool
from filetracker.servers.storage.upkeep.blob_files import BlobFiles
from filetracker.servers.storage.upkeep.copying import BlobCopies, Wanted
from filetracker.servers.storage.upkeep.parallel import in_parallel
from filetracker.servers.storage.upkeep.recovery import check_directories
from filetracker.servers.storage.upkeep.sources import held_database

Tell = Callable[[str], object]

_MARK = 'backup'
_DIRECTORIES = ('blobs', 'links', 'spool')


class Backup(NamedTuple):
    """What there is in the copy, what was copied, and of how many names the content is missing."""

    totals: Totals
    blobs: int
    stored_size: int
    missing: int


def back_up(root: str, target: str, tell: Tell, progress: Progress = hidden) -> Backup:
    """Makes ``target`` a copy of the store in ``root``, copying only what it does not have.

    Names whose content is missing are told, and left out. Raises
    :class:`~filetracker.errors.StoreInUse`, also if the copy is served,
    :class:`~filetracker.errors.StoreUnusable`, :class:`~filetracker.errors.StoreFull` and
    ``OSError``.
    """
    check_directories(root)
    _check_apart(root, target)
    with reporting_full_disk('for the backup'):
        _claim(root, target)
        return _Backup(root, target, tell, progress).run()


class _Backup:
    def __init__(self, root: str, target: str, tell: Tell, progress: Progress) -> None:
        self._root = root
        self._target = target
        self._tell = tell
        self._progress = progress
        self._home = os.path.join(target, 'db')
        self._old = os.path.join(target, 'db-old')
        self._next = os.path.join(target, 'next')
        self._counts = Counts()

    def run(self) -> Backup:
        with locked(self._target):
            for name in _DIRECTORIES:
                os.makedirs(os.path.join(self._target, name), 0o700, exist_ok=True)
            empty_spool(os.path.join(self._target, 'spool'))
            for left in (self._next, self._old):
                shutil.rmtree(left, ignore_errors=True)
            os.mkdir(self._next, 0o700)
            done = self._copy()
            # Contents before names, also after a loss of power.
            os.sync()
            self._swap()
        self._follow()
        return done

    def _copy(self) -> Backup:
        """Brings the blobs here, and the database into the folder ``next``."""
        with held_database(self._root) as held:
            copy_database(held, self._next)
            with contextlib.closing(Environment(self._next)) as environment:
                blobs, stored_size, absent = self._copy_blobs(environment)
        with contextlib.closing(Environment(self._next)) as environment:
            missing = self._leave_out(absent, environment)
            with self._progress('counting', None, 'names') as step:
                totals = bulk.recount(environment, (), step)
        return Backup(totals, blobs, stored_size, missing)

    def _copy_blobs(self, environment: Environment) -> tuple[int, int, set[str]]:
        """Returns how many the target had not, and their bytes; and what cannot be had."""
        blobs = size = 0
        absent = set()
        copies = BlobCopies(self._root, self._target)
        with self._progress('copying blobs', None, 'B') as step:
            for wanted, copied in in_parallel(copies.copy, self._wanted(environment)):
                step(wanted.stored_size)
                if copied is None:
                    absent.add(wanted.digest)
                elif copied:
                    blobs += 1
                    size += copied
        return blobs, size, absent

    def _wanted(self, environment: Environment) -> Iterator[Wanted]:
        for page in bulk.pages(environment):
            for _, entry in page:
                if self._counts.add(entry.digest):
                    yield Wanted(entry.digest, entry.stored_size)

    def _leave_out(self, absent: set[str], environment: Environment) -> int:
        """Leaves out the names whose content is missing; returns how many."""
        missing = 0
        for page in bulk.pages(environment) if absent else ():
            gone = [Change(name, entry, None) for name, entry in page if entry.digest in absent]
            bulk.apply(environment, gone)
            missing += len(gone)
            for name, _, _ in gone:
                self._tell('%s: its content is missing' % name)
        return missing

    def _swap(self) -> None:
        if os.path.lexists(self._home):
            os.rename(self._home, self._old)
        os.rename(os.path.join(self._next, 'db'), self._home)
        sync_folder(self._target)
        shutil.rmtree(self._old, ignore_errors=True)
        shutil.rmtree(self._next)

    def _follow(self) -> None:
        """Makes links and blobs what the names say, which are the truth already."""
        links = Links(
            os.path.join(self._target, 'links'),
            os.path.join(self._target, 'spool'),
            os.path.join(self._target, 'lost+found'),
        )
        with contextlib.closing(Environment(self._target)) as environment:
            for encoded, _ in links.scan():
                if not _is_name(environment, encoded):
                    path = links.path(encoded)
                    os.unlink(path)
                    links.tidy(path)
            with self._progress('making links', None, 'names') as step:
                for page in bulk.pages(environment):
                    for name, entry in page:
                        if not links.leads_to(name, entry.digest, entry.version):
                            links.set(name, entry.digest, entry.version)
                    step(len(page))
            for file in BlobFiles(self._target).walk():
                if not file.digest or file.digest not in self._counts:
                    os.unlink(file.path)


def _is_name(environment: Environment, encoded: bytes) -> bool:
    try:
        return bool(bulk.find(environment, six.ensure_str(encoded)))
    except UnicodeDecodeError:
        return False


def _check_apart(root: str, target: str) -> None:
    paths = [os.path.realpath(path) for path in (root, target)]
    if os.path.commonpath(paths) in paths:
        raise StoreUnusable('the backup of %s cannot be in %s' % (root, target))


def _claim(root: str, target: str) -> None:
    """Makes the target, or sees that it is a backup: no other store is ever written over."""
    mark = os.path.join(target, _MARK)
    os.makedirs(target, 0o700, exist_ok=True)
    if os.listdir(target) and not os.path.exists(mark):
        raise StoreUnusable('%s is not empty and not a backup' % target)
    with replacing(mark) as file:
        file.write(six.ensure_binary('of %s, by filetracker-backup\n' % os.path.abspath(root)))
