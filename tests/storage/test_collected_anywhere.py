"""The collector may close a store on any thread, also on one of its own."""

from __future__ import annotations

import gc

from filetracker.servers.storage import FileStorage
from tests.contracts.storage import put
from tests.storage.parts import assert_works
from tests.support import wait_for


def test_a_store_that_is_collected_on_its_own_thread_is_closed(tmp_path):
    store = FileStorage(str(tmp_path))
    put(store.storage, 'name', 5, b'content')
    environment = store.storage._catalog._environment
    cycle = [store]
    cycle.append(cycle)
    del store, cycle

    environment.alone(lambda transaction: gc.collect())

    wait_for(lambda: not environment.users)
    wait_for(lambda: not any(thread.is_alive() for thread in environment.threads))
    assert_works(tmp_path, 'name')
