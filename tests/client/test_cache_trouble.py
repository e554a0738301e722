"""No trouble with the cache that the server could mend is an error."""

from __future__ import annotations

import io
import os
import threading

import pytest

from filetracker.client.cache import Cache
from filetracker.client.client import Client
from filetracker.client.dummy import DummyDataStore
from filetracker.errors import LocalFileError, NotFound
from tests.client.raw_server import RawServer, file_answer
from tests.client.reading import content, names_below

NEW = os.urandom(600_000)


@pytest.fixture
def trouble(client, tmp_path):
    """A client whose cache takes nothing, whatever it tries."""
    os.rmdir(client.local_store.dir)
    (tmp_path / 'cache' / 'files').write_bytes(b'not a directory')
    (tmp_path / 'cache' / 'incoming').write_bytes(b'not a directory')
    return client


def test_a_broken_cache_fails_no_request(trouble, other, remote, tmp_path, caplog):
    (tmp_path / 'new').write_bytes(NEW)
    versioned = trouble.put_file('/a', tmp_path / 'new')

    assert trouble.get_file('/a', tmp_path / 'out') == versioned
    assert trouble.get_file(versioned, tmp_path / 'out') == versioned
    assert (tmp_path / 'out').read_bytes() == NEW
    assert content(trouble, versioned) == NEW
    assert content(trouble, '/a', serve_from_cache=True) == NEW
    assert content(trouble, versioned, serve_from_cache=True) == NEW
    assert trouble.file_size(versioned) == len(NEW)
    trouble.put_file('/a', tmp_path / 'new', to_local_store=False)
    trouble.delete_file('/a')
    assert not remote.exists('/a')
    assert 'is not cached' in caplog.text
    assert 'Traceback' not in caplog.text


def test_locks_that_cannot_be_had_fail_no_request(client, other, remote, tmp_path):
    locks = tmp_path / 'cache' / 'locks'
    os.rmdir(locks)
    locks.write_bytes(b'not a directory')
    (tmp_path / 'new').write_bytes(NEW)

    versioned = client.put_file('/a', tmp_path / 'new')
    assert client.get_file('/a', tmp_path / 'out') == versioned
    assert content(client, '/a', serve_from_cache=True) == NEW
    client.delete_file('/a')
    assert not remote.exists('/a')


@pytest.mark.parametrize(('old', 'new'), [('/a', '/a/b'), ('/a/b', '/a')])
def test_what_the_server_cannot_have_any_more_makes_way(client, other, old, new, tmp_path):
    (tmp_path / 'old').write_bytes(b'old')
    (tmp_path / 'new').write_bytes(b'new')
    client.put_file(old + '@5', tmp_path / 'old')
    other.delete_file(old)
    other.put_file(new + '@5', tmp_path / 'new')

    assert client.get_file(new + '@5', tmp_path / 'out') == new + '@5'
    assert (tmp_path / 'out').read_bytes() == b'new'
    assert content(client, new, serve_from_cache=True) == b'new'
    assert [file.name for file in client.list_local_files()] == [new + '@5']
    assert client.put_file(new + '@6', tmp_path / 'new') == new + '@6'
    client.delete_file(new)
    assert names_below(tmp_path / 'cache') == ['locks/tree.lock']


def test_a_target_that_cannot_be_written_is_an_error_not_trouble(fetched, tmp_path):
    (tmp_path / 'file').write_bytes(b'')
    (tmp_path / 'folder').mkdir()

    for target in (tmp_path / 'file' / 'out', tmp_path / 'folder'):
        for name in ('/a@5', '/a'):
            with pytest.raises((LocalFileError, NotFound)):
                fetched.get_file(name, target)
    assert os.listdir(tmp_path / 'folder') == []


def test_many_who_want_the_same_version_fetch_it_once(tmp_path):
    gate = threading.Event()

    def slow(connection, request):
        gate.wait()
        connection.sendall(file_answer(NEW))

    with RawServer(slow) as server:
        results = []

        def get(number):
            client = Client(remote_url=server.url, cache_dir=str(tmp_path / 'cache'))
            results.append(client.get_file('/a@5', tmp_path / str(number)))

        threads = [threading.Thread(target=get, args=(number,)) for number in range(5)]
        for thread in threads:
            thread.start()
        gate.set()
        for thread in threads:
            thread.join()

    assert results == ['/a@5'] * 5
    assert {(tmp_path / str(number)).read_bytes() for number in range(5)} == {NEW}
    assert len(server.requests) == 1


def test_a_store_that_is_no_directory_can_be_a_cache(remote, tmp_path):
    client = Client(local_store=DummyDataStore(), remote_store=remote)
    (tmp_path / 'new').write_bytes(NEW)
    versioned = client.put_file('/a', tmp_path / 'new')
    remote.delete_file('/a')

    assert isinstance(client._cache, Cache)
    assert content(client, versioned) == NEW
    assert client.file_size(versioned) == len(NEW)
    remote.add_stream('/b@5', io.BytesIO(NEW))
    assert content(client, '/b', serve_from_cache=True) == NEW
    remote.delete_file('/b')
    client.get_file('/b@5', tmp_path / 'out')
    assert (tmp_path / 'out').read_bytes() == NEW
