"""Work in forked children: they may die, and what they opened goes with them.

Only for processes that have one thread, such as :mod:`tests.faults.campaign`.
"""

from __future__ import annotations

import os
import pickle
import select
import signal
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple


class Ended(NamedTuple):
    """How a child ended: with what its function returned, or by a signal."""

    value: Any = None
    signal: int = 0


class ChildFailed(Exception):
    """The function raised in the child, and the message is its traceback; or it did not return."""


#: No child takes as long as that, in seconds.
PATIENCE = 60


def in_child(function: Callable[..., Any], *args: Any) -> Ended:
    """Calls a function in a forked child and waits for its end.

    The child ends without closing anything. Raises :class:`ChildFailed`.
    """
    return _end_of(*_fork(function, args), args)


def each_in_child(
    function: Callable[..., Any], cases: Iterable[tuple[Any, ...]]
) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Calls a function with each tuple of arguments, in children, as many at once as processors.

    Yields the arguments with what was returned, in no order. Raises :class:`ChildFailed`, also
    when a child is killed.
    """
    running: dict[int, tuple[int, tuple[Any, ...]]] = {}
    waiting = iter(cases)
    try:
        while True:
            while len(running) < (os.cpu_count() or 1):
                case = next(waiting, None)
                if case is None:
                    break
                pid, pipe = _fork(function, case)
                running[pipe] = pid, case
            if not running:
                return
            for pipe in select.select(list(running), [], [])[0]:
                pid, case = running.pop(pipe)
                yield case, _end_of(pid, pipe, case).value
    finally:
        for pid, _ in running.values():
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def _fork(function: Callable[..., Any], args: tuple[Any, ...]) -> tuple[int, int]:
    result, to_parent = os.pipe()
    sys.stdout.flush()
    pid = os.fork()
    if pid:
        os.close(to_parent)
        return pid, result
    try:
        os.close(result)
        signal.alarm(PATIENCE)
        try:
            said = True, function(*args)
        except BaseException:
            said = False, traceback.format_exc()
        with open(to_parent, 'wb') as file:
            pickle.dump(said, file)
    finally:
        os._exit(0)


def _end_of(pid: int, pipe: int, args: tuple[Any, ...]) -> Ended:
    with open(pipe, 'rb') as file:
        said = file.read()
    status = os.waitpid(pid, 0)[1]
    if os.WIFSIGNALED(status):
        if os.WTERMSIG(status) == signal.SIGALRM:
            raise ChildFailed('took longer than %d s: %r' % (PATIENCE, args))
        return Ended(signal=os.WTERMSIG(status))
    well, value = pickle.loads(said)
    if not well:
        raise ChildFailed(value)
    return Ended(value)
