"""Many operations of all kinds at once, and what they leave in the process and on the disk."""

from __future__ import annotations

import gc
import io
import os
import random
import threading
from typing import Any

import psutil

from filetracker.errors import BadUpload, FiletrackerError, NameConflict, NotFound
from filetracker.servers.storage import FileStorage
from tests.faults.audit import check_all
from tests.faults.stores import State, make_many_checkpoints, put, use_small_log

_THREADS = 8
_NAMES = 200

#: Resources by name.
Report = dict[str, Any]


def work(folder: str, operations: int) -> Report:
    """Does so many operations; returns what was in use after a fifth of them, and in the end."""
    base_dir = os.path.join(folder, 'store')
    use_small_log(base_dir)
    make_many_checkpoints()
    store = FileStorage(base_dir)
    errors: list[str] = []
    states: list[State] = [{} for _ in range(_THREADS)]
    report: Report = {}
    for phase, share in (('warm', operations // 5), ('end', operations - operations // 5)):
        threads = [
            threading.Thread(
                target=_work, args=(store, number, phase, share // _THREADS, states, errors)
            )
            for number in range(_THREADS)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        report[phase] = {**_resources(base_dir), **_locks(store)}
    state = {name: value for part in states for name, value in part.items()}
    report['names'] = len(state)
    report['problems'] = sorted(set(errors))[:20] + check_all(store, [state])
    store.close()
    report['closed'] = _resources(base_dir)
    return report


def _resources(base_dir: str) -> dict[str, int]:
    gc.collect()
    process = psutil.Process()
    folder = os.path.join(base_dir, 'db')
    return {
        'descriptors': process.num_fds(),
        'threads': process.num_threads(),
        'memory': process.memory_info().rss,
        'spool': len(os.listdir(os.path.join(base_dir, 'spool'))),
        'logs': sum(name.startswith('log.') for name in os.listdir(folder)),
        'database': sum(
            os.stat(os.path.join(folder, name)).st_size
            for name in os.listdir(folder)
            if name != 'ballast'
        ),
    }


def _locks(store: FileStorage) -> dict[str, int]:
    environment = store.storage._catalog._environment._environment
    locks, transactions = environment.lock_stat(), environment.txn_stat()
    return {
        'locks': locks['nlocks'],
        'lockers': locks['nlockers'],
        'objects': locks['nobjects'],
        'most locks': locks['maxnlocks'],
        'most lockers': locks['maxnlockers'],
        'transactions': transactions['nactive'],
        'last log': environment.log_stat()['cur_file'],
    }


def _work(
    store: FileStorage,
    thread: int,
    phase: str,
    operations: int,
    states: list[State],
    errors: list[str],
) -> None:
    """Works on names of its own, with contents that all share; remembers what is there."""
    dice = random.Random('%d %s' % (thread, phase))
    state = states[thread]
    for _ in range(operations):
        name = '%d/%d' % (thread, dice.randrange(_NAMES))
        version = state.get(name, (0,))[0] + 1
        try:
            kind = dice.random()
            if kind < 0.35:
                plain = b'%d\n' % dice.randrange(100) * dice.choice((1, 100, 3000))
                put(store, name, version, plain)
                state[name] = version, plain
            elif kind < 0.5:
                if store.delete(name, version):
                    state.pop(name)
            elif kind < 0.55:
                _refused(store, name, version, dice)
            elif kind < 0.58:
                list(store.storage.pages('%d' % thread))
            else:
                entry, file = store.storage.open(name)
                with file:
                    assert len(file.read()) == entry.stored_size
        except NotFound:
            if name in state:
                errors.append('%s is not found' % name)
        except (FiletrackerError, OSError) as error:
            errors.append(repr(error))


def _refused(store: FileStorage, name: str, version: int, dice: random.Random) -> None:
    """Uploads that come to nothing: broken off, false, conflicting."""
    kind = dice.randrange(3)
    if kind == 0:
        with store.storage.upload(True) as upload:
            upload.write(b'\x1f\x8b\x08')
    elif kind == 1:
        try:
            store.store(name, io.BytesIO(b'%d' % version), version, digest='0' * 64)
        except BadUpload:
            pass
    else:
        try:
            put(store, '%s/below' % name, version, b'%d of nobody' % version)
            store.delete('%s/below' % name, version)
        except NameConflict:
            pass
