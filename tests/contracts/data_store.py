"""What every data store promises to a client."""

from __future__ import annotations

import hashlib
import io
import os
import time

import pytest

from filetracker.client.data_store import DataStore
from filetracker.errors import InvalidName, NameConflict, NotFound, ServerError
from tests.contracts import Contract

FUTURE = int(time.time()) + 100_000

NAMES = [
    '/plain',
    '/deep/er/down/x.txt',
    '/tree.lock',
    '/tree.lock-and/more',
    '/zażółć/gęślą jaźń',
    '/日本語',
    '/a b  c',
    '/100%',
    '/%41%2e%2E%2F',
    '/what?is#this;and=that&those+all',
    '/~tilde/*star*/"quote\'s"\\',
    '/.hidden/...',
    '/' + 'x' * 255,
]

WRONG_NAMES = [
    '',
    'relative',
    '/',
    '/..',
    '/a/../b',
    '/a/./b',
    '/a//b',
    '/a@1/b',
    '/a@1@2',
    '/a@',
    '/a@x',
    '/a@99999999999999',
    '/a\nb',
    '/a\0b',
    '/\udcff',
    '/' + 'x' * 256,
    None,
]


class Text(str):
    """Names come as all kinds of strings."""


class DataStoreContract(Contract):
    @pytest.fixture
    def store(self) -> DataStore:
        """An empty store."""
        raise NotImplementedError

    @pytest.mark.parametrize('name', NAMES)
    def test_what_goes_in_comes_out(self, store, name):
        content = b'\x00\xff' + name.encode() * 3

        assert store.add_stream(name + '@5', io.BytesIO(content)) == name + '@5'
        assert read(store, name) == (content, name + '@5')
        assert read(store, name + '@5') == (content, name + '@5')
        assert store.exists(name)
        assert store.file_size(name) == len(content)

    @pytest.mark.parametrize('size', [0, 1, 2**18 - 1, 2**18, 2**18 + 1, 3_000_000])
    def test_a_file_of_any_size_comes_back(self, store, size, tmp_path):
        content = os.urandom(size)
        (tmp_path / 'in').write_bytes(content)

        store.add_file('/random@1', tmp_path / 'in')
        assert store.get_file('/random', tmp_path / 'out') == '/random@1'
        assert (tmp_path / 'out').read_bytes() == content
        assert store.file_size('/random') == size

    @pytest.mark.parametrize('content', [b'', b'content' * 100_000])
    def test_a_file_may_travel_uncompressed(self, store, content, tmp_path):
        (tmp_path / 'in').write_bytes(content)

        store.add_file('/file@1', tmp_path / 'in', compress_hint=False)
        assert read(store, '/file') == (content, '/file@1')

    @pytest.mark.parametrize('name', WRONG_NAMES)
    def test_a_wrong_name_is_refused_everywhere(self, store, name, tmp_path):
        (tmp_path / 'in').write_bytes(b'in')

        for call in (
            lambda: store.add_stream(name, io.BytesIO()),
            lambda: store.add_file(name, tmp_path / 'in'),
            lambda: store.exists(name),
            lambda: store.file_version(name),
            lambda: store.file_size(name),
            lambda: store.stat(name),
            lambda: store.get_stream(name),
            lambda: store.get_file(name, tmp_path / 'out'),
            lambda: store.delete_file(name),
        ):
            with pytest.raises(InvalidName):
                call()
        assert not (tmp_path / 'out').exists()

    @pytest.mark.parametrize('name', ['/missing', '/missing@5', '/is/missing', '/there/missing'])
    def test_what_is_missing_is_not_found(self, store, name, tmp_path):
        store.add_stream('/there@1', io.BytesIO(b'there'))

        for call in (
            lambda: store.file_version(name),
            lambda: store.file_size(name),
            lambda: store.stat(name),
            lambda: store.get_stream(name),
            lambda: store.get_file(name, tmp_path / 'out'),
        ):
            with pytest.raises(NotFound):
                call()
        assert not store.exists(name)
        assert not (tmp_path / 'out').exists()

    def test_a_directory_is_not_a_file(self, store):
        store.add_stream('/directory/file@1', io.BytesIO(b'file'))

        with pytest.raises(NotFound):
            store.get_stream('/directory')
        with pytest.raises(NotFound):
            store.file_version('/directory')
        assert not store.exists('/directory')

    def test_another_version_is_not_found(self, store, tmp_path):
        store.add_stream('/a@5', io.BytesIO(b'five'))

        for call in (
            lambda: store.file_size('/a@4'),
            lambda: store.stat('/a@4'),
            lambda: store.get_stream('/a@6'),
            lambda: store.get_file('/a@4', tmp_path / 'out'),
        ):
            with pytest.raises(NotFound, match='/a@[46].*/a@5'):
                call()
        assert not store.exists('/a@6')
        assert store.file_version('/a@6') == 5

    def test_without_a_version_it_is_that_of_the_moment(self, store):
        before = int(time.time())
        name = store.add_stream('/now', io.BytesIO(b'now'))
        after = int(time.time())

        assert before <= store.file_version('/now') <= after
        assert name == '/now@%d' % store.file_version('/now')

    def test_a_newer_version_replaces_an_older_one(self, store):
        store.add_stream('/a@5', io.BytesIO(b'five'))

        assert store.add_stream('/a@6', io.BytesIO(b'six')) == '/a@6'
        assert read(store, '/a') == (b'six', '/a@6')
        assert not store.exists('/a@5')

    def test_an_older_version_changes_nothing(self, store):
        store.add_stream('/a@5', io.BytesIO(b'five'))

        assert store.add_stream('/a@4', io.BytesIO(b'four')) == '/a@5'
        assert read(store, '/a') == (b'five', '/a@5')

    def test_an_equal_version_replaces_the_content(self, store):
        store.add_stream('/a@5', io.BytesIO(b'old'))

        assert store.add_stream('/a@5', io.BytesIO(b'new')) == '/a@5'
        assert read(store, '/a@5') == (b'new', '/a@5')

    def test_versions_before_1970_are_versions(self, store):
        assert store.add_stream('/old@-5', io.BytesIO(b'old')) == '/old@-5'
        assert read(store, '/old@-5') == (b'old', '/old@-5')

    def test_what_is_deleted_is_gone(self, store):
        store.add_stream('/a/b@5', io.BytesIO(b'five'))

        store.delete_file('/a/b')
        assert not store.exists('/a/b')

    def test_a_deleted_name_takes_any_version(self, store):
        store.add_stream('/a@5', io.BytesIO(b'five'))

        store.delete_file('/a')
        store.add_stream('/a@4', io.BytesIO(b'four'))
        assert read(store, '/a') == (b'four', '/a@4')

    def test_a_deleted_file_makes_room_for_a_directory_and_the_reverse(self, store):
        store.add_stream('/a@5', io.BytesIO(b'file'))

        store.delete_file('/a')
        store.add_stream('/a/b@5', io.BytesIO(b'below'))
        assert read(store, '/a/b') == (b'below', '/a/b@5')
        store.delete_file('/a/b')
        store.add_stream('/a@5', io.BytesIO(b'again'))
        assert read(store, '/a') == (b'again', '/a@5')

    @pytest.mark.parametrize('version', [5, 6])
    def test_a_version_that_is_not_older_is_deleted(self, store, version):
        store.add_stream('/a@5', io.BytesIO(b'five'))

        store.delete_file('/a@%d' % version)
        assert not store.exists('/a')

    def test_a_newer_version_is_not_deleted(self, store):
        store.add_stream('/a@5', io.BytesIO(b'five'))

        store.delete_file('/a@4')
        assert read(store, '/a') == (b'five', '/a@5')

    def test_without_a_version_even_a_file_of_the_future_is_deleted(self, store):
        store.add_stream('/a@%d' % FUTURE, io.BytesIO(b'future'))

        store.delete_file('/a')
        assert not store.exists('/a')

    def test_slashes_at_the_start_count_as_one(self, store):
        store.add_stream('///a/b@5', io.BytesIO(b'five'))

        assert read(store, '/a/b') == (b'five', '/a/b@5')
        assert read(store, '//a/b@5') == (b'five', '/a/b@5')
        store.delete_file('//a/b@5')
        assert not store.exists('/a/b')

    def test_names_may_be_of_a_kind_of_their_own(self, store):
        name = store.add_stream(Text('/a@5'), io.BytesIO(b'five'))

        assert type(name) is str
        assert read(store, Text('/a')) == (b'five', '/a@5')

    def test_the_source_may_be_changed_afterwards(self, store, tmp_path):
        source = tmp_path / 'source'
        source.write_bytes(b'before')
        store.add_file('/a@5', source)
        with open(source, 'r+b') as file:
            file.write(b'after!')

        assert read(store, '/a') == (b'before', '/a@5')

    def test_what_was_got_may_be_changed(self, store, tmp_path):
        store.add_stream('/a@5', io.BytesIO(b'before'))
        store.get_file('/a', tmp_path / 'out')
        with open(tmp_path / 'out', 'r+b') as file:
            file.write(b'after!')

        assert read(store, '/a@5') == (b'before', '/a@5')

    def test_a_target_is_replaced_and_its_folder_made(self, store, tmp_path):
        store.add_stream('/a@5', io.BytesIO(b'new'))
        target = tmp_path / 'some' / 'folder' / 'out'
        store.get_file('/a', target)
        target.write_bytes(b'something longer')

        assert store.get_file('/a', target) == '/a@5'
        assert target.read_bytes() == b'new'
        assert os.listdir(target.parent) == ['out']

    def test_an_open_stream_survives_what_happens_to_the_name(self, store):
        content = os.urandom(2_000_000)
        store.add_stream('/a@5', io.BytesIO(content))
        store.add_stream('/b@5', io.BytesIO(content))

        with store.get_stream('/a')[0] as overwritten, store.get_stream('/b')[0] as deleted:
            store.add_stream('/a@6', io.BytesIO(b'other'))
            store.delete_file('/b')
            assert overwritten.read() == content
            assert deleted.read() == content

    def test_a_stream_can_be_read_in_every_way(self, store):
        content = b'first line\nsecond line\n' + b'long' * 100_000 + b'\nlast'
        store.add_stream('/a@5', io.BytesIO(content))

        stream, _ = store.get_stream('/a')
        with stream:
            assert stream.readable()
            assert stream.read(3) == b'fir'
            assert stream.readline() == b'st line\n'
            buffer = bytearray(6)
            assert stream.readinto(buffer) == 6
            assert buffer == b'second'
            assert list(stream) == [b' line\n', b'long' * 100_000 + b'\n', b'last']
            assert stream.read(1) == b''
            assert stream.read() == b''
        assert stream.closed
        with pytest.raises(ValueError):
            stream.read()

    def test_a_stream_has_a_name_only_if_that_is_a_file_with_the_content(self, store):
        store.add_stream('/a@5', io.BytesIO(b'content'))

        with store.get_stream('/a')[0] as stream:
            if hasattr(stream, 'name'):
                with open(stream.name, 'rb') as file:
                    assert file.read() == b'content'

    @pytest.mark.parametrize('content', [b'', b'content' * 100_000])
    def test_a_file_can_be_asked_for_its_version_size_and_digest(self, store, content):
        store.add_stream('/some/a@5', io.BytesIO(content))

        digest = hashlib.sha256(content).hexdigest()
        for name in ('/some/a', '/some/a@5', '//some/a'):
            assert store.stat(name) == ('/some/a@5', 5, len(content), digest)

    def test_names_are_listed_below_a_directory(self, store):
        assert store.list_names() == []
        for name in ('/b@5', '/a/b/c@6', '/a/ż@7', '/ab/c@8'):
            store.add_stream(name, io.BytesIO(b''))

        assert store.list_names() == ['/a/b/c', '/a/ż', '/ab/c', '/b']
        for directory in ('/a', '/a/', '//a'):
            assert store.list_names(directory) == ['/a/b/c', '/a/ż']
        assert store.list_names('/a/b') == ['/a/b/c']

    @pytest.mark.parametrize('directory', ['/missing', '/a/b', '/a/b/c', '/a/missing'])
    def test_a_directory_that_is_none_cannot_be_listed(self, store, directory):
        store.add_stream('/a/b@5', io.BytesIO(b''))

        with pytest.raises(NotFound):
            store.list_names(directory)

    @pytest.mark.parametrize('directory', ['', 'a', '/..', '/a@5', '/a//b', None])
    def test_the_name_of_a_directory_is_checked(self, store, directory):
        with pytest.raises(InvalidName):
            store.list_names(directory)

    @pytest.mark.parametrize('size', [0, 1, 1_000_000])
    @pytest.mark.parametrize('compress_hint', [True, False])
    def test_progress_is_told_from_the_start_to_the_end(self, store, size, compress_hint, tmp_path):
        (tmp_path / 'in').write_bytes(os.urandom(size))
        put, got = [], []
        store.add_file(
            '/a@5', tmp_path / 'in', compress_hint, progress=lambda *told: put.append(told)
        )
        store.get_file('/a', tmp_path / 'out', progress=lambda *told: got.append(told))

        for told in (put, got):
            assert told[0] == (0, size)
            assert told[-1] == (size, size)
            assert [done for done, _ in told] == sorted(done for done, _ in told)

    def test_what_progress_raises_ends_a_transfer_and_leaves_what_was(self, store, tmp_path):
        (tmp_path / 'in').write_bytes(b'new')
        (tmp_path / 'out').write_bytes(b'old')
        store.add_stream('/a@5', io.BytesIO(b'old'))

        def enough(done, total):
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            store.add_file('/a@6', tmp_path / 'in', progress=enough)
        with pytest.raises(ZeroDivisionError):
            store.get_file('/a', tmp_path / 'out', progress=enough)
        assert read(store, '/a') == (b'old', '/a@5')
        assert (tmp_path / 'out').read_bytes() == b'old'

    def test_a_missing_source_is_an_error_of_filetracker(self, store, tmp_path):
        with pytest.raises(OSError, match='missing: No such file') as caught:
            store.add_file('/a', tmp_path / 'missing')

        assert type(caught.value).__module__ == 'filetracker.errors'
        assert not store.exists('/a')


class TreeContract(DataStoreContract):
    """What stores promise, besides, in which a name cannot be a file and a directory."""

    def test_a_name_below_a_file_cannot_be_stored(self, store):
        store.add_stream('/a@5', io.BytesIO(b'file'))

        with pytest.raises((NameConflict, ServerError), match='cannot store'):
            store.add_stream('/a/b/c@5', io.BytesIO(b'below'))
        assert read(store, '/a') == (b'file', '/a@5')

    def test_a_directory_cannot_become_a_file(self, store):
        store.add_stream('/a/b@5', io.BytesIO(b'file'))

        with pytest.raises((NameConflict, ServerError), match='cannot store'):
            store.add_stream('/a@5', io.BytesIO(b'above'))
        assert read(store, '/a/b') == (b'file', '/a/b@5')


def read(store: DataStore, name: str) -> tuple[bytes, str]:
    stream, versioned = store.get_stream(name)
    with stream:
        return stream.read(), versioned
