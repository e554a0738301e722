"""What fails while the rest goes on, and several things at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from filetracker.client.exits import DONE, FAILED, complain
from filetracker.errors import FiletrackerError

PROGRAM = 'filetracker'

_PARALLEL = 8

T = TypeVar('T')


class Failures:
    """Says what failed, a line each, and knows what the exit status is then."""

    def __init__(self) -> None:
        self._count = 0

    def add(self, error: object) -> None:
        complain(PROGRAM, error)
        self._count += 1

    @property
    def status(self) -> int:
        return FAILED if self._count else DONE


def each(
    ask: Callable[[str], T], names: Iterable[str], failures: Failures
) -> Iterator[tuple[str, T]]:
    """Calls ``ask`` for each name, several at a time; yields names and answers in their order.

    For what fails with an error of filetracker nothing is yielded, but it is told.
    """

    def one(name: str) -> T | FiletrackerError:
        try:
            return ask(name)
        except FiletrackerError as error:
            return error

    names = list(names)
    if len(names) == 1:
        answers: Iterator[T | FiletrackerError] = map(one, names)
        yield from _good(names, answers, failures)
        return
    pool = ThreadPoolExecutor(_PARALLEL, PROGRAM)
    try:
        yield from _good(names, pool.map(one, names), failures)
    finally:
        pool.shutdown(cancel_futures=True)


def _good(
    names: list[str], answers: Iterable[T | FiletrackerError], failures: Failures
) -> Iterator[tuple[str, T]]:
    for name, answer in zip(names, answers, strict=True):
        if isinstance(answer, FiletrackerError):
            failures.add(answer)
        else:
            yield name, answer
