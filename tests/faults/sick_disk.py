"""A disk that refuses everything for a while, under a store that stays open."""

from __future__ import annotations

import errno
import os
import time
from collections import Counter
from typing import Any

from filetracker.errors import Damaged, FiletrackerError, NotWritable
from filetracker.servers.storage import FileStorage, bdb
from tests.faults.audit import check_all, read_state
from tests.faults.forks import in_child
from tests.faults.shim import CHANGES, GROWTH, READS, Shim
from tests.faults.stores import NEW, OLD, State, fill, put

_NAMES = 50
_ATTEMPTS = 1000

#: What a trial returns.
Report = dict[str, Any]


def refuse_all(folder: str, error: int) -> Report:
    """Lets a disk refuse all changes while many are tried and checkpoints are due.

    It recovers then, and the store is used again, and later opened again.
    """
    base_dir = os.path.join(folder, 'store')
    report, state = in_child(_live, base_dir, error).value
    report['problems'] += in_child(_examine, base_dir, state).value
    return report


def _live(base_dir: str, error: int) -> tuple[Report, State]:
    bdb._CHECKPOINT_WAKE_SECONDS = 0.01
    bdb._CHECKPOINT_KBYTES = bdb._CHECKPOINT_MINUTES = 0
    state: State = {'n/%d' % number: (1, OLD + b'%d' % number) for number in range(_NAMES)}
    store = FileStorage(base_dir)
    for name, (version, plain) in state.items():
        put(store, name, version, plain)
    shim = Shim(base_dir)
    answers: Counter[str] = Counter()
    problems = []
    # Whether the change was made whose log could not be written, nobody knows.
    unsure = ''

    shim.refuse_from(GROWTH if error == errno.ENOSPC else CHANGES, 1, error)
    for number in range(_ATTEMPTS):
        name = 'n/%d' % (number % _NAMES)
        _count(answers, put, store, name, 2, NEW)
        _count(answers, store.delete, name, 2)
        unsure = unsure or (name if answers[NotWritable.__name__] else '')
    time.sleep(0.1)
    problems += ['meanwhile: %s' % problem for problem in _compare(store, state, unsure)]
    shim.stop()

    problems += ['then: %s' % problem for problem in _compare(store, state, unsure)]
    try:
        put(store, 'n/0', 1, state['n/0'][1])
    except NotWritable:
        # A server does so by itself.
        store.close()
        store = FileStorage(base_dir)
    for name in list(state)[::2]:
        put(store, name, 2, NEW)
        state[name] = 2, NEW
    for name in list(state)[::3]:
        store.delete(name, 2)
        del state[name]
    problems += ['again: %s' % problem for problem in _compare(store, state)]
    return {'answers': dict(answers), 'problems': problems}, state


def _count(answers: Counter[str], function: Any, *args: Any) -> None:
    try:
        function(*args)
    except (FiletrackerError, OSError) as error:
        answers[type(error).__name__] += 1
    except Exception as error:
        answers['%r' % error] += 1
    else:
        answers['done'] += 1


def _compare(store: FileStorage, state: State, unsure: str = '') -> list[str]:
    """Returns what is wrong with the names; one may be gone."""
    try:
        found, problems = read_state(store)
    except (FiletrackerError, OSError) as error:
        return ['nothing can be read: %r' % error]
    if unsure in state and unsure not in found:
        found[unsure] = state[unsure]
    if found != state:
        wrong = {name for name in {*found, *state} if found.get(name) != state.get(name)}
        problems.append('wrong: %s' % sorted(wrong))
    return problems


def _examine(base_dir: str, state: State) -> list[str]:
    store = FileStorage(base_dir)
    problems = ['opened again: %s' % problem for problem in check_all(store, [state])]
    store.close()
    return problems


def read_badly(folder: str) -> list[str]:
    """Lets each call that reads a blob fail once; returns what came of it."""
    base_dir = os.path.join(folder, 'store')
    in_child(fill, base_dir, {'a': (1, OLD)})
    return in_child(_read_badly, base_dir).value


def _read_badly(base_dir: str) -> list[str]:
    store = FileStorage(base_dir)
    shim = Shim(store.blobs_dir)
    said = []
    calls = 1
    while calls:
        shim.refuse(READS, calls, errno.EIO)
        try:
            entry, file = store.storage.open('a')
            with file:
                said.append('%d of %d bytes' % (len(file.read()), entry.stored_size))
        except (OSError, Damaged) as error:
            said.append('%s %s' % (type(error).__name__, getattr(error, 'errno', None)))
        # One more than there are is never made.
        calls = calls + 1 if shim.stop() >= calls else 0
    return said
