"""Operations that are killed at every point, and the stores that they leave."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from filetracker.errors import NotFound
from filetracker.servers.storage import FileStorage
from tests.faults import lines
from tests.faults.audit import check_all, read_state, use
from tests.faults.copies import copy, rehearse
from tests.faults.forks import each_in_child, in_child
from tests.faults.operations import BY_NAME, Act, Operation
from tests.faults.shim import CHANGES, Shim
from tests.faults.stores import OLD, State, fill, opened
from tests.support import wait_for

#: What a campaign returns: how often the process was killed, and what was wrong afterwards.
Report = dict[str, Any]


def at_lines(scratch: str, name: str, executions: int, most: int, shift: float) -> Report:
    """Kills an operation at the lines of the storage that it executes.

    At each of the first ``executions`` times that it comes to a line, or with 0 at all; of these
    points at most so many, which lie evenly.
    """
    operation = BY_NAME[name]
    points = rehearse(scratch, operation, lines.points_of)
    if executions:
        points = [point for point in points if point[2] <= executions]
    return _kill(scratch, operation, lines.die_at, spread(points, most, shift))


def at_calls(scratch: str, name: str, most: int, shift: float) -> Report:
    """Kills an operation at the calls that change the disk, at most at so many.

    And once behind all of them, where it has answered.
    """
    operation = BY_NAME[name]
    calls = rehearse(scratch, operation, partial(_count_calls, scratch))
    points = [*spread(range(1, calls + 1), most, shift), calls + 1]
    return _kill(scratch, operation, partial(_die_at_call, scratch), points)


def spread(points: Sequence[Any], most: int, shift: float) -> list[Any]:
    """Returns at most so many of some points, which lie evenly; with 0 all.

    ``shift``, from 0 to 1, says how far behind the first.
    """
    if not most or len(points) <= most:
        return list(points)
    step = len(points) / most
    return [points[int((number + shift) * step)] for number in range(most)]


def _count_calls(root: str, base_dir: str, begin: Callable[[str], Act]) -> int:
    act = begin(base_dir)
    shim = Shim(root)
    shim.count(CHANGES)
    act()
    return shim.stop()


def _die_at_call(root: str, base_dir: str, begin: Callable[[str], Act], nth: int) -> None:
    act = begin(base_dir)
    shim = Shim(root)
    shim.kill_at(CHANGES, nth)
    act()
    shim.stop()


def _kill(
    scratch: str, operation: Operation, die: Callable[..., None], points: list[Any]
) -> Report:
    report: Report = {'tried': 0, 'killed': 0, 'new': 0, 'problems': []}
    cases = ((scratch, operation, die, point) for point in points)
    for (_, _, _, point), (killed, is_new, problems) in each_in_child(_trial, cases):
        report['tried'] += 1
        report['killed'] += killed
        report['new'] += is_new
        report['problems'] += ['%s: %s' % (point, problem) for problem in problems]
    return report


def _trial(
    scratch: str, operation: Operation, die: Callable[..., None], point: Any
) -> tuple[bool, bool, list[str]]:
    with copy(scratch) as base_dir:
        end = in_child(die, base_dir, operation.begin, point)
        killed = bool(end.signal)
        allowed = [operation.before, operation.after] if killed else [operation.after]
        return killed, *in_child(examine, base_dir, operation, allowed).value


def examine(base_dir: str, operation: Operation, allowed: list[State]) -> tuple[bool, list[str]]:
    """Opens a store as it was left, checks it, and does the same operation again.

    Returns whether it was in the state after the operation, and what is wrong.
    """
    store = FileStorage(base_dir)
    problems = check_all(store, allowed)
    is_new = read_state(store)[0] == operation.after
    buried = [store.storage.buried_version(name) for name in operation.before]
    if not is_new and any(version is not None for version in buried):
        problems.append('what is there was buried')
    again = operation.begin(base_dir)
    try:
        again()
    except NotFound:
        if not is_new:
            problems.append('%s is not possible again' % operation.name)
    else:
        if is_new and operation.after.keys() < operation.before.keys():
            problems.append('%s is possible again' % operation.name)
    problems += ['done again: %s' % problem for problem in check_all(store, [operation.after])]
    names = {**operation.before, **operation.after}
    problems += ['afterwards: %s' % problem for problem in use(store, names)]
    problems += ['in the end: %s' % problem for problem in check_all(store, [{}])]
    store.close()
    return is_new, problems


def between_two_of_a_batch(scratch: str) -> Report:
    """Kills a process that has removed a blob in the batch in which the last name went."""
    base_dir = os.path.join(scratch, 'store')
    in_child(fill, base_dir, {'a': (1, OLD)})
    end = in_child(_collect_and_die, base_dir)
    problems = in_child(_what_is_wrong, base_dir, [{}, {'a': (1, OLD)}]).value
    return {'killed': int(end.signal == signal.SIGKILL), 'problems': problems}


def _collect_and_die(base_dir: str) -> None:
    store = opened(base_dir)
    catalog, blobs = store.storage._catalog, store.storage._blobs
    digest = store.storage.entry('a').digest
    environment = catalog._environment
    is_held, go_on = threading.Event(), threading.Event()

    def hold(transaction: object) -> None:
        is_held.set()
        go_on.wait()

    def remove_and_die(digest: str) -> None:
        blobs.remove(digest)
        lines.die()

    # While the thread that commits is held, the next batch gathers.
    _start(environment.transact, hold)
    is_held.wait()
    _start(catalog.delete, 'a', 1)
    wait_for(lambda: environment.commits._waiting.qsize() == 1, 'the delete')
    _start(catalog.collect, digest, remove_and_die)
    wait_for(lambda: environment.commits._waiting.qsize() == 2, 'the collection')
    go_on.set()
    wait_for(lambda: False, 'death')


def _start(function: Callable[..., Any], *args: Any) -> None:
    threading.Thread(target=function, args=args, daemon=True).start()


def _what_is_wrong(base_dir: str, allowed: list[State]) -> list[str]:
    store = FileStorage(base_dir)
    problems = check_all(store, allowed)
    store.close()
    return problems
