"""A small store of ours in which nothing is wrong."""

from __future__ import annotations

import pytest

from filetracker.servers.storage import FileStorage
from tests.contracts.storage import put
from tests.storage.parts import closing

ONE = b'one' * 1000
TWO = b'two' * 1000


@pytest.fixture
def store(tmp_path):
    """A store of ours in which nothing is wrong."""
    with closing(FileStorage(str(tmp_path / 'store'))) as storage:
        put(storage.storage, 'a/b', 5, ONE)
        put(storage.storage, 'a/c', 6, ONE)
        put(storage.storage, 'zażółć', 7, TWO)
    return tmp_path / 'store'
