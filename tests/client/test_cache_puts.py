"""What storing and removing files does to the cache."""

from __future__ import annotations

import hashlib
import os

import pytest

from filetracker.client.client import Client
from filetracker.errors import NotFound, ServerError
from tests.client.raw_server import STORED, VERSIONS, RawServer
from tests.client.reading import content, names_below

NEW = os.urandom(600_000)


def test_what_was_put_is_served_without_a_request(tmp_path):
    (tmp_path / 'new').write_bytes(NEW)
    with RawServer(VERSIONS, STORED) as server:
        client = Client(remote_url=server.url, cache_dir=str(tmp_path / 'cache'))
        assert client.put_file('/a@5', tmp_path / 'new') == '/a@5'
        assert content(client, '/a@5') == NEW

    assert [request.method for request in server.requests] == ['GET', 'PUT']


def test_what_the_server_did_not_take_is_not_cached(client, other, tmp_path):
    (tmp_path / 'six').write_bytes(b'six')
    other.put_file('/a@6', tmp_path / 'six')
    (tmp_path / 'five').write_bytes(b'five')

    assert client.put_file('/a@5', tmp_path / 'five') == '/a@6'
    assert content(client, '/a@6') == b'six'
    with pytest.raises(NotFound):
        client.get_stream('/a@5')


def test_what_the_server_refused_is_not_cached(client, other, tmp_path):
    (tmp_path / 'new').write_bytes(b'new')
    other.put_file('/a@5', tmp_path / 'new')

    with pytest.raises(ServerError, match='HTTP/409'):
        client.put_file('/a/b@5', tmp_path / 'new')
    assert names_below(tmp_path / 'cache') == ['locks/tree.lock']


def test_what_is_cached_is_what_was_sent_even_if_the_source_changes(tmp_path):
    source = tmp_path / 'source'
    source.write_bytes(NEW)

    def change_and_give(sent):
        def act(connection, request):
            source.write_bytes(os.urandom(1000))
            connection.sendall(sent)

        return act

    with RawServer(change_and_give(VERSIONS), change_and_give(STORED)) as server:
        client = Client(remote_url=server.url, cache_dir=str(tmp_path / 'cache'))
        client.put_file('/a@5', source)

    sent = server.requests[1].headers['SHA256-Checksum']
    assert hashlib.sha256(content(client, '/a@5')).hexdigest() == sent


def test_an_equal_version_replaces_the_entry(fetched, tmp_path):
    (tmp_path / 'new').write_bytes(b'new')

    assert fetched.put_file('/a@5', tmp_path / 'new') == '/a@5'
    assert content(fetched, '/a@5') == b'new'


@pytest.mark.parametrize('options', [{}, {'compress_hint': False}])
def test_putting_past_the_cache_forgets_an_entry_of_that_version(fetched, options, tmp_path):
    (tmp_path / 'new').write_bytes(b'new')

    fetched.put_file('/a@5', tmp_path / 'new', to_local_store=False, **options)
    assert content(fetched, '/a@5') == b'new'


def test_putting_past_the_cache_keeps_an_entry_of_another_version(fetched, tmp_path):
    (tmp_path / 'new').write_bytes(b'new')

    fetched.put_file('/a@6', tmp_path / 'new', to_local_store=False)
    assert content(fetched, '/a@5') == b'five'


def test_what_was_put_into_the_cache_alone_can_be_fetched(client, remote, tmp_path):
    (tmp_path / 'new').write_bytes(b'new')
    versioned = client.put_file('/a', tmp_path / 'new', to_remote_store=False)

    assert client.get_file(versioned, tmp_path / 'out') == versioned
    assert (tmp_path / 'out').read_bytes() == b'new'
    assert not remote.exists('/a')


def test_deleting_removes_the_entry_and_its_folders(client, remote, tmp_path):
    (tmp_path / 'new').write_bytes(b'new')
    client.put_file('/dir/a', tmp_path / 'new')

    client.delete_file('/dir/a')
    assert not remote.exists('/dir/a')
    assert names_below(tmp_path / 'cache') == ['locks/tree.lock']
    assert os.listdir(tmp_path / 'cache' / 'files') == []
    assert os.listdir(tmp_path / 'cache' / 'locks') == ['tree.lock']


def test_deleting_what_the_server_lost_removes_the_entry(fetched):
    with pytest.raises(NotFound, match='HTTP/404'):
        fetched.delete_file('/a')

    assert fetched.list_local_files() == []
