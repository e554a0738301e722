"""The operations that are interrupted, each with the store before and after it."""

from __future__ import annotations

import gzip
import hashlib
import os
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from filetracker.servers.storage import FileStorage, run_together
from filetracker.servers.storage.bdb import db
from tests.faults.forks import in_child
from tests.faults.lines import die_in_function
from tests.faults.stores import LARGE, NEW, OLD, OTHER, State, fill, opened, put, use_small_log

Act = Callable[[], object]


class Operation(NamedTuple):
    """Something that is done to a store.

    ``prepare(base_dir)`` makes the store and closes it. ``begin(base_dir)`` returns what does the
    operation, which turns the state ``before`` into ``after``.
    """

    name: str
    prepare: Callable[[str], None]
    begin: Callable[[str], Act]
    before: State
    after: State

    def __str__(self) -> str:
        return self.name


def _changing(
    name: str, before: State, after: State, change: Callable[[FileStorage], object]
) -> Operation:
    def begin(base_dir: str) -> Act:
        store = opened(base_dir)
        return lambda: change(store)

    return Operation(name, lambda base_dir: fill(base_dir, before), begin, before, after)


def _starting(
    name: str, prepare: Callable[[str], None], before: State, after: State | None = None
) -> Operation:
    return Operation(
        name,
        prepare,
        lambda base_dir: lambda: opened(base_dir),
        before,
        before if after is None else after,
    )


def _killed(operation: Operation, function: str, nth: int) -> Callable[[str], None]:
    """Prepares the store that stays when an operation dies where it enters a function."""

    def prepare(base_dir: str) -> None:
        operation.prepare(base_dir)
        end = in_child(die_in_function, base_dir, operation.begin, function, nth)
        assert end.signal, '%s was not entered %d times' % (function, nth)

    return prepare


def _old_store(base_dir: str) -> None:
    """Makes a store as filetracker 2.3.3 leaves it, with one count too high."""
    use_small_log(base_dir)
    for folder in ('links/a', 'blobs', 'locks'):
        os.makedirs(os.path.join(base_dir, folder))
    environment = db.DBEnv()
    environment.open(
        os.path.join(base_dir, 'db'),
        db.DB_CREATE | db.DB_INIT_LOCK | db.DB_INIT_LOG | db.DB_INIT_MPOOL | db.DB_INIT_TXN,
    )
    metadata = db.DB(environment)
    metadata.open('metadata', dbtype=db.DB_HASH, flags=db.DB_CREATE | db.DB_AUTO_COMMIT)
    for name, (version, plain) in _SHARED.items():
        digest = hashlib.sha256(plain).hexdigest()
        blob = os.path.join(base_dir, 'blobs', digest[:2], digest)
        os.makedirs(os.path.dirname(blob), exist_ok=True)
        with open(blob, 'wb') as file:
            file.write(gzip.compress(plain))
        link = os.path.join(base_dir, 'links', name)
        os.symlink(os.path.relpath(blob, os.path.dirname(link)), link)
        os.utime(link, (version, version), follow_symlinks=False)
        metadata.put(digest.encode(), b'3')
        metadata.put(b'%s:logical_size' % digest.encode(), b'%d' % len(plain))
    metadata.close()
    environment.close()


def _put_together(store: FileStorage, *puts: tuple[str, int, bytes]) -> None:
    """Puts several at once; raises what comes of the first."""
    (_, error), *_ = run_together([partial(put, store, *each) for each in puts])
    if error:
        raise error


_LONE: State = {'a/b': (5, OLD), 'z': (1, OTHER)}
_SHARED: State = {'a/b': (5, OLD), 'a/c': (1, OLD), 'z': (1, OTHER)}

FIRST_PUT = _changing(
    'first put',
    {'z': (1, OTHER)},
    {'a/b': (5, LARGE), 'z': (1, OTHER)},
    lambda store: put(store, 'a/b', 5, LARGE),
)
KNOWN_PUT = _changing(
    'put of a known content',
    {'z': (1, OTHER)},
    {'a/b': (5, OTHER), 'z': (1, OTHER)},
    lambda store: put(store, 'a/b', 5, OTHER),
)
OVERWRITE = _changing(
    'overwrite',
    _LONE,
    {**_LONE, 'a/b': (6, NEW)},
    lambda store: put(store, 'a/b', 6, NEW),
)
OVERWRITE_BESIDE_OTHERS = _changing(
    'overwrite together with puts that are refused',
    _LONE,
    {**_LONE, 'a/b': (6, NEW)},
    lambda store: _put_together(store, ('a/b', 6, NEW), ('z', 0, LARGE), ('z', 0, NEW)),
)
SHARED_OVERWRITE = _changing(
    'overwrite of a shared content',
    _SHARED,
    {**_SHARED, 'a/b': (5, OTHER)},
    lambda store: put(store, 'a/b', 5, OTHER),
)
TOO_OLD_PUT = _changing(
    'put of an older version',
    _LONE,
    _LONE,
    lambda store: put(store, 'a/b', 4, NEW),
)
DELETE = _changing(
    'delete',
    _SHARED,
    {'a/c': (1, OLD), 'z': (1, OTHER)},
    lambda store: store.delete('a/b', 5),
)
LAST_DELETE = _changing(
    'delete of the last name',
    _LONE,
    {'z': (1, OTHER)},
    lambda store: store.delete('a/b', 5),
)
BURIAL = _changing(
    'burial',
    _LONE,
    {'z': (1, OTHER)},
    lambda store: store.storage.bury('a/b', 5),
)
CLOSE = _changing('close', _SHARED, _SHARED, lambda store: store.close())

CHANGES = (
    FIRST_PUT,
    KNOWN_PUT,
    OVERWRITE,
    OVERWRITE_BESIDE_OTHERS,
    SHARED_OVERWRITE,
    TOO_OLD_PUT,
    DELETE,
    LAST_DELETE,
    BURIAL,
)

STARTS = (
    _starting('first start', lambda base_dir: None, {}),
    _starting('start after a death before the commit', _killed(OVERWRITE, '_put', 1), _LONE),
    _starting(
        # The log was not flushed; what is not yet written does not outlive the process.
        'start after a death before the flush',
        _killed(LAST_DELETE, 'flush', 1),
        _LONE,
    ),
    _starting(
        'start after a death before the collection',
        _killed(LAST_DELETE, 'collect', 1),
        LAST_DELETE.after,
    ),
    _starting('take-over of an old store', _old_store, _SHARED),
)

#: All of them.
BY_NAME = {operation.name: operation for operation in (*CHANGES, *STARTS, CLOSE)}
