"""``FileStorage``: the class that callers in the same process know from filetracker 2.3.3."""

from __future__ import annotations

import gzip
import inspect
import io
import os
from functools import partial

import pytest

from filetracker.errors import BadUpload, Busy, InvalidName, NotFound
from filetracker.servers.storage import (
    ConcurrentModificationError,
    FileStorage,
    FiletrackerFileNotFoundError,
)
from filetracker.servers.storage.blobs_directory import DirectoryBlobStore
from filetracker.servers.storage.together import run_together
from tests.contracts.blob_store import digest_of
from tests.storage.parts import closing

CONTENT = b'content' * 100
GZIP = gzip.compress(CONTENT)
DIGEST = digest_of(CONTENT)


@pytest.fixture
def storage(tmp_path):
    with closing(FileStorage(str(tmp_path))) as storage:
        yield storage


def served(storage, name):
    """What the mirror points to: another door than the database."""
    with gzip.open(os.path.join(storage.links_dir, name)) as file:
        return file.read()


def test_the_signatures_are_those_of_the_original():
    assert str(inspect.signature(FileStorage)) in ('(base_dir)', "(base_dir: 'str') -> 'None'")
    parameters = inspect.signature(FileStorage.store).parameters
    assert list(parameters)[1:] == [
        'name',
        'data',
        'version',
        'size',
        'compressed',
        'digest',
        'logical_size',
    ]
    assert [parameters[name].default for name in list(parameters)[4:]] == [0, False, None, None]
    assert list(inspect.signature(FileStorage.delete).parameters)[1:] == ['name', 'version']


def test_the_errors_of_the_original_have_their_names():
    assert FiletrackerFileNotFoundError is NotFound
    assert ConcurrentModificationError is Busy


def test_its_directories_are_those_of_the_original(storage, tmp_path):
    assert storage.base_dir == str(tmp_path)
    assert storage.links_dir == str(tmp_path / 'links')
    assert storage.blobs_dir == str(tmp_path / 'blobs')
    assert os.path.isdir(storage.links_dir)
    assert os.path.isdir(storage.blobs_dir)


def test_plain_bytes_are_stored(storage):
    assert storage.store('a/name', io.BytesIO(CONTENT), 5) == 5
    assert served(storage, 'a/name') == CONTENT
    assert storage.stored_version('a/name') == 5
    assert storage.logical_size('a/name') == len(CONTENT)


def test_gzip_is_stored_as_it_is(storage):
    storage.store('a/name', io.BytesIO(GZIP), 5, compressed=True)

    with open(os.path.join(storage.blobs_dir, DIGEST[:2], DIGEST), 'rb') as blob:
        assert blob.read() == GZIP
    assert storage.logical_size('a/name') == len(CONTENT)


@pytest.mark.parametrize('compressed', [False, True])
def test_only_size_bytes_are_read(storage, compressed):
    stored = GZIP if compressed else CONTENT
    source = io.BytesIO(stored + b'the next request')
    storage.store('name', source, 5, size=len(stored), compressed=compressed)

    assert served(storage, 'name') == CONTENT
    assert source.read() == b'the next request'


def test_a_source_that_gives_little_at_a_time_is_read_to_its_size(storage):
    class Drops(io.BytesIO):
        def read(self, size=-1):
            return super().read(min(size, 3) if size > 0 else 3)

    storage.store('one', Drops(CONTENT), 5, size=len(CONTENT))
    storage.store('two', Drops(CONTENT), 5)

    assert served(storage, 'one') == served(storage, 'two') == CONTENT


def test_a_source_that_ends_too_early_is_refused(storage):
    with pytest.raises(BadUpload, match='1 bytes are missing'):
        storage.store('name', io.BytesIO(CONTENT), 5, size=len(CONTENT) + 1)

    assert storage.stored_version('name') is None
    assert os.listdir(storage.links_dir) == []


@pytest.mark.parametrize(
    'hints',
    [
        {'digest': DIGEST, 'logical_size': len(CONTENT)},
        {'digest': DIGEST.upper(), 'logical_size': str(len(CONTENT))},
        {'digest': DIGEST},
        {'logical_size': len(CONTENT)},
    ],
)
@pytest.mark.parametrize('compressed', [False, True])
def test_right_hints_are_taken(storage, hints, compressed):
    source = io.BytesIO(GZIP if compressed else CONTENT)

    assert storage.store('name', source, 5, compressed=compressed, **hints) == 5
    assert os.readlink(os.path.join(storage.links_dir, 'name')).endswith(DIGEST)


@pytest.mark.parametrize(
    'hints',
    [
        {'digest': digest_of(b'other')},
        {'digest': DIGEST[:-1]},
        {'digest': ''},
        {'digest': '../' * 21 + 'x'},
        {'logical_size': len(CONTENT) - 1},
        {'logical_size': len(CONTENT) + 1},
        {'logical_size': 'many'},
        {'logical_size': -1},
        {'digest': DIGEST, 'logical_size': 0},
        {'digest': digest_of(b'other'), 'logical_size': len(CONTENT)},
    ],
)
@pytest.mark.parametrize('compressed', [False, True])
def test_wrong_hints_are_refused(storage, hints, compressed):
    storage.store('name', io.BytesIO(b'old'), 5)
    source = io.BytesIO(GZIP if compressed else CONTENT)

    with pytest.raises(BadUpload):
        storage.store('name', source, 6, compressed=compressed, **hints)
    assert storage.stored_version('name') == 5
    assert served(storage, 'name') == b'old'


@pytest.mark.parametrize('content', [GZIP[:-1], GZIP + b'x', CONTENT, b''])
def test_what_is_no_gzip_is_refused(storage, content):
    with pytest.raises(BadUpload):
        storage.store('name', io.BytesIO(content), 5, compressed=True)

    assert storage.stored_version('name') is None


def test_an_older_version_is_told_the_newer_one(storage):
    storage.store('name', io.BytesIO(b'new'), 6)

    assert storage.store('name', io.BytesIO(CONTENT), 5) == 6
    assert served(storage, 'name') == b'new'


def test_an_equal_version_overwrites(storage):
    storage.store('name', io.BytesIO(b'old'), 5)

    assert storage.store('name', io.BytesIO(CONTENT), 5) == 5
    assert served(storage, 'name') == CONTENT


def test_a_version_may_be_a_float_of_whole_seconds(storage):
    assert storage.store('name', io.BytesIO(CONTENT), 5.0) == 5
    assert storage.delete('name', 5.0)


def test_deleting_tells_whether_it_did(storage):
    storage.store('a/name', io.BytesIO(CONTENT), 5)

    assert storage.delete('a/name', 4) is False
    assert served(storage, 'a/name') == CONTENT
    assert storage.delete('a/name', 5) is True
    assert storage.stored_version('a/name') is None
    assert os.listdir(storage.links_dir) == []
    with pytest.raises(FiletrackerFileNotFoundError):
        storage.delete('a/name', 5)


def test_what_is_not_there_has_no_version_and_no_size(storage):
    assert storage.stored_version('name') is None
    with pytest.raises(FiletrackerFileNotFoundError):
        storage.logical_size('name')


@pytest.mark.parametrize('name', ['/a', 'a/../../b', '..', 'a//b', ''])
def test_a_name_that_leads_elsewhere_is_refused(storage, tmp_path, name):
    with pytest.raises(InvalidName):
        storage.store(name, io.BytesIO(CONTENT), 5)

    assert os.listdir(storage.links_dir) == []


def test_its_database_is_the_metadata_of_the_original(storage):
    storage.store('one', io.BytesIO(CONTENT), 5)
    storage.store('two', io.BytesIO(CONTENT), 5)

    assert storage.db.get(DIGEST.encode()) == b'2'
    assert storage.db.get(DIGEST.encode() + b':logical_size') == b'%d' % len(CONTENT)
    assert storage.db.get(b'missing') is None

    storage.db.put(b'key', b'value')
    assert storage.db.get(b'key') == b'value'


def test_it_is_closed_once_and_for_all(storage):
    storage.store('name', io.BytesIO(CONTENT), 5)
    storage.close()
    storage.close()

    with closing(FileStorage(storage.base_dir)) as again:
        assert served(again, 'name') == CONTENT
        assert again.stored_version('name') == 5


def test_puts_that_wait_together_have_one_file_open_each(storage, monkeypatch):
    def put(version):
        calls = [
            partial(storage.store, str(n), io.BytesIO(b'%d %d' % (version, n)), version)
            for n in range(20)
        ]
        assert run_together(calls) == [(version, None)] * 20

    put(1)
    opened = set(os.listdir('/proc/self/fd'))
    most = []
    remove = DirectoryBlobStore.remove

    def count(blobs, digest):
        most.append(len(set(os.listdir('/proc/self/fd')) - opened))
        remove(blobs, digest)

    monkeypatch.setattr(DirectoryBlobStore, 'remove', count)
    put(2)

    assert len(most) == 20
    # And what it takes to look.
    assert max(most) <= 20 + 3
