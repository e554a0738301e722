"""How clients are made, and what they are without a server."""

from __future__ import annotations

import os
import time

import pytest

import filetracker.client
from filetracker.client.client import Client
from filetracker.client.dummy import DummyClient, DummyDataStore
from filetracker.client.local_data_store import LocalDataStore
from filetracker.client.lock_manager import FcntlLockManager, NoOpLockManager
from filetracker.client.remote_data_store import RemoteDataStore
from filetracker.errors import NameConflict, NotFound
from tests.client.raw_server import VERSIONS, RawServer
from tests.client.reading import read


@pytest.fixture
def alone(tmp_path):
    """A client without a server."""
    return Client(cache_dir=str(tmp_path / 'store'))


def test_a_client_is_made_from_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv('FILETRACKER_DIR', str(tmp_path))
    monkeypatch.setenv('FILETRACKER_URL', 'http://127.0.0.1:1/ft')
    client = Client()

    assert client.local_store.dir == str(tmp_path / 'files')
    assert client.remote_store.base_url == 'http://127.0.0.1:1/ft'
    assert client.lock_manager.dir == str(tmp_path / 'locks')


def test_arguments_come_before_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv('FILETRACKER_DIR', '/nonexistent')
    monkeypatch.setenv('FILETRACKER_URL', 'http://127.0.0.1:1')
    client = Client(
        cache_dir=str(tmp_path / 'cache'), remote_url='http://x', locks_dir=str(tmp_path / 'l')
    )

    assert client.local_store.dir == str(tmp_path / 'cache' / 'files')
    assert client.remote_store.base_url == 'http://x'
    assert client.lock_manager.dir == str(tmp_path / 'l')


def test_stores_may_be_given_or_left_out(monkeypatch, tmp_path):
    monkeypatch.setenv('FILETRACKER_DIR', '')
    assert Client(remote_url='http://x').local_store is None
    assert isinstance(Client(remote_url='http://x').lock_manager, NoOpLockManager)
    assert Client(cache_dir=str(tmp_path), remote_store=None).remote_store is None

    local = LocalDataStore(tmp_path / 'own')
    client = Client(local_store=local, remote_store=RemoteDataStore('http://x'))
    assert client.local_store is local
    assert isinstance(client.lock_manager, FcntlLockManager)
    assert client.lock_manager.dir == str(tmp_path / 'own' / 'locks')
    own = NoOpLockManager()
    assert Client(local_store=local, lock_manager=own).lock_manager is own


def test_a_client_of_nothing_is_refused(monkeypatch):
    monkeypatch.setenv('FILETRACKER_DIR', '')

    with pytest.raises(ValueError, match='neither'):
        Client()


def test_making_a_client_sends_nothing(tmp_path):
    with RawServer(VERSIONS) as server:
        Client(cache_dir=str(tmp_path), remote_url=server.url)

    assert server.connections == 0


def test_a_dummy_touches_nothing(monkeypatch, tmp_path, file):
    monkeypatch.setenv('HOME', str(tmp_path / 'home'))
    monkeypatch.setattr(Client, 'DEFAULT_CACHE_DIR', str(tmp_path / 'home'))
    client = DummyClient()
    versioned = client.put_file('/a', file)

    assert isinstance(client, filetracker.client.Client)
    assert isinstance(client.local_store, DummyDataStore)
    assert read(client, versioned) == (b'content', versioned)
    assert client.get_file('/a', tmp_path / 'out') == versioned
    assert (tmp_path / 'out').read_bytes() == b'content'
    client.delete_file('/a')
    client.delete_file('/a')
    assert not (tmp_path / 'home').exists()


def test_alone_a_client_is_a_store(alone, file, tmp_path):
    before = int(time.time())
    versioned = alone.put_file('/dir/a', file, to_local_store=False)

    assert before <= alone.file_version('/dir/a') <= time.time()
    assert versioned == '/dir/a@%d' % alone.file_version('/dir/a')
    assert alone.get_file('/dir/a', tmp_path / 'out') == versioned
    assert alone.get_file(versioned, tmp_path / 'out', force_refresh=True) == versioned
    assert (tmp_path / 'out').read_bytes() == b'content'
    assert read(alone, '/dir/a', serve_from_cache=True) == (b'content', versioned)
    assert alone.file_size(versioned) == alone.file_size('/dir/a', force_refresh=True) == 7
    assert [entry.name for entry in alone.list_local_files()] == [versioned]
    assert alone.list_remote_files() == []


def test_alone_each_put_makes_a_version_of_its_own(alone, file):
    first = alone.put_file('/a', file)
    file.write_bytes(b'changed')
    second = alone.put_file('/a', file)

    assert first != second
    assert read(alone, second) == (b'changed', second)
    with pytest.raises(NotFound):
        alone.get_stream(first)


def test_alone_deleting_leaves_nothing_and_may_be_repeated(alone, file, tmp_path):
    alone.put_file('/dir/a', file)

    alone.delete_file('/dir/a')
    alone.delete_file('//dir/a@5')
    assert os.listdir(tmp_path / 'store' / 'files') == []
    assert os.listdir(tmp_path / 'store' / 'locks') == ['tree.lock']


@pytest.mark.parametrize('name', ['/missing', '/a/below', '/dir', '/dir@5', '/a@5'])
def test_alone_what_is_missing_is_not_found(alone, file, name, tmp_path):
    alone.put_file('/a', file)
    alone.put_file('/dir/a', file)

    for call in (
        lambda: alone.get_file(name, tmp_path / 'out'),
        lambda: alone.get_stream(name),
        lambda: alone.file_size(name),
    ):
        with pytest.raises(NotFound):
            call()
    alone.delete_file(name)
    assert alone.list_local_files()


def test_alone_a_file_cannot_be_a_directory(alone, file):
    alone.put_file('/a', file)
    alone.put_file('/dir/a', file)

    with pytest.raises(NameConflict):
        alone.put_file('/a/b', file)
    with pytest.raises(NameConflict):
        alone.put_file('/dir', file)


def test_what_the_original_left_alone_can_be_got(alone, tmp_path):
    # Filetracker 2.3.3 links to the source, whose time is no whole second.
    path = tmp_path / 'store' / 'files' / 'a'
    path.write_bytes(b'content')
    os.utime(path, ns=(0, 5_300_000_000))

    assert read(alone, '/a') == (b'content', '/a@5')
    assert alone.get_file('/a@5', tmp_path / 'out') == '/a@5'
    assert alone.file_version('/a') == 5


def test_names_that_are_none_are_left_out_of_the_list(alone, file, tmp_path):
    versioned = alone.put_file('/a', file)
    for name in (versioned[1:], 'b@5', 'b@c', 'x\udcff', 'x\ny'):
        (tmp_path / 'store' / 'files' / name).write_bytes(b'')
    os.symlink('nowhere', tmp_path / 'store' / 'files' / 'dangling')

    assert [entry.name for entry in alone.list_local_files()] == [versioned]


def test_names_like_the_lock_of_the_tree_work(alone, client, file):
    for user in (alone, client):
        versioned = user.put_file('/tree.lock', file)
        assert read(user, versioned) == (b'content', versioned)
        user.delete_file('/tree.lock')
