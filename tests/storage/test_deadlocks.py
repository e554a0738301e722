"""A transaction that loses a deadlock is run again, and nothing of its first run stays."""

from __future__ import annotations

import threading

import pytest

from filetracker.errors import Busy
from filetracker.servers.storage import bdb, open_storage
from tests.storage.parts import closing

_ROUNDS = 50


@pytest.fixture
def environment(tmp_path):
    with closing(open_storage(str(tmp_path))) as storage:
        yield storage._catalog._environment


def meet(environment, runs):
    """Lets a transaction meet one that takes the same two locks in the other order."""
    metadata, names = environment.metadata, environment.names
    has_one, has_other = threading.Event(), threading.Event()

    def change(transaction):
        runs.append(1)
        metadata.put(b'key', b'%d' % len(runs), transaction)
        has_one.set()
        assert has_other.wait(20)
        names.put(b'key', b'%d' % len(runs), transaction)

    mine = threading.Thread(target=environment.transact, args=(change,))
    rival = environment._environment.txn_begin()
    names.put(b'key', b'of the rival', rival)
    mine.start()
    assert has_one.wait(20)
    has_other.set()
    try:
        metadata.put(b'key', b'of the rival', rival)
        rival.commit()
    except bdb.db.DBLockDeadlockError:
        rival.abort()
    mine.join(20)
    assert not mine.is_alive()
    assert metadata.get(b'key') == names.get(b'key') == b'%d' % len(runs)


def test_a_transaction_that_loses_a_deadlock_is_run_again(environment):
    for _ in range(_ROUNDS):
        runs = []
        meet(environment, runs)
        if len(runs) > 1:
            break

    assert len(runs) == 2
    assert environment._environment.lock_stat()['ndeadlocks'] >= 1


def test_a_transaction_that_never_wins_is_told_so(environment):
    def change(transaction):
        environment.names.put(b'key', b'value', transaction)
        raise bdb.db.DBLockDeadlockError(-30993, 'Locker killed to resolve a deadlock')

    with pytest.raises(Busy):
        environment.transact(change)
    assert environment.names.get(b'key') is None
