"""Operations whose disk refuses a call, and the stores that they leave."""

from __future__ import annotations

import errno
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from filetracker.errors import FiletrackerError, NotFound, NotWritable, StoreUnusable
from filetracker.servers.storage import FileStorage
from tests.faults import operations
from tests.faults.audit import check_all, read_state, use
from tests.faults.copies import copy, rehearse
from tests.faults.forks import each_in_child, in_child
from tests.faults.killing import spread
from tests.faults.operations import BY_NAME, Act, Operation
from tests.faults.shim import CHANGES, GROWTH, READS, Shim
from tests.faults.stores import State, close_all, opened, told

#: What a campaign returns: how often a call was refused and what came of it, and what was wrong.
Report = dict[str, Any]

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)


class Fault(NamedTuple):
    """What goes wrong at the nth call of some kinds: ``strike(shim, kinds, nth)``."""

    kinds: int
    strike: Callable[[Shim, int, int], None]
    lasts: bool = False


#: By what the disk is then.
FAULTS = {
    'full': Fault(GROWTH, Shim.fill_at, lasts=True),
    'over quota': Fault(GROWTH, partial(Shim.refuse, error=errno.EDQUOT)),
    'failing': Fault(CHANGES, partial(Shim.refuse, error=errno.EIO)),
    'read-only': Fault(CHANGES, partial(Shim.refuse_from, error=errno.EROFS), lasts=True),
    'unreadable': Fault(READS, partial(Shim.refuse, error=errno.EIO)),
}


class _Answer(NamedTuple):
    """What came of an operation: the name of its error or ``done``, and what was wrong then."""

    error: str
    problems: list[str]

    @property
    def is_unsure(self) -> bool:
        """Whether nobody can know what will be there when the store is opened again."""
        return self.error in (StoreUnusable.__name__, NotWritable.__name__)


def refuse(scratch: str, name: str, disk: str, most: int, shift: float) -> Report:
    """Lets a disk refuse something to an operation, at each call that it may refuse.

    At most at so many of them. What lasts ends when the operation does.
    """
    operation, fault = BY_NAME[name], FAULTS[disk]
    calls = rehearse(scratch, operation, partial(_count_calls, scratch, fault.kinds))
    report: Report = {'tried': 0, 'answers': {}, 'problems': []}
    points = spread(range(1, calls + 1), most, shift)
    cases = ((scratch, operation, disk, nth) for nth in points)
    for (*_, nth), (answer, problems) in each_in_child(_trial, cases):
        report['tried'] += 1
        report['answers'][answer.error] = report['answers'].get(answer.error, 0) + 1
        report['problems'] += [
            'call %d, %s: %s' % (nth, answer.error, problem) for problem in problems
        ]
    return report


def _count_calls(root: str, kinds: int, base_dir: str, begin: Callable[[str], Act]) -> int:
    act = begin(base_dir)
    shim = Shim(root)
    shim.count(kinds)
    act()
    return shim.stop()


def _trial(scratch: str, operation: Operation, disk: str, nth: int) -> tuple[_Answer, list[str]]:
    with copy(scratch) as base_dir:
        attempt = _attempt if operation in operations.CHANGES else _start_or_stop
        answer = in_child(attempt, scratch, base_dir, operation, FAULTS[disk], nth).value
        allowed = [operation.before, operation.after]
        if not answer.is_unsure:
            # Whatever the answer was, the operation has been done again.
            allowed = [operation.after]
        problems = in_child(_examine, base_dir, allowed).value
        return answer, answer.problems + ['opened again: %s' % problem for problem in problems]


def _start_or_stop(
    root: str, base_dir: str, operation: Operation, fault: Fault, nth: int
) -> _Answer:
    act = operation.begin(base_dir)
    shim = Shim(root)
    fault.strike(shim, fault.kinds, nth)
    answer = _answer_of(act)
    shim.stop()
    return answer


def _attempt(root: str, base_dir: str, operation: Operation, fault: Fault, nth: int) -> _Answer:
    """Does an operation that meets a fault, then reads, then does it again without."""
    store = opened(base_dir)
    act = operation.begin(base_dir)
    shim = Shim(root)
    fault.strike(shim, fault.kinds, nth)
    answer = _answer_of(act)
    allowed = [operation.after if answer.error == 'done' else operation.before]
    if answer.is_unsure:
        allowed = [operation.before, operation.after]
    if not fault.lasts:
        shim.stop()
    answer.problems.extend('meanwhile: %s' % problem for problem in _check_state(store, allowed))
    shim.stop()
    answer.problems.extend('then: %s' % problem for problem in _check_state(store, allowed))
    if not answer.is_unsure:
        again = _answer_of(act)
        if again.error == NotWritable.__name__:
            # A server does so by itself.
            close_all()
            again = _answer_of(operation.begin(base_dir))
            store = opened(base_dir)
        if again.error not in ('done', NotFound.__name__):
            answer.problems.append('done again: %s' % again.error)
        answer.problems.extend(_check_state(store, [operation.after]))
    return answer


def _answer_of(act: Act) -> _Answer:
    try:
        act()
    except (FiletrackerError, OSError) as error:
        problems = []
        if not isinstance(error, FiletrackerError) and error.errno in _NO_ROOM:
            problems.append('not told that there is no room: %r' % error)
        if isinstance(error, NotFound):
            problems.append('an error is read as absent: %r' % error)
        return _Answer(type(error).__name__, problems)
    except Exception as error:
        return _Answer('%r' % error, ['not an error of ours: %r' % error])
    return _Answer('done', [])


def _check_state(store: FileStorage, allowed: list[State]) -> list[str]:
    try:
        state, problems = read_state(store)
    except (FiletrackerError, OSError) as error:
        return ['nothing can be read: %r' % error]
    if state not in allowed:
        problems.append('holds %s, not one of %s' % (told(state), [told(one) for one in allowed]))
    return problems


def _examine(base_dir: str, allowed: list[State]) -> list[str]:
    store = FileStorage(base_dir)
    problems = check_all(store, allowed)
    problems += use(store, allowed[-1])
    store.close()
    return problems
