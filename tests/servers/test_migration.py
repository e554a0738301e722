"""The fallback: where a server sends clients for what it does not have, and what it never gives."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from filetracker.client import Client
from filetracker.client.remote_data_store import RemoteDataStore
from filetracker.errors import FiletrackerError, NotFound, ServerError
from filetracker.protocol import quote_name
from filetracker.servers.migration import MigrationFiletrackerServer
from filetracker.servers.settings import parse_settings
from filetracker.servers.storage import Storage, open_storage
from filetracker.servers.storage.memory import MemoryBlobStore, MemoryCatalog
from tests.contracts.storage import put
from tests.old_tree import OldTree
from tests.servers.test_wsgi import call
from tests.support import LiveServer

ODD = ['a b', 'ż/ó', 'p%41', 'q?x=1', 'h#1', 'plus+', "quote'", 'semi;colon', 'at@home']


@pytest.fixture(scope='module')
def old(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OldTree]:
    """The tests share it, and keep to names of their own."""
    with OldTree(tmp_path_factory.mktemp('old')) as tree:
        yield tree


@pytest.fixture(scope='module')
def live(tmp_path_factory: pytest.TempPathFactory, old: OldTree) -> Iterator[LiveServer]:
    """A server whose fallback is the old tree, shared as that."""
    with LiveServer(
        tmp_path_factory.mktemp('live') / 'store', '--fallback-url', old.url + '/'
    ) as server:
        yield server


@pytest.fixture
def client(live: LiveServer) -> Client:
    return Client(local_store=None, remote_url=live.url)


def read(client: Client, name: str) -> tuple[bytes, str]:
    stream, versioned = client.get_stream(name)
    with stream:
        return stream.read(), versioned


def is_missing(client: Client, name: str) -> bool:
    with pytest.raises(NotFound, match='404'):
        client.get_stream(name)
    with pytest.raises(NotFound, match='404'):
        client.file_version(name)
    return True


def test_what_is_only_in_the_fallback_is_got_from_there(
    old: OldTree, client: Client, tmp_path: Path
) -> None:
    old.put('a/b', 1234567, b'old')

    assert client.get_file('/a/b', tmp_path / 'out') == '/a/b@1234567'
    assert (tmp_path / 'out').read_bytes() == b'old'
    assert client.file_version('/a/b') == 1234567
    assert client.file_size('/a/b') == 3
    assert is_missing(client, '/a/none')


@pytest.mark.parametrize('name', ODD)
def test_a_name_is_encoded_on_its_way_to_the_fallback(name: str) -> None:
    application = _application()
    status, headers, body = call(application, 'GET', '/files/' + name.encode().decode('latin-1'))

    assert status == '307 Temporary Redirect'
    assert headers['Location'] == 'http://old:1/ft/files/' + quote_name(name)
    assert headers['Location'].isascii() and ' ' not in headers['Location']
    assert body == b''


def test_odd_names_are_found_in_the_fallback(old: OldTree, client: Client) -> None:
    # A client cannot say a name with '@'.
    names = [name for name in ODD if '@' not in name]
    for version, name in enumerate(names):
        old.put(name, version, name.encode())

    for version, name in enumerate(names):
        assert read(client, '/' + name) == (name.encode(), '/%s@%d' % (name, version))


def test_what_is_here_is_never_got_from_the_fallback(old: OldTree, client: Client) -> None:
    old.put('here/a', 20, b'old')
    client.remote_store.add_stream('/here/a@10', _bytes(b'new'))

    assert read(client, '/here/a') == (b'new', '/here/a@10')
    assert client.list_remote_files(subpath='/here') == ['a']


def test_what_is_deleted_does_not_come_back_from_the_fallback(
    old: OldTree, live: LiveServer, client: Client
) -> None:
    for name in ('put', 'never put'):
        old.put(name, 10, b'old')
    client.remote_store.add_stream('/put@20', _bytes(b'new'))
    client.delete_file('/put')
    client.delete_file('/never put')

    for _ in range(2):
        assert is_missing(client, '/put')
        assert is_missing(client, '/never put')
        with pytest.raises(NotFound, match='404'):
            client.delete_file('/never put')
        live.kill()
        live.start()


def test_what_was_deleted_can_be_put_and_deleted_again(old: OldTree, client: Client) -> None:
    old.put('again', 10, b'old')
    client.delete_file('/again')
    client.remote_store.add_stream('/again@5', _bytes(b'new'))

    assert read(client, '/again') == (b'new', '/again@5')
    client.delete_file('/again')
    assert is_missing(client, '/again')


def test_a_delete_that_is_older_than_the_file_in_the_fallback_leaves_it(
    old: OldTree, client: Client
) -> None:
    old.put('older', 10, b'old')

    client.delete_file('/older@9')
    assert read(client, '/older') == (b'old', '/older@10')
    client.delete_file('/older@10')
    assert is_missing(client, '/older')


def test_a_delete_of_what_is_nowhere_is_404(old: OldTree, client: Client) -> None:
    old.put('dir/a', 10, b'old')

    for name in ('/nowhere', '/dir'):
        with pytest.raises(NotFound, match='404'):
            client.delete_file(name)
    old.put('nowhere', 10, b'old')
    assert read(client, '/nowhere') == (b'old', '/nowhere@10')


def test_a_delete_is_not_decided_while_the_fallback_is_down(tmp_path: Path) -> None:
    with OldTree(tmp_path / 'old') as old:
        old.put('a', 10, b'old')
    with LiveServer(tmp_path / 'store', '--fallback-url', old.url) as live:
        store = RemoteDataStore(live.url, retries=0)
        store.add_stream('/here@5', _bytes(b'here'))

        with pytest.raises(ServerError, match='503.*the fallback cannot be asked; try again'):
            store.delete_file('/a')
        store.delete_file('/here')
        with pytest.raises(NotFound):
            store.file_version('/here')


def test_a_server_of_ours_can_be_the_fallback_and_have_one(
    old: OldTree, live: LiveServer, client: Client, tmp_path: Path
) -> None:
    old.put('in the first', 1, b'one' * 100_000)
    client.remote_store.add_stream('/in the second@2', _bytes(b'two' * 100_000))
    with LiveServer(tmp_path / 'third', '--fallback-url', live.url) as third:
        chained = Client(local_store=None, remote_url=third.url)

        assert read(chained, '/in the first') == (b'one' * 100_000, '/in the first@1')
        assert read(chained, '/in the second') == (b'two' * 100_000, '/in the second@2')
        assert chained.file_size('/in the second') == 300_000
        chained.delete_file('/in the first')
        assert is_missing(chained, '/in the first')
    assert read(client, '/in the first')[0] == b'one' * 100_000


def test_servers_that_are_the_fallback_of_each_other_end_in_an_error(tmp_path: Path) -> None:
    with LiveServer(tmp_path / 'one') as one:
        other = LiveServer(tmp_path / 'other', '--fallback-url', one.url)
        with other:
            one.stop()
            again = LiveServer(tmp_path / 'one', '--fallback-url', other.url, '-p', str(one.port))
            with again:
                client = Client(local_store=None, remote_url=again.url)
                with pytest.raises(FiletrackerError, match='Exceeded 30 redirects'):
                    client.get_stream('/a')
                with pytest.raises(ServerError, match='503'):
                    RemoteDataStore(again.url, retries=0).delete_file('/a')


@pytest.mark.parametrize(
    'url',
    ['', 'old', 'old:80', 'ftp://old', 'http://', 'http:///files', 'http://old:x', 'http://old:0']
    + ['http://old/a b', 'http://old/a?b', 'http://old/#b', 'http://żółw', 'http://old\r\nX: y'],
)
def test_a_fallback_that_is_none_is_a_usage_error(
    url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        parse_settings(['-d', 'store', '--fallback-url', url])

    assert ended.value.code == 2
    assert 'argument --fallback-url must be an http or https URL' in capsys.readouterr().err


@pytest.mark.parametrize('address', ['127.0.0.1', '0.0.0.0', 'localhost'])
@pytest.mark.parametrize('host', ['localhost', '127.0.0.1'])
def test_a_fallback_that_is_the_server_itself_is_a_usage_error(
    address: str, host: str, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ['-l', address, '-p', '7777', '--fallback-url', 'http://%s:7777/' % host]
    with pytest.raises(SystemExit) as ended:
        parse_settings(['-d', 'store', *flags])

    assert ended.value.code == 2
    assert 'is this server itself' in capsys.readouterr().err


def test_another_server_on_the_same_machine_can_be_the_fallback() -> None:
    flags = ['-l', '192.0.2.1', '-p', '7777', '--fallback-url', 'http://127.0.0.1:7777/']

    assert parse_settings(['-d', 'store', *flags]).fallback_url == 'http://127.0.0.1:7777'


def test_a_store_with_tombstones_is_an_ordinary_store_afterwards(
    old: OldTree, tmp_path: Path
) -> None:
    old.put('tomb', 10, b'old')
    with LiveServer(tmp_path / 'store', '--fallback-url', old.url) as live:
        Client(local_store=None, remote_url=live.url).delete_file('/tomb')
        live.stop()
    storage = open_storage(str(tmp_path / 'store'))

    assert not any(storage.pages(''))
    put(storage, 'tomb', 5, b'new')
    assert list(storage.pages('')) == [['tomb']]
    storage.close()


def _application() -> MigrationFiletrackerServer:
    storage = Storage(MemoryBlobStore(), MemoryCatalog())
    return MigrationFiletrackerServer('http://old:1/ft/', storage=storage)


def _bytes(content: bytes) -> Any:
    return io.BytesIO(content)
