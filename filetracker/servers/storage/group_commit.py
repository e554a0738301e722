"""Group commit: what waits is committed together, and one flush makes it all durable."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import Any, Generic, TypeAlias, TypeVar

from filetracker.errors import StoreUnusable
from filetracker.servers.storage.together import wait_together

T = TypeVar('T')
Change = TypeVar('Change')

#: Is called with the result of a change behind its commit, before the next change; not to raise.
Then: TypeAlias = Callable[[T], object]

_MAX_BATCH = 256


def ignored(result: Any) -> None:
    """What is done with a result that nobody wants to know of."""


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
        self._waiting: queue.SimpleQueue[_Jobs[Change] | None] = queue.SimpleQueue()
        # The first is counted under the lock, the second by the thread alone.
        self._submitted = self._done = 0
        #: The thread that commits.
        self.thread = threading.Thread(target=self._run, name='filetracker-commit', daemon=True)
        self.thread.start()

    def waiting(self) -> int:
        """Returns how many changes were submitted and are not settled."""
        return self._submitted - self._done

    def submit(self, change: Change, then: Then[Any] = ignored) -> Any:
        """Commits and flushes ``change``; returns what ``commit`` returned, or raises it.

        Raises :class:`~filetracker.errors.StoreUnusable` after :meth:`close`.
        """
        return self._wait_for(_Job(change, then, is_flushed=True))

    def submit_unflushed(self, change: Change) -> Any:
        """Commits ``change``, which leaves nothing to be flushed; else as :meth:`submit`."""
        return self._wait_for(_Job(change, ignored, is_flushed=False))

    def _wait_for(self, job: _Job[Change]) -> Any:
        error = wait_together(self._settled, job)
        if error:
            raise error
        return job.result

    def _settled(self, jobs: list[_Job[Change]]) -> list[BaseException | None]:
        """Waits until all these jobs are done; returns their errors."""
        some = _Jobs(jobs)
        with self._lock:
            if not self._open:
                return [StoreUnusable('the store is closed')] * len(jobs)
            self._submitted += len(jobs)
            self._waiting.put(some)
        some.done.acquire()
        return [job.error for job in jobs]

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
            jobs = [some for some in batch if some is not None]
            self._settle(jobs)
            self._done += sum(len(some.jobs) for some in jobs)

    def _settle(self, batch: list[_Jobs[Change]]) -> None:
        held = []
        for some in batch:
            some.unflushed = [job for job in some.jobs if self._make(job)]
            if some.unflushed:
                held.append(some)
            else:
                some.done.release()
        try:
            if held:
                self._flush()
        except BaseException as error:
            for some in held:
                for job in some.unflushed:
                    job.error = error
        for some in held:
            some.done.release()

    def _make(self, job: _Job[Change]) -> bool:
        """Commits a job; returns whether it has to be flushed."""
        try:
            job.result = self._commit(job.change)
            job.then(job.result)
        except BaseException as error:
            job.error = error
        return job.is_flushed and job.error is None


class _Job(Generic[Change]):
    def __init__(self, change: Change, then: Then[Any], is_flushed: bool) -> None:
        self.change = change
        self.then = then
        self.is_flushed = is_flushed
        self.result: Any = None
        self.error: BaseException | None = None


class _Jobs(Generic[Change]):
    """Jobs of one thread, which waits for ``done`` to be released."""

    def __init__(self, jobs: list[_Job[Change]]) -> None:
        self.jobs = jobs
        self.unflushed: list[_Job[Change]] = []
        self.done = threading.Lock()
        self.done.acquire()
