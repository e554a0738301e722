"""Syncs of files and folders: one by one where the disk is quick, at once where it is slow."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from filetracker.durable import begin_sync_of, sync_folder
from filetracker.servers.storage.together import wait_together

# Where a sync takes less, in seconds, threads would cost more time than they save.
_QUICK = 0.0003
# A slow disk is mostly one that takes many at once.
_THREADS = 32
# So many are synced one by one before it is looked again whether the disk is slow.
_FEW = 8


class Syncs:
    """Makes files and folders durable; what calls on one thread want is done together."""

    def __init__(self) -> None:
        self._seconds = 0.0
        # They end when nobody needs this any more.
        self._threads: ThreadPoolExecutor | None = None

    def file(self, descriptor: int) -> None:
        """Makes durable what a file holds. Raises ``OSError``."""
        _raise(wait_together(self._files, descriptor))

    def folder(self, path: str) -> None:
        """Makes durable which names a folder holds. Raises ``OSError``."""
        _raise(wait_together(self._folders, path))

    def _files(self, descriptors: list[int]) -> list[OSError | None]:
        if len(descriptors) == 1:
            return self._all(os.fsync, descriptors)
        # All of them are on their way before any is waited for.
        begun = [_error(begin_sync_of, descriptor) for descriptor in descriptors]
        synced = self._all(os.fsync, descriptors)
        # What could not be begun is told once.
        return [early or late for early, late in zip(begun, synced, strict=True)]

    def _folders(self, paths: list[str]) -> list[OSError | None]:
        different = list(dict.fromkeys(paths))
        errors = dict(zip(different, self._all(sync_folder, different), strict=True))
        return [errors[path] for path in paths]

    def _all(self, sync: Callable[[Any], None], items: list[Any]) -> list[OSError | None]:
        errors: list[OSError | None] = []
        while len(errors) < len(items):
            left = items[len(errors) :]
            if len(left) > 1 and self._seconds >= _QUICK:
                errors += self._at_once(sync, left)
            else:
                errors += self._in_turn(sync, left[:_FEW])
        return errors

    def _at_once(self, sync: Callable[[Any], None], items: list[Any]) -> list[OSError | None]:
        if self._threads is None:
            self._threads = ThreadPoolExecutor(_THREADS)
        threads = min(_THREADS, len(items))
        parts = [items[first::threads] for first in range(threads)]
        errors: list[OSError | None] = [None] * len(items)
        for first, some in enumerate(self._threads.map(partial(self._in_turn, sync), parts)):
            errors[first::threads] = some
        return errors

    def _in_turn(self, sync: Callable[[Any], None], items: list[Any]) -> list[OSError | None]:
        begun = time.perf_counter()
        errors = [_error(sync, item) for item in items]
        self._seconds += ((time.perf_counter() - begun) / len(items) - self._seconds) / 4
        return errors


def _error(sync: Callable[[Any], None], item: Any) -> OSError | None:
    try:
        sync(item)
    except OSError as error:
        return error
    return None


def _raise(error: OSError | None) -> None:
    if error:
        raise error
