"""What a disk failed to take is never acknowledged, whoever was told of the failure."""

from __future__ import annotations

import os

import pytest

from filetracker.errors import NotWritable
from filetracker.servers.storage import bdb, open_storage
from tests.contracts.storage import listed, plain, put
from tests.storage.parts import closing


class SickDisk:
    """Lets the syncs of our own descriptors fail where the name begins with ``sick``, once."""

    def __init__(self, monkeypatch):
        self.sick = ''
        self._fsync = os.fsync
        monkeypatch.setattr(os, 'fsync', self._fail)

    def _fail(self, descriptor):
        name = os.path.basename(os.readlink('/proc/self/fd/%d' % descriptor))
        if self.sick and name.startswith(self.sick):
            raise OSError(5, 'Input/output error')
        self._fsync(descriptor)


@pytest.fixture
def disk(monkeypatch):
    return SickDisk(monkeypatch)


class FailingCheckpoints:
    """The environment of Berkeley DB, whose checkpoints cannot write the pages."""

    def __init__(self, environment):
        self._environment = environment

    def __getattr__(self, name):
        return getattr(self._environment, name)

    def txn_checkpoint(self, *how):
        raise bdb.db.DBError(5, 'Input/output error')


def test_a_log_that_another_thread_failed_to_sync_is_not_relied_upon(tmp_path, disk):
    storage = open_storage(str(tmp_path))
    with closing(storage):
        put(storage, 'before', 1, b'before')
        environment = storage._catalog._environment

        with environment.log.synced_elsewhere():
            disk.sick = 'log.'
            with pytest.raises(NotWritable):
                put(storage, 'name', 1, b'content')
            disk.sick = ''
        with pytest.raises(NotWritable):
            put(storage, 'name', 1, b'content')
        assert plain(storage, 'before') == b'before'

    with closing(open_storage(str(tmp_path))) as storage:
        put(storage, 'name', 2, b'content')
        assert listed(storage) == ['before', 'name']


@pytest.mark.parametrize('lost', ['names', 'metadata', 'log.'])
def test_a_checkpoint_that_lost_pages_is_the_last(lost, tmp_path, disk):
    storage = open_storage(str(tmp_path))
    with closing(storage):
        put(storage, 'before', 1, b'before')
        environment = storage._catalog._environment
        environment._environment = FailingCheckpoints(environment._environment)
        disk.sick = lost
        with pytest.raises(NotWritable):
            environment.checkpoint()
        disk.sick = ''

        with pytest.raises(NotWritable):
            put(storage, 'name', 1, b'content')
        assert plain(storage, 'before') == b'before'

    with closing(open_storage(str(tmp_path))) as storage:
        assert plain(storage, 'before') == b'before'


def test_a_checkpoint_that_lost_nothing_is_made_again(tmp_path):
    storage = open_storage(str(tmp_path))
    with closing(storage):
        environment = storage._catalog._environment
        real = environment._environment
        environment._environment = FailingCheckpoints(real)
        with pytest.raises(OSError):
            environment.checkpoint()
        environment._environment = real

        put(storage, 'name', 1, b'content')
        environment.checkpoint()
        assert plain(storage, 'name') == b'content'


def test_opening_writes_the_log_again_before_it_relies_on_it(tmp_path, monkeypatch):
    with closing(open_storage(str(tmp_path))) as storage:
        put(storage, 'name', 1, b'content')
    (log,) = (tmp_path / 'db').glob('log.*')
    content = log.read_bytes()
    written = bytearray(len(content))
    pwrite = os.pwrite

    def pwrite_and_note(descriptor, piece, offset):
        if os.readlink('/proc/self/fd/%d' % descriptor) == str(log):
            written[offset : offset + len(piece)] = piece
        return pwrite(descriptor, piece, offset)

    monkeypatch.setattr(os, 'pwrite', pwrite_and_note)
    with closing(open_storage(str(tmp_path))) as storage:
        assert plain(storage, 'name') == b'content'
        assert bytes(written) == content
