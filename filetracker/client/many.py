"""Many files at once: in several threads, each file on its own."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple, Protocol

from filetracker.client.progress import Progress
from filetracker.errors import FiletrackerError

#: Called as ``progress(name, done, total)``, never by two threads at once. Otherwise as
#: :data:`~filetracker.client.progress.Progress`.
NamedProgress = Callable[[str, int, 'int | None'], None]


class Outcome(NamedTuple):
    """What became of one file of many.

    ``name`` and ``path`` are what was asked for. ``versioned`` is the versioned name, and ``None``
    if it failed; ``error`` says why, and is ``None`` if it did not.
    """

    name: str
    path: str | os.PathLike[str]
    versioned: str | None
    error: FiletrackerError | None


class Transfer(Protocol):
    """What is done to one file; returns the versioned name."""

    def __call__(
        self, name: str, path: str | os.PathLike[str], /, *, progress: Progress | None
    ) -> str: ...


class _Stopped(Exception):
    """Nobody waits for this file any more."""


def transfer_all(
    transfer: Transfer,
    files: Iterable[tuple[str, str | os.PathLike[str]]],
    parallel: int,
    progress: NamedProgress | None,
) -> list[Outcome]:
    """Transfers each of ``files``, up to ``parallel`` at a time; returns outcomes in their order.

    An error of filetracker ends one file, and no other. Anything else that is raised, also by
    ``progress``, and an interrupt, ends all: those under way are given up, and leave no trace.
    """
    if parallel < 1:
        raise ValueError('at least one file must be on its way at a time, not %d' % parallel)
    stopped = threading.Event()
    telling = threading.Lock()

    def one(name: str, path: str | os.PathLike[str]) -> Outcome:
        def told(done: int, total: int | None) -> None:
            if stopped.is_set():
                raise _Stopped
            if progress is not None:
                with telling:
                    progress(name, done, total)

        if stopped.is_set():
            raise _Stopped
        try:
            return Outcome(name, path, transfer(name, path, progress=told), None)
        except FiletrackerError as error:
            return Outcome(name, path, None, error)

    with ThreadPoolExecutor(parallel, 'filetracker') as pool:
        try:
            under_way = [pool.submit(one, name, path) for name, path in files]
            return [future.result() for future in under_way]
        except BaseException:
            stopped.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise
