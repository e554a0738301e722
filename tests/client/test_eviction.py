"""A cache that stays below a size by itself."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import time

import pytest

from filetracker.client.cache_directory import CacheDirectory
from filetracker.client.eviction import Bound
from filetracker.client.local_data_store import LocalDataStore
from filetracker.client.lock_manager import FcntlLockManager
from filetracker.errors import LocalFileError
from tests.client.reading import names_below
from tests.support import environment

FILL = """
import io, sys
from filetracker.client.cache_directory import CacheDirectory
from filetracker.client.eviction import Bound
from filetracker.client.local_data_store import LocalDataStore
directory, prefix, count = sys.argv[1:]
store, bound = LocalDataStore(directory), Bound(CacheDirectory(directory), 100_000)
for number in range(int(count)):
    store.add_stream('/%s/%d@5' % (prefix, number), io.BytesIO(bytes(1000)))
    bound.added('%s/%d' % (prefix, number))
"""


@pytest.fixture
def cache(tmp_path):
    return tmp_path / 'cache'


@pytest.fixture
def directory(cache):
    LocalDataStore(cache)
    FcntlLockManager(cache / 'locks')
    return CacheDirectory(str(cache))


@pytest.fixture
def add(cache, directory):
    """Adds an entry, with its lock file, and then makes room."""

    def add(name, size, bound):
        lock = FcntlLockManager(cache / 'locks').lock_for(name)
        LocalDataStore(cache).add_stream(name + '@5', io.BytesIO(bytes(size)))
        lock.close()
        Bound(directory, bound).added(name.lstrip('/'))

    return add


def test_what_was_not_used_for_longest_makes_room(cache, directory, add):
    for name in ('/a', '/b', '/c'):
        add(name, 10, 30)
    directory.mark_used('a')

    add('/d', 10, 30)

    assert names_below(cache / 'files') == ['a', 'c', 'd']
    assert {os.stat(cache / 'files' / name).st_mtime_ns for name in 'acd'} == {5 * 10**9}


def test_what_was_just_added_stays_even_if_it_is_too_much(cache, add):
    add('/a', 10, 30)
    add('/large', 100, 30)
    assert names_below(cache / 'files') == ['large']

    add('/b', 10, 30)
    assert names_below(cache / 'files') == ['b']


def test_what_comes_while_room_is_made_is_looked_at_too(cache, directory, add, monkeypatch):
    def entries():
        found = list(CacheDirectory.entries(directory))
        monkeypatch.undo()
        add('/c', 10, 20)
        return iter(found)

    add('/a', 10, 20)
    monkeypatch.setattr(directory, 'entries', entries)
    add('/large', 15, 20)

    assert names_below(cache / 'files') == ['large']


def test_what_cannot_be_removed_is_passed_over(cache, directory, add, monkeypatch):
    def remove(entry):
        if entry.stored == 'a':
            raise LocalFileError('a', PermissionError())
        return CacheDirectory.remove(directory, entry)

    monkeypatch.setattr(directory, 'remove', remove)
    for name in ('/a', '/b', '/c', '/d'):
        add(name, 10, 30)

    assert names_below(cache / 'files') == ['a', 'c', 'd']


def test_what_is_locked_stays(cache, add):
    add('/a', 10, 20)
    lock = FcntlLockManager(cache / 'locks').lock_for('/a')
    lock.lock_shared()
    add('/b', 10, 20)

    add('/c', 10, 20)
    assert names_below(cache / 'files') == ['a', 'c']
    lock.close()
    add('/d', 10, 20)
    assert names_below(cache / 'files') == ['c', 'd']


def test_other_bounds_on_the_same_cache_are_no_trouble(cache, add):
    for number in range(10):
        add('/%d' % number, 10, 1000)
    assert len(names_below(cache / 'files')) == 10

    add('/small', 10, 30)
    assert names_below(cache / 'files') == ['8', '9', 'small']


def test_it_does_not_walk_each_time(cache, directory, monkeypatch):
    walks = []
    entries = directory.entries
    monkeypatch.setattr(directory, 'entries', lambda: walks.append(1) or entries())
    store, bound = LocalDataStore(cache), Bound(directory, 64_000)

    for number in range(1000):
        store.add_stream('/%d@5' % number, io.BytesIO(bytes(100)))
        bound.added('%d' % number)

    assert len(names_below(cache / 'files')) <= 640
    # The first, and then one for each 640 / 16 that are too many.
    assert 2 <= len(walks) <= 11


def test_what_others_put_there_is_noticed_within_the_hour(cache, directory, add, monkeypatch):
    add('/a', 10, 30)
    for number in range(10):
        LocalDataStore(cache).add_stream('/other/%d@5' % number, io.BytesIO(bytes(10)))

    add('/b', 10, 30)
    assert len(names_below(cache / 'files')) == 12
    now = time.time()
    monkeypatch.setattr(time, 'time', lambda: now + 3601)
    add('/c', 10, 30)
    assert len(names_below(cache / 'files')) == 3


@pytest.mark.parametrize('garbage', [b'', b'nonsense', b'1 2', b'9' * 5000, b'-1 -1 -1 -1'])
def test_a_count_that_cannot_be_read_is_made_anew(cache, add, garbage):
    add('/a', 10, 10)
    (cache / 'usage').write_bytes(garbage)

    add('/b', 10, 10)
    assert names_below(cache / 'files') == ['b']
    assert (cache / 'usage').read_text().split()[:2] == ['%020d' % 10, '%020d' % 0]


def test_what_goes_wrong_is_only_logged(cache, directory, caplog):
    (cache / 'usage').mkdir()
    LocalDataStore(cache).add_stream('/a@5', io.BytesIO(bytes(10)))

    Bound(directory, 5).added('a')
    Bound(directory, 5).added('missing')

    assert 'the size of the cache is not looked after' in caplog.text


def test_many_processes_keep_one_bound(cache, directory):
    processes = [
        subprocess.Popen(
            [sys.executable, '-c', FILL, str(cache), str(number), '300'], env=environment()
        )
        for number in range(4)
    ]

    assert [process.wait(60) for process in processes] == [0] * 4
    sizes = [(cache / 'files' / name).stat().st_size for name in names_below(cache / 'files')]
    assert 80_000 <= sum(sizes) <= 100_000
    total, stuck, _ = map(int, (cache / 'usage').read_text().split())
    assert total >= sum(sizes)
    assert stuck == 0
