"""A store as it is at one instant, while it goes on being used."""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from functools import partial

from filetracker.errors import FiletrackerError
from filetracker.servers.storage.bdb import Environment, Transaction
from filetracker.servers.storage.environments import acquire_environment, release_environment
from filetracker.servers.storage.file_storage import open_storage
from filetracker.servers.storage.holds import Holds, holds_of

logger = logging.getLogger(__name__)


@contextlib.contextmanager
def snapshot(root: str) -> Iterator[str]:
    """Opens a store, or shares it with who has it open in this process, and takes a snapshot.

    Yields a directory in the store whose ``db/`` is that of one instant. Until the end, when the
    directory goes, all blobs of that instant are there. Raises as
    :func:`~filetracker.servers.storage.open_storage` does, and ``OSError``.
    """
    with contextlib.closing(open_storage(root)):
        environment = acquire_environment(root, lambda environment: None)
        try:
            with (
                _held(environment),
                tempfile.TemporaryDirectory(
                    prefix='snapshot-', dir=os.path.join(root, 'spool')
                ) as folder,
            ):
                environment.alone(partial(_copy, environment, folder))
                yield folder
        finally:
            release_environment(environment)


def copy_database(root: str, folder: str) -> None:
    """Copies ``db/`` of a store, which nobody changes meanwhile, into a folder.

    Raises ``OSError`` for the first file that cannot be copied.
    """
    # Not shutil.copytree: it goes on after an error, and tells all in the end as no system does.
    source, target = os.path.join(root, 'db'), os.path.join(folder, 'db')
    os.mkdir(target, stat.S_IMODE(os.stat(source).st_mode))
    with os.scandir(source) as entries:
        for entry in entries:
            if entry.name != 'ballast' and entry.is_file():
                shutil.copy2(entry.path, os.path.join(target, entry.name))


def _copy(environment: Environment, folder: str, transaction: Transaction) -> None:
    # Nobody else writes now; behind a checkpoint there is nothing left that could be.
    environment.checkpoint()
    copy_database(os.path.dirname(environment.home), folder)


@contextlib.contextmanager
def _held(environment: Environment) -> Iterator[None]:
    holds: Holds = environment.alone(lambda transaction: holds_of(environment))
    environment.alone(holds.take)
    try:
        yield
    finally:
        try:
            for collect in environment.alone(holds.release):
                collect()
        except (FiletrackerError, OSError) as error:
            # There are notes of these blobs for the next start.
            logger.warning('blobs that were held for a copy stay for now: %s', error)
