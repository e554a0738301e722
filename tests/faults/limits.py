"""As many names as a large store has, and as many at once as a server has connections."""

from __future__ import annotations

import hashlib
import os
import random
import threading
import time
from typing import Any

from filetracker.errors import FiletrackerError
from filetracker.servers.storage import Entry, FileStorage, bdb, bulk
from tests.faults.leaks import _locks, _resources
from tests.faults.stores import put

#: What a trial returns.
Report = dict[str, Any]


def fill_and_crowd(folder: str, names: int, threads: int, operations: int) -> Report:
    """Writes so many names, a thousand in a transaction, while so many threads read and write.

    Then all of them do so many operations at once. The names of the first kind have no blobs.
    """
    base_dir = os.path.join(folder, 'store')
    store = FileStorage(base_dir)
    environment = store.storage._catalog._environment
    errors: list[str] = []
    filled = threading.Event()
    crowd = [
        threading.Thread(target=_use, args=(store, number, names, operations, filled, errors))
        for number in range(threads)
    ]
    for thread in crowd:
        thread.start()
    begun = time.monotonic()
    for changes in bulk.batches(_change(number) for number in range(names)):
        bulk.apply(environment, changes)
    seconds = time.monotonic() - begun
    filled.set()
    for thread in crowd:
        thread.join()
    statistics = environment._environment.lock_stat()
    report: Report = {
        'errors': sorted(set(errors))[:10],
        'names in a second': round(names / seconds),
        'listed': sum(len(page) for page in store.storage.pages('bulk')),
        'limits': {kind: statistics['max' + kind] for kind in ('locks', 'lockers', 'objects')},
        'most': {kind: statistics['maxn' + kind] for kind in ('locks', 'lockers', 'objects')},
        'deadlocks': statistics['ndeadlocks'],
        'cache': environment._environment.get_cachesize()[1] or bdb._CACHE_SIZE,
        **_locks(store),
        **_resources(base_dir),
    }
    # Of the processor: how long it takes depends on what else the machine does.
    begun = time.process_time()
    store.close()
    store = FileStorage(base_dir)
    report['seconds to open'] = round(time.process_time() - begun, 2)
    report['logs'] = _resources(base_dir)['logs']
    store.close()
    return report


def _change(number: int) -> bulk.Change:
    name = _name(number)
    return name, None, Entry(1, hashlib.sha256(name.encode()).hexdigest(), 1, 1)


def _name(number: int) -> str:
    return 'bulk/%03d/%s' % (number % 997, hashlib.md5(b'%d' % number).hexdigest())


def _use(
    store: FileStorage,
    thread: int,
    names: int,
    operations: int,
    filled: threading.Event,
    errors: list[str],
) -> None:
    dice = random.Random(thread)
    done = 0
    while done < operations or not filled.is_set():
        if filled.is_set():
            done += 1
        else:
            # So that it takes not much longer than without.
            time.sleep(dice.random())
        try:
            kind = dice.random()
            if kind < 0.3:
                put(store, 'crowd/%d' % thread, done + 1, b'%d' % dice.randrange(50))
            elif kind < 0.4:
                next(store.storage.pages('crowd'), None)
            elif kind < 0.9:
                store.stored_version(_name(dice.randrange(names)))
            else:
                store.stored_version('crowd/%d' % dice.randrange(500))
        except (FiletrackerError, OSError) as error:
            if type(error).__name__ != 'NotFound':
                errors.append(repr(error))
