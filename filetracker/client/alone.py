"""A local store that several processes use, without its server: its calls, with locks."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from typing import IO

from filetracker.client.data_store import DataStore
from filetracker.client.eviction import Bound
from filetracker.client.lock_manager import LockManager
from filetracker.client.names import parse_name
from filetracker.client.progress import Progress
from filetracker.errors import NameConflict


class Alone:
    """The calls of a store that have to be alone, or among readers, while they last."""

    def __init__(
        self, store: DataStore, lock_manager: LockManager, bound: Bound | None = None
    ) -> None:
        self._store = store
        self._lock_manager = lock_manager
        self._bound = bound

    def get_file(
        self, name: str, filename: str | os.PathLike[str], progress: Progress | None
    ) -> str:
        with self._locked(name, lambda lock: lock.lock_shared()):
            return self._store.get_file(name, filename, progress)

    def get_stream(self, name: str) -> tuple[IO[bytes], str]:
        with self._locked(name, lambda lock: lock.lock_shared()):
            return self._store.get_stream(name)

    def add_file(
        self, name: str, filename: str | os.PathLike[str], progress: Progress | None
    ) -> str:
        with self._locked(name, lambda lock: lock.lock_exclusive()):
            versioned = self._store.add_file(name, filename, progress=progress)
        if self._bound:
            self._bound.added(parse_name(name).stored)
        return versioned

    def delete_file(self, name: str) -> None:
        with self._locked(name, lambda lock: lock.lock_exclusive()):
            self._store.delete_file(name)

    @contextlib.contextmanager
    def _locked(self, name: str, take: Callable[[LockManager.Lock], None]) -> Iterator[None]:
        bare = parse_name(name).bare
        try:
            lock = self._lock_manager.lock_for(bare)
        except NameConflict:
            # There is no such file, nor can there be: the store says that in its own words.
            yield
            return
        try:
            take(lock)
            yield
        finally:
            lock.close(delete=not self._store.exists(bare))
