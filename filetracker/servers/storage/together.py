"""Many calls on one thread: where they wait for the disk, they wait together.

Each call is written as if it were alone. Where it says that it waits, the others go on until all
wait; then what is waited for is done for all of them at once. So a hundred small files cost a few
turns of threads, and not a few each.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from greenlet import getcurrent, greenlet

T = TypeVar('T')

#: What a call returned, or the error that it raised.
Outcome = tuple[Any, BaseException | None]

_running = threading.local()


def run_together(calls: Sequence[Callable[[], Any]]) -> list[Outcome]:
    """Makes calls, on this thread and at once; returns what came of each, in their order.

    No call may wait for another one, other than by :func:`wait_together`, nor make such calls.
    """
    outcomes: list[Outcome] = [(None, None)] * len(calls)

    def run(index: int) -> None:
        try:
            outcomes[index] = calls[index](), None
        except BaseException as error:
            # Whatever it is, the others have to come to their ends.
            outcomes[index] = None, error

    _running.parent = getcurrent()
    try:
        waiting: list[tuple[greenlet, Any]] = [(greenlet(run), n) for n in range(len(calls))]
        while waiting:
            # It gives what it waits for, and nothing when it is at its end.
            asked = [(call, call.switch(said)) for call, said in waiting]
            waiting = []
            acts: dict[Any, list[Any]] = {}
            for call, wish in asked:
                if wish:
                    acts.setdefault(wish[0], []).append((call, wish[1]))
            for act, wishes in acts.items():
                answers = _answers(act, [item for _, item in wishes])
                waiting += zip((call for call, _ in wishes), answers, strict=True)
    finally:
        _running.parent = None
    return outcomes


def _answers(act: Callable[[list[Any]], list[Any]], items: list[Any]) -> list[Outcome]:
    try:
        return [(answer, None) for answer in act(items)]
    except BaseException as error:
        return [(None, error)] * len(items)


def wait_together(act: Callable[[list[T]], list[Any]], item: T) -> Any:
    """Returns what ``act`` returns for ``item``: of a list of items it returns a list.

    Where this is one of the calls of :func:`run_together`, it is for all of them who wait for the
    same ``act``. Raises what that raises.
    """
    parent = getattr(_running, 'parent', None)
    if not parent:
        return act([item])[0]
    answer, error = parent.switch((act, item))
    if error:
        raise error
    return answer
