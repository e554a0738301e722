"""Doing the same to many things on several threads."""

from __future__ import annotations

import collections
import itertools
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar('T')
R = TypeVar('R')

_BATCH = 32
_BATCHES_AHEAD = 4


def in_parallel(function: Callable[[T], R], things: Iterable[T]) -> Iterator[tuple[T, R]]:
    """Yields each thing with what ``function`` returns for it, in order.

    More threads than there are processors call it, as some will wait for the disk; ``things`` is
    read by the caller's, and not far ahead.
    """
    workers = 2 * (os.cpu_count() or 1)
    rest = iter(things)
    waiting: collections.deque[Future[list[tuple[T, R]]]] = collections.deque()
    with ThreadPoolExecutor(workers) as pool:
        try:
            while True:
                while len(waiting) < workers * _BATCHES_AHEAD:
                    batch = list(itertools.islice(rest, _BATCH))
                    if not batch:
                        break
                    waiting.append(pool.submit(_each, function, batch))
                if not waiting:
                    return
                yield from waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def _each(function: Callable[[T], R], things: list[T]) -> list[tuple[T, R]]:
    return [(thing, function(thing)) for thing in things]
