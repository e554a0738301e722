"""A child that is forked while a store is open: it cannot use it, and cannot harm it."""

from __future__ import annotations

import contextlib
import gc
import os
import sys
import warnings

import pytest

from filetracker.errors import StoreInUse, StoreUnusable
from filetracker.servers.storage import open_storage
from tests.contracts.storage import listed, put
from tests.storage.parts import assert_works, closing


@contextlib.contextmanager
def forked(function):
    """Forks; the child waits for the end of the context, then calls the function."""
    go, gone = os.pipe()
    with warnings.catch_warnings():
        # Of the threads of this process, which are what is tried here.
        warnings.simplefilter('ignore')
        pid = os.fork()
    if not pid:
        status = 1
        try:
            os.read(go, 1)
            function()
            gc.collect()
            status = 0
        except BaseException as error:
            sys.__stderr__.write('the child failed: %r\n' % error)
        finally:
            os._exit(status)
    try:
        yield
    finally:
        os.write(gone, b'.')
        _, status = os.waitpid(pid, 0)
        os.close(go)
        os.close(gone)
    assert status == 0


def test_a_forked_child_is_told_so_and_does_no_harm(tmp_path):
    def use():
        for use in (lambda: storage.entry('a/1'), lambda: put(storage, 'b', 5, b'child')):
            with pytest.raises(StoreUnusable, match='fork'):
                use()
        with pytest.raises(StoreInUse):
            open_storage(str(tmp_path))
        storage.close()

    with closing(open_storage(str(tmp_path))) as storage:
        for number in range(20):
            put(storage, 'a/%d' % number, 5, b'content')
        with forked(use):
            for number in range(20, 40):
                put(storage, 'a/%d' % number, 5, b'content')

        assert len(listed(storage, 'a')) == 40

    with closing(open_storage(str(tmp_path))) as storage:
        assert len(listed(storage, 'a')) == 40


def test_a_forked_child_writes_nothing_to_the_database(tmp_path):
    def database():
        return {path: path.read_bytes() for path in (tmp_path / 'db').iterdir()}

    # What the child has in its memory is old, and not written yet, when it drops it.
    stores = [open_storage(str(tmp_path))]
    put(stores[0], 'name', 5, b'content')
    with forked(stores.clear):
        put(stores[0], 'name', 6, b'new')
        stores[0].close()
        before = database()

    assert database() == before


def test_a_child_that_lives_on_does_not_keep_the_store_locked(tmp_path):
    storage = open_storage(str(tmp_path))
    with forked(lambda: None):
        storage.close()

        assert_works(tmp_path)


def test_a_child_can_open_what_the_parent_has_closed(tmp_path):
    storage = open_storage(str(tmp_path))
    put(storage, 'name', 5, b'content')

    with forked(lambda: assert_works(tmp_path, 'name')):
        storage.close()
