"""``filetracker-recover``: sets right whatever is wrong with a store that nobody has open.

``names`` is the truth. Where it is lost it is filled from ``links/`` first. Then: names whose
content cannot be read go, links are made what names say, blobs without a name go, and counts are
counted. What goes, goes to ``lost+found/``. Each step leaves a store that can be served and that
the next run sees as it was, so that the process may die anywhere.
"""

from __future__ import annotations

import contextlib
import os
import shutil

from filetracker.errors import StoreUnusable
from filetracker.servers.storage.bdb import Environment
from filetracker.servers.storage.directory_lock import locked
from filetracker.servers.storage.links import Links
from filetracker.servers.storage.lost_found import LostAndFound
from filetracker.servers.storage.pace import Progress, hidden
from filetracker.servers.storage.spool import empty_spool
from filetracker.servers.storage.upkeep.blob_files import BlobFiles
from filetracker.servers.storage.upkeep.contents import Inspect
from filetracker.servers.storage.upkeep.examination import is_readable
from filetracker.servers.storage.upkeep.ownership import kept
from filetracker.servers.storage.upkeep.repair import Parts, Report, Tell, repair
from filetracker.servers.storage.upkeep.sources import idle_database
from filetracker.servers.storage.upkeep.unchanged import (
    UnchangedBlobFiles,
    UnchangedLinks,
    UnchangedLostAndFound,
)


def recover(root: str, inspect: Inspect, tell: Tell, progress: Progress = hidden) -> Report:
    """Sets right the store in ``root``; what is found is told, one line each.

    ``inspect`` is ``quick`` or ``thorough`` of ``upkeep.contents``. Raises
    :class:`~filetracker.errors.StoreInUse` and :class:`~filetracker.errors.StoreUnusable`. If root
    does it, the files belong to the owner of the store nevertheless.
    """
    check_directories(root)
    with kept(root):
        return _recover(root, inspect, tell, progress)


def _recover(root: str, inspect: Inspect, tell: Tell, progress: Progress) -> Report:
    lost = LostAndFound(root)
    os.makedirs(os.path.join(root, 'spool'), 0o700, exist_ok=True)
    os.makedirs(os.path.join(root, 'links'), 0o700, exist_ok=True)
    if not is_readable(root):
        tell('the database cannot be read, and is made anew from links/')
        _set_database_aside(root, lost)
    links = Links(os.path.join(root, 'links'), os.path.join(root, 'spool'), lost_path(root))
    with contextlib.closing(Environment(root)) as environment:
        report = repair(Parts(environment, links, BlobFiles(root), lost), inspect, tell, progress)
        empty_spool(os.path.join(root, 'spool'))
    return report


def rehearse(root: str, inspect: Inspect, tell: Tell, progress: Progress = hidden) -> Report:
    """Tells what :func:`recover` would, and changes nothing.

    Works on a copy of the database, in the directory for temporary files.
    """
    check_directories(root)
    with idle_database(root) as copy:
        if not is_readable(copy):
            tell('the database cannot be read, and would be made anew from links/')
            shutil.rmtree(os.path.join(copy, 'db'))
        links = UnchangedLinks(os.path.join(root, 'links'), copy, lost_path(root))
        with contextlib.closing(Environment(copy)) as environment:
            parts = Parts(environment, links, UnchangedBlobFiles(root), UnchangedLostAndFound(root))
            return repair(parts, inspect, tell, progress)


def purge(root: str) -> None:
    """Removes for good what was moved to ``lost+found/``. Raises as :func:`recover` does."""
    check_directories(root)
    with locked(root):
        LostAndFound(root).purge()


def lost_path(root: str) -> str:
    return os.path.join(root, 'lost+found')


def check_directories(root: str) -> None:
    """Raises :class:`~filetracker.errors.StoreUnusable` if that is no store.

    One whose disk is not mounted must not be taken for one that lost everything.
    """
    if os.path.isdir(root):
        # Where that is not allowed nothing can be said of a store.
        os.listdir(root)
    if not os.path.isdir(os.path.join(root, 'blobs')):
        raise StoreUnusable('%s is not a store: it has no directory "blobs"' % root)
    says_names = ('links', os.path.join('db', 'names'))
    if not any(os.path.exists(os.path.join(root, path)) for path in says_names):
        raise StoreUnusable('%s has neither "links" nor "db/names": nothing knows the names' % root)


def _set_database_aside(root: str, lost: LostAndFound) -> None:
    with locked(root):
        lost.take(os.fsencode(os.path.join(root, 'db')), 'it could not be read')
