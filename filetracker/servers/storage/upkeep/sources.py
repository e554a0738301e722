"""Copies of the database of a store, for those who look at the store and do not change it."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator

from filetracker.servers.storage.control import ask
from filetracker.servers.storage.directory_lock import locked
from filetracker.servers.storage.snapshots import copy_database, snapshot


@contextlib.contextmanager
def idle_database(root: str) -> Iterator[str]:
    """Yields a directory for temporary files with a copy of ``db/``, if there is one.

    Raises :class:`~filetracker.errors.StoreInUse`.
    """
    with tempfile.TemporaryDirectory(prefix='filetracker-') as copy:
        with locked(root):
            if os.path.isdir(os.path.join(root, 'db')):
                copy_database(root, copy)
        yield copy


@contextlib.contextmanager
def present_database(root: str) -> Iterator[str]:
    """Yields the same of a store that may be served, as of now.

    Raises :class:`~filetracker.errors.StoreInUse` if others than a server use it.
    """
    with tempfile.TemporaryDirectory(prefix='filetracker-') as copy:
        with ask(root) as folder:
            if folder:
                copy_database(folder, copy)
        if folder:
            yield copy
            return
    with idle_database(root) as copy:
        yield copy


@contextlib.contextmanager
def held_database(root: str) -> Iterator[str]:
    """Yields a directory with a copy of ``db/``; until the end, none of its blobs goes.

    A store that nobody serves is opened for it. Raises as
    :func:`~filetracker.servers.storage.open_storage` does.
    """
    with ask(root) as folder:
        if folder:
            yield folder
            return
    with snapshot(root) as folder:
        yield folder
