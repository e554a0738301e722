"""Copying all files of a source to a server, many at once."""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from enum import Enum

from filetracker.client.migration.sources import Item, PassedOver, Source
from filetracker.client.migration.target import Target
from filetracker.errors import ConnectionFailed, FiletrackerError, ServerError

#: How many files are on their way at once.
WORKERS = 16

# A server that is started again, or a connection that it has given up meanwhile, costs that much.
_PAUSES = (0.0, 0.3, 1.0, 2.0, 4.0)
_PASSING = (502, 503, 504)
_FULL = 507


class Outcome(Enum):
    """What became of a file."""

    COPIED = 'copied'
    #: The same version is there or a newer one, or it was deleted there since.
    SKIPPED = 'skipped'
    #: The source has it no more.
    GONE = 'gone'
    FAILED = 'failed'


class Watcher(ABC):
    """Who hears how copying goes; called by one thread at a time."""

    @abstractmethod
    def read(self, count: int) -> None:
        """So many more bytes were read, or need not be."""

    @abstractmethod
    def failed(self, place: str, why: str) -> None:
        """What is in that place was not copied."""

    @abstractmethod
    def done(self, outcome: Outcome) -> None:
        """One more file has come to its end."""


class Copying:
    """Copies the files of ``source`` to ``target`` and tells ``watcher`` of each."""

    def __init__(self, source: Source, target: Target, watcher: Watcher) -> None:
        self._source = source
        self._target = target
        self._watcher = watcher
        self._lock = threading.Lock()
        self._end: BaseException | None = None
        self._items: Iterator[Item | PassedOver] = iter(())
        self._there: set[str] = set()
        # Files that failed one after the other because a server could not be reached.
        self._unreached = 0

    def run(self) -> None:
        """Copies; what fails is told, and the rest goes on.

        Can be run again, as often as need be: what is there already is passed over quickly. Raises
        :class:`~filetracker.errors.FiletrackerError` if it cannot begin or a server has gone away.
        """
        self._target.check()
        self._there = self._target.names()
        self._items = self._source.items()
        threads = [threading.Thread(target=self._work, daemon=True) for _ in range(WORKERS)]
        for thread in threads:
            thread.start()
        try:
            for thread in threads:
                thread.join()
        except BaseException as error:
            self._end = error
            raise
        if self._end:
            raise self._end

    def _work(self) -> None:
        while not self._end:
            try:
                with self._lock:
                    item = next(self._items, None)
                    if isinstance(item, PassedOver):
                        self._watcher.failed(*item)
                        self._watcher.done(Outcome.FAILED)
                        continue
                if item is None:
                    return
                self._treat(item)
            except BaseException as error:
                self._end = self._end or error

    def _treat(self, item: Item) -> None:
        read = 0

        def told(count: int) -> None:
            nonlocal read
            read += count
            with self._lock:
                self._watcher.read(count)

        why = ''
        try:
            outcome = self._insist(item, told)
            self._unreached = 0
        except (FiletrackerError, OSError) as error:
            outcome = Outcome.FAILED
            why = getattr(error, 'strerror', None) or str(error)
            if getattr(error, 'status', None) == _FULL:
                # So it would be for all that follow, in a line for each.
                raise FiletrackerError(
                    '%s: %s; run it again when there is room' % (item.place, why)
                ) from error
            if isinstance(error, ConnectionFailed):
                self._unreached += 1
                if self._unreached >= WORKERS:
                    raise
        with self._lock:
            if outcome is Outcome.FAILED:
                self._watcher.failed(item.place, why)
            if item.size is not None:
                self._watcher.read(item.size - read)
            self._watcher.done(outcome)

    def _insist(self, item: Item, told) -> Outcome:
        for pause in _PAUSES:
            try:
                return self._copy(item, told)
            except (ConnectionFailed, ServerError) as error:
                if self._end or getattr(error, 'status', 503) not in _PASSING:
                    raise
                time.sleep(pause)
        return self._copy(item, told)

    def _copy(self, item: Item, told) -> Outcome:
        if item.name in self._there:
            wanted = self._source.version(item)
            if wanted is None:
                return Outcome.GONE
            there = self._target.version(item.name)
            if there is not None and there >= wanted:
                return Outcome.SKIPPED
        with self._source.open(item, told) as content:
            if content is None:
                return Outcome.GONE
            is_stored = self._target.put(item.name, content)
        return Outcome.COPIED if is_stored else Outcome.SKIPPED
