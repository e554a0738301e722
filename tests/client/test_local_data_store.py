"""The store in a directory: how its files come and go."""

from __future__ import annotations

import io
import os

import pytest

from filetracker.client.local_data_store import LocalDataStore
from filetracker.errors import FiletrackerError, LocalFileError


@pytest.fixture
def store(tmp_path):
    return LocalDataStore(tmp_path)


class Failing(io.RawIOBase):
    """A source that ends with an error."""

    def readable(self):
        return True

    def readinto(self, buffer):
        raise OSError(5, 'Input/output error')


def test_the_time_of_a_file_is_its_version_to_the_nanosecond(store, tmp_path):
    store.add_stream('/a@1700000000', io.BytesIO(b'a'))
    now = store.add_stream('/b', io.BytesIO(b'b'))

    assert os.stat(tmp_path / 'files' / 'a').st_mtime_ns == 1_700_000_000 * 10**9
    assert os.stat(tmp_path / 'files' / 'b').st_mtime_ns == int(now.partition('@')[2]) * 10**9


def test_files_appear_complete(store, tmp_path):
    seen = []

    class Watching(io.BytesIO):
        def read(self, size=-1):
            seen.append(sorted(os.listdir(tmp_path / 'files')))
            return super().read(size)

    store.add_stream('/a@1', io.BytesIO(b'old'))
    store.add_stream('/a@2', Watching(bytes(1_000_000)))
    store.add_stream('/b@2', Watching(bytes(1_000_000)))
    assert len(seen) > 4
    assert {tuple(names) for names in seen} == {('a',)}
    assert os.listdir(tmp_path / 'incoming') == []


def test_a_source_that_fails_changes_nothing(store, tmp_path):
    store.add_stream('/a@1', io.BytesIO(b'old'))

    with pytest.raises(LocalFileError, match='the stream: Input/output error'):
        store.add_stream('/a@2', Failing())
    assert store.file_version('/a') == 1
    assert os.listdir(tmp_path / 'incoming') == []


def test_what_was_staged_and_not_added_is_gone(store, tmp_path):
    with store.staged(io.BytesIO(b'staged')) as staged:
        with open(staged.path, 'rb') as file:
            assert file.read() == b'staged'
        assert store.list_files() == []

    assert os.listdir(tmp_path / 'incoming') == []


def test_what_was_staged_can_be_added_and_refused(store, tmp_path):
    with store.staged(io.BytesIO(b'staged')) as staged:
        assert staged.add('/a@5') == '/a@5'
    with store.staged(io.BytesIO(b'older')) as staged:
        assert staged.add('/a@4') == '/a@5'

    with store.get_stream('/a')[0] as file:
        assert file.read() == b'staged'
    assert os.listdir(tmp_path / 'incoming') == []


def test_deleting_removes_folders_that_become_empty(store, tmp_path):
    store.add_stream('/a/b/c@1', io.BytesIO(b''))
    store.add_stream('/a/d@1', io.BytesIO(b''))

    store.delete_file('/a/b/c')
    assert os.listdir(tmp_path / 'files' / 'a') == ['d']
    store.delete_file('/a/d')
    assert os.listdir(tmp_path / 'files') == []


def test_files_are_listed_with_version_time_and_size(store):
    store.add_stream('/a@1', io.BytesIO(b'1'))
    store.add_stream('/b/c@-7', io.BytesIO(b'333'))

    assert sorted(store.list_files()) == [('/a@1', 1.0, 1), ('/b/c@-7', -7.0, 3)]
    assert store.list_files()[0]._fields == ('name', 'mtime', 'size')


def test_processes_may_add_and_delete_in_the_same_folders(store, tmp_path):
    def work():
        for _ in range(300):
            store.add_stream('/some/deep/folder/a@5', io.BytesIO(b'content'))
            for entry in store.list_files():
                assert entry.name == '/some/deep/folder/a@5'
            try:
                store.get_stream('/some/deep/folder/a@5')[0].close()
            except FiletrackerError as error:
                assert 'no such file' in str(error)
            store.delete_file('/some/deep/folder/a')

    children = []
    for _ in range(3):
        child = os.fork()
        if not child:
            status = 1
            try:
                work()
                status = 0
            finally:
                os._exit(status)
        children.append(child)

    statuses = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    assert statuses == [0] * 3
    assert os.listdir(tmp_path / 'files') == []
    assert os.listdir(tmp_path / 'incoming') == []


def test_a_store_that_cannot_be_made_is_an_error_of_filetracker(tmp_path):
    (tmp_path / 'file').write_bytes(b'')

    with pytest.raises(LocalFileError, match='Not a directory'):
        LocalDataStore(tmp_path / 'file')
