"""The mirror, where a transaction fails after it was changed."""

from __future__ import annotations

import errno
import os

import pytest

from filetracker.errors import StoreFull
from filetracker.servers.storage import open_storage
from filetracker.servers.storage.links import Links
from tests.contracts.storage import put
from tests.storage.parts import blob_store, closing, mirror


@pytest.fixture
def failing(tmp_path, monkeypatch):
    """A store, and what lets its next change fail at the commit, as on a full disk."""
    storage = open_storage(str(tmp_path))
    environment = storage._catalog._environment
    change = environment._change

    def fail(run, transaction):
        change(run, transaction)
        raise StoreFull()

    with closing(storage):
        yield storage, lambda: monkeypatch.setattr(environment, '_change', fail)


def test_a_put_that_fails_at_the_commit_leaves_no_link(tmp_path, failing):
    storage, fail = failing
    fail()

    with pytest.raises(StoreFull):
        put(storage, 'name', 1, b'content')

    assert mirror(tmp_path) == {}
    assert list(blob_store(tmp_path).digests()) == []


def test_an_overwrite_that_fails_at_the_commit_leaves_the_old_link(tmp_path, failing):
    storage, fail = failing
    put(storage, 'name', 1, b'old')
    before = mirror(tmp_path)
    fail()

    with pytest.raises(StoreFull):
        put(storage, 'name', 2, b'new')

    assert mirror(tmp_path) == before
    assert storage.entry('name').version == 1


def test_a_delete_works_where_there_is_no_room_for_a_note(tmp_path, monkeypatch):
    def refuse(*args, **how):
        raise OSError(errno.ENOSPC, 'No space left on device')

    with closing(open_storage(str(tmp_path))) as storage:
        put(storage, 'name', 1, b'content')
        monkeypatch.setattr(os, 'symlink', refuse)
        storage.delete('name', 1)

        assert mirror(tmp_path) == {}
        assert list(blob_store(tmp_path).digests()) == []


def test_a_delete_that_fails_at_the_commit_leaves_the_link(tmp_path, failing):
    storage, fail = failing
    put(storage, 'name', 1, b'content')
    before = mirror(tmp_path)
    fail()

    with pytest.raises(StoreFull):
        storage.delete('name', 1)

    assert mirror(tmp_path) == before


def test_a_link_that_is_placed_again_takes_no_other(tmp_path):
    for folder in ('links', 'spool'):
        os.mkdir(tmp_path / folder)
    one, two = (
        Links(*(str(tmp_path / folder) for folder in ('links', 'spool', 'lost+found')))
        for _ in range(2)
    )

    with one.aside('a', 'a' * 64, 5) as first:
        one.place(first)
        with two.aside('b', 'b' * 64, 5) as second:
            one.place(first)
            two.place(second)

    assert one.leads_to('a', 'a' * 64, 5)
    assert two.leads_to('b', 'b' * 64, 5)
    assert os.listdir(tmp_path / 'spool') == []
