"""Group commit: what waits is committed together, and one flush makes it all durable."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Generic, TypeVar

from filetracker.errors import StoreUnusable

T = TypeVar('T')
Change = TypeVar('Change')

_MAX_BATCH = 256


class GroupCommit(Generic[Change]):
    """One thread that commits changes, a batch at a time.

    ``commit(change)`` makes one change, which need not be durable yet; ``flush()`` makes durable
    what was committed. If a flush fails, all that it was for fail with its error.
    """

    def __init__(self, commit: Callable[[Change], Any], flush: Callable[[], None]) -> None:
        self._commit = commit
        self._flush = flush
        self._open = True
        self._lock = threading.Lock()
        self._waiting: queue.SimpleQueue[_Job[Change] | None] = queue.SimpleQueue()
        #: The thread that commits.
        self.thread = threading.Thread(target=self._run, name='filetracker-commit', daemon=True)
        self.thread.start()

    def submit(self, change: Change) -> Any:
        """Commits and flushes ``change``; returns what ``commit`` returned, or raises it.

        Raises :class:`~filetracker.errors.StoreUnusable` after :meth:`close`.
        """
        return self._wait_for(_Job(change, is_flushed=True))

    def submit_unflushed(self, change: Change) -> Any:
        """Commits ``change``, which leaves nothing to be flushed; else as :meth:`submit`."""
        return self._wait_for(_Job(change, is_flushed=False))

    def _wait_for(self, job: _Job[Change]) -> Any:
        with self._lock:
            if not self._open:
                raise StoreUnusable('the store is closed')
            self._waiting.put(job)
        return job.future.result()

    def close(self) -> None:
        """Ends the thread when all is done that was submitted before."""
        with self._lock:
            self._open = False
            self._waiting.put(None)
        self.thread.join()

    def _run(self) -> None:
        ended = False
        while not ended:
            batch = [self._waiting.get()]
            while len(batch) < _MAX_BATCH and not self._waiting.empty():
                batch.append(self._waiting.get())
            ended = None in batch
            self._settle([job for job in batch if job is not None])

    def _settle(self, batch: list[_Job[Change]]) -> None:
        committed = []
        for job in batch:
            try:
                result = self._commit(job.change)
            except BaseException as error:
                job.future.set_exception(error)
            else:
                if job.is_flushed:
                    committed.append((job.future, result))
                else:
                    job.future.set_result(result)
        try:
            if committed:
                self._flush()
        except BaseException as error:
            for future, _ in committed:
                future.set_exception(error)
        else:
            for future, result in committed:
                future.set_result(result)


class _Job(Generic[Change]):
    def __init__(self, change: Change, is_flushed: bool) -> None:
        self.change = change
        self.is_flushed = is_flushed
        self.future: Future[Any] = Future()
