"""Where everything runs that blocks or computes: real threads, while other greenlets go on."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

import gevent
from gevent.hub import Waiter
from gevent.threadpool import ThreadPool

from filetracker.errors import NotWritable, StoreUnusable
from filetracker.servers.storage import Outcome, run_together

logger = logging.getLogger(__name__)

_LAST_WORDS = 0.5
_GAVE_UP = 3
# How many threads make short calls together. With more of them each has fewer to make, and they are
# in the way of each other; one alone has nothing to do while the disk syncs.
_TOGETHER = 2

T = TypeVar('T')


class Pool:
    """Calls functions on ``size`` real threads, while other greenlets go on."""

    def __init__(self, size: int) -> None:
        self._threads = ThreadPool(size)
        self._size = size
        self._calls = 0
        self._gave_up = False
        self._short: list[tuple[Callable[[], Any], Waiter[Outcome]]] = []
        self._most = min(size, _TOGETHER)
        self._busy = 0
        self._is_due = False
        #: Called when the store can only be read.
        self.when_not_writable: Callable[[], object] = lambda: None

    def __call__(self, function: Callable[..., T], *arguments: Any) -> T:
        self._calls += 1
        try:
            outcome = self._threads.apply(_outcome, (function, arguments))
        finally:
            self._calls -= 1
        result: T = self._result(outcome)
        return result

    def waiting(self) -> int:
        """Returns how many calls wait for a thread."""
        return max(0, self._calls + self._busy - self._size) + len(self._short)

    def together(self, function: Callable[..., T], *arguments: Any) -> T:
        """Calls a function that takes little time, but for waiting for the disk.

        Others that are called so wait with it (:func:`run_together`).
        """
        waiter: Waiter[Outcome] = Waiter()
        self._short.append((partial(function, *arguments), waiter))
        if self._busy < self._most and not self._is_due:
            # Behind all others who have come by now.
            self._is_due = True
            gevent.get_hub().loop.run_callback(self._share)
        returned: T = self._result(waiter.get())
        return returned

    def _share(self) -> None:
        """Gives those that wait to the threads that are free, in equal parts."""
        self._is_due = False
        while self._short and self._busy < self._most:
            count = -(-len(self._short) // (self._most - self._busy))
            some, self._short = self._short[:count], self._short[count:]
            self._busy += 1
            gevent.spawn(self._run, some)

    def _run(self, some: list[tuple[Callable[[], Any], Waiter[Outcome]]]) -> None:
        try:
            outcomes = self._threads.apply(run_together, ([call for call, _ in some],))
        except Exception as error:
            # There is no thread to be had.
            outcomes = [(None, error)] * len(some)
        self._busy -= 1
        call_back = gevent.get_hub().loop.run_callback
        for (_, waiter), outcome in zip(some, outcomes, strict=True):
            call_back(waiter.switch, outcome)
        self._share()

    def _result(self, outcome: Outcome) -> Any:
        result, error = outcome
        if error is None:
            return result
        if isinstance(error, NotWritable):
            self.when_not_writable()
        elif isinstance(error, StoreUnusable):
            self._give_up()
        raise error

    def _give_up(self) -> None:
        """Ends this process soon: only one that opens the store anew can use it again."""
        if not self._gave_up:
            self._gave_up = True
            logger.critical('the store cannot be used any more by this process')
            gevent.spawn_later(_LAST_WORDS, os._exit, _GAVE_UP)


def _outcome(function: Callable[..., Any], arguments: tuple[Any, ...]) -> Outcome:
    # An error that gets through to the pool is printed by it.
    try:
        return function(*arguments), None
    except Exception as error:
        return None, error
