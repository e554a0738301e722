"""The connections of the client: kept, given up, refused, and waited for."""

from __future__ import annotations

import io
import os
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest

from filetracker.client.remote_data_store import RemoteDataStore
from filetracker.errors import (
    ConnectionFailed,
    FiletrackerError,
    NotFound,
)
from tests.client.raw_server import (
    DATE,
    STORED,
    RawServer,
    answer,
    file_answer,
    listening,
    store_at,
)
from tests.support import wait_for


def test_a_thread_keeps_its_connection():
    with RawServer(file_answer(b'a', connection=None), keep_alive=True) as server:
        store = store_at(server)
        for _ in range(3):
            store.file_version('/a')
            with store.get_stream('/a')[0] as stream:
                stream.read()
            assert store.exists('/a')

        assert server.connections == 1
        with ThreadPoolExecutor(1) as pool:
            pool.submit(store.file_version, '/a').result()
        assert server.connections == 2


def test_an_error_does_not_cost_the_connection():
    missing = answer('404 Not Found', b'no such file\n', connection=None)
    with RawServer(missing, keep_alive=True) as server:
        store = store_at(server)
        for call in (store.get_stream, store.delete_file, store.file_version):
            with pytest.raises(NotFound):
                call('/a')

    assert server.connections == 1


def test_a_connection_that_was_idle_is_not_trusted(monkeypatch):
    monkeypatch.setattr('filetracker.client.transport._IDLE', 0.0)
    with RawServer(file_answer(b'a', connection=None), keep_alive=True) as server:
        store = store_at(server)
        with store.get_stream('/a')[0] as stream:
            store.file_version('/a')
            assert stream.read() == b'a'
        store.file_version('/a')

    assert server.connections == 3


def test_after_a_fork_the_child_has_connections_of_its_own():
    with RawServer(file_answer(b'a', connection=None), keep_alive=True) as server:
        store = store_at(server)
        store.file_version('/a')
        child = os.fork()
        if not child:
            os._exit(0 if store.file_version('/a') == 5 else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        store.file_version('/a')

        assert server.connections == 2


def test_a_server_that_nobody_runs_is_told_in_one_line():
    with socket.create_server(('127.0.0.1', 0)) as listener:
        url = 'http://user:secret@127.0.0.1:%d' % listener.getsockname()[1]

    with pytest.raises(ConnectionFailed) as caught:
        RemoteDataStore(url).get_stream('/a')
    assert str(caught.value) == 'cannot reach %s/files/a: Connection refused' % url.replace(
        'user:secret@', ''
    )
    assert isinstance(caught.value, ConnectionError)


@pytest.mark.parametrize('url', ['nonsense', 'ftp://127.0.0.1', 'http://', 'http://[', ''])
def test_a_url_that_is_none_is_an_error_of_filetracker(url):
    with pytest.raises(FiletrackerError):
        RemoteDataStore(url).get_stream('/a')


def test_silence_has_an_end():
    done = threading.Event()
    with RawServer(lambda *_: done.wait()) as server:
        store = RemoteDataStore(server.url, timeout=(5, 0.2))
        with pytest.raises(ConnectionFailed, match=r'no answer from .* for 0.2 s'):
            store.file_version('/a')
        done.set()


def test_silence_within_a_body_has_an_end():
    done = threading.Event()
    begin = file_answer(os.urandom(500_000))[:300_000]

    def stall(connection, request):
        connection.sendall(begin)
        done.wait(30)

    with RawServer(stall) as server:
        store = RemoteDataStore(server.url, timeout=(5, 1))
        with store.get_stream('/a')[0] as stream, pytest.raises(ConnectionFailed, match='broke'):
            stream.read()
        done.set()


def test_a_server_may_listen_slower_than_it_accepts(tmp_path):
    (tmp_path / 'in').write_bytes(bytes(20_000_000))

    def dawdle(connection, file):
        time.sleep(0.6)
        file.read(20_000_000)
        connection.sendall(STORED)

    with listening(dawdle) as store:
        assert store.add_file('/a@5', tmp_path / 'in', compress_hint=False) == '/a@5'


def test_a_server_may_listen_slower_on_a_connection_that_was_used(tmp_path):
    (tmp_path / 'in').write_bytes(bytes(20_000_000))

    def dawdle(connection, file):
        file.read(5)
        connection.sendall(answer(last_modified=DATE, connection=None))
        while file.readline().strip():
            pass
        time.sleep(0.6)
        file.read(20_000_000)
        connection.sendall(STORED)

    with listening(dawdle) as store:
        (tmp_path / 'small').write_bytes(b'small')
        store.add_file('/a@5', tmp_path / 'small', compress_hint=False)

        assert store.add_file('/a@5', tmp_path / 'in', compress_hint=False) == '/a@5'


def test_threads_share_a_store(remote):
    def round_trip(number):
        content = b'%d' % number * 10_000
        remote.add_stream('/%d@5' % number, io.BytesIO(content))
        with remote.get_stream('/%d' % number)[0] as stream:
            return stream.read() == content

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(round_trip, range(64)))
    assert len(remote.list_files()) == 64


def test_a_thread_that_ends_leaves_no_connection_behind(remote):
    def connections():
        return len([c for c in psutil.Process().net_connections('tcp') if c.status != 'LISTEN'])

    before = connections()
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: remote.list_files(), range(16)))

    assert wait_for(lambda: connections() <= before, 'the connections to be closed')
