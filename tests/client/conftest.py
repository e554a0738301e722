"""What the tests of the client share: one live server, emptied for each test."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest

from filetracker.client.client import Client
from filetracker.client.remote_data_store import RemoteDataStore
from tests.client.commands import Run, command
from tests.support import LiveServer, environment


@pytest.fixture(scope='session')
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    with LiveServer(tmp_path_factory.mktemp('live') / 'store') as server:
        yield server


@pytest.fixture
def remote(live: LiveServer) -> RemoteDataStore:
    """An empty store on a live server."""
    store = RemoteDataStore(live.url)
    for name in store.list_files():
        store.delete_file('/' + name)
    return store


@pytest.fixture
def client(remote: RemoteDataStore, tmp_path) -> Client:
    """A client of an empty server, with an empty cache in ``tmp_path / 'cache'``."""
    return Client(remote_url=remote.base_url, cache_dir=str(tmp_path / 'cache'))


@pytest.fixture
def other(remote: RemoteDataStore) -> Client:
    """Another client of the same server, on a machine without a cache."""
    return Client(remote_url=remote.base_url, local_store=None)


@pytest.fixture(autouse=True)
def no_environment(monkeypatch) -> None:
    """No test of the client depends on how it was started, nor writes into the home directory."""
    monkeypatch.delenv('FILETRACKER_URL', raising=False)
    monkeypatch.delenv('FILETRACKER_DIR', raising=False)
    monkeypatch.delenv('FILETRACKER_CACHE_SIZE', raising=False)
    monkeypatch.setattr(Client, 'DEFAULT_CACHE_DIR', '/nonexistent/filetracker')


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch) -> None:
    """What is tried again is tried at once."""
    monkeypatch.setattr('filetracker.client.retrying.FIRST_PAUSE', 0.001)


@pytest.fixture
def file(tmp_path):
    """A file to put."""
    path = tmp_path / 'file'
    path.write_bytes(b'content')
    return path


@pytest.fixture
def fetched(client, other, tmp_path):
    """A client that has ``/a@5`` with the content b'five' in its cache, alone."""
    (tmp_path / 'five').write_bytes(b'five')
    other.put_file('/a@5', tmp_path / 'five')
    client.get_file('/a', tmp_path / 'out')
    other.delete_file('/a')
    return client


@pytest.fixture
def run(live: LiveServer, remote: RemoteDataStore, tmp_path) -> Run:
    """Runs the command in ``tmp_path`` on an empty server, with a cache in ``tmp_path / 'cache'``.

    What is given by keyword is added to its environment, ``given`` is its standard input.
    """

    def run(*arguments, given: bytes = b'', **variables):
        said = {'FILETRACKER_URL': live.url, 'FILETRACKER_DIR': str(tmp_path / 'cache')}
        return subprocess.run(
            command(*arguments),
            input=given,
            capture_output=True,
            cwd=tmp_path,
            env=environment(**{**said, **variables}),
        )

    return run
