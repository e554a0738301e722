"""Syncs: each is done, an error is told to whom it concerns, and a slow disk is used at once."""

from __future__ import annotations

import errno
import os
import threading
import time
from functools import partial

import pytest

from filetracker.errors import StoreFull
from filetracker.servers.storage import spool
from filetracker.servers.storage import syncs as module
from filetracker.servers.storage.syncs import Syncs
from filetracker.servers.storage.together import run_together


@pytest.fixture
def files(tmp_path):
    descriptors = [os.open(tmp_path / str(number), os.O_CREAT | os.O_RDWR) for number in range(6)]
    yield descriptors
    for descriptor in descriptors:
        os.close(descriptor)


@pytest.fixture
def synced(monkeypatch):
    """What was synced, by inode."""
    inodes = []
    sync = os.fsync

    def fsync(descriptor):
        sync(descriptor)
        inodes.append(os.fstat(descriptor).st_ino)

    monkeypatch.setattr(os, 'fsync', fsync)
    return inodes


def test_each_file_is_synced(files, synced):
    syncs = Syncs()

    assert run_together([partial(syncs.file, file) for file in files]) == [(None, None)] * 6
    assert synced == [os.fstat(file).st_ino for file in files]


def test_what_could_not_be_begun_is_told_though_the_sync_says_nothing(files, monkeypatch):
    def begin_sync_of(descriptor):
        if descriptor == files[1]:
            raise OSError(errno.EIO, 'lost')

    monkeypatch.setattr(module, 'begin_sync_of', begin_sync_of)

    outcomes = run_together([partial(Syncs().file, files[0])])
    syncs = Syncs()
    outcomes += run_together([partial(syncs.file, file) for file in files[:3]])

    assert [error and error.errno for _, error in outcomes] == [None, None, errno.EIO, None]


def test_a_part_of_an_upload_for_which_there_is_no_room_is_told_so(tmp_path, monkeypatch):
    def begin_sync(file, start):
        raise OSError(errno.ENOSPC, 'full')

    monkeypatch.setattr(spool, 'begin_sync', begin_sync)

    with open(tmp_path / 'file', 'wb', 0) as file:
        upload = spool.Upload(file, False, None, None, None, lambda: None)
        with pytest.raises(StoreFull):
            upload.write(os.urandom(5 << 20))


def test_a_folder_that_several_want_is_synced_once(tmp_path, synced):
    folders = [tmp_path / name for name in ('a', 'b', 'a', 'a')]
    for folder in folders:
        folder.mkdir(exist_ok=True)
    syncs = Syncs()

    run_together([partial(syncs.folder, str(folder)) for folder in folders])

    assert synced == [folder.stat().st_ino for folder in folders[:2]]


def test_an_error_is_told_to_whom_it_concerns(files, tmp_path):
    syncs = Syncs()
    calls = [partial(syncs.file, number) for number in (files[0], 10**6, files[1])]
    calls += [partial(syncs.folder, str(tmp_path / 'missing')), partial(syncs.folder, '/')]

    errors = [error and error.errno for _, error in run_together(calls)]

    assert errors == [None, errno.EBADF, None, errno.ENOENT, None]
    with pytest.raises(OSError, match='Bad file descriptor'):
        syncs.file(10**6)


def test_where_a_sync_takes_long_the_next_ones_are_done_at_once(files, monkeypatch):
    syncs = Syncs()
    monkeypatch.setattr(os, 'fsync', lambda descriptor: time.sleep(0.01))
    syncs.file(files[0])
    begun = []
    others = threading.Barrier(len(files))

    def fsync(descriptor):
        begun.append(descriptor)
        # None of them comes to its end before all have begun.
        others.wait(20)
        if descriptor == files[2]:
            raise OSError(errno.EIO, 'broken')

    monkeypatch.setattr(os, 'fsync', fsync)
    outcomes = run_together([partial(syncs.file, file) for file in files])

    assert [error and error.errno for _, error in outcomes] == [None, None, errno.EIO] + [None] * 3
    assert sorted(begun) == files


def test_a_disk_that_becomes_slow_is_slow_for_a_few_only(files, monkeypatch):
    syncs = Syncs()
    on = []

    def fsync(descriptor):
        time.sleep(0.01)
        on.append(threading.current_thread())

    monkeypatch.setattr(os, 'fsync', fsync)
    outcomes = run_together([partial(syncs.file, file) for file in files * 10])

    assert outcomes == [(None, None)] * 60
    assert on.count(threading.current_thread()) < 10


def test_where_syncs_are_quick_no_threads_are_made(files):
    before = threading.enumerate()
    syncs = Syncs()

    run_together([partial(syncs.file, file) for file in files])

    # Those of others may come to their end meanwhile.
    assert not set(threading.enumerate()).difference(before)
