"""Which version of the protocol is spoken, and the servers of version 1."""

from __future__ import annotations

import functools
import http.server
import io
import os
import threading

import pytest

from filetracker.client.remote_data_store import RemoteDataStore
from filetracker.errors import (
    BadAnswer,
    FiletrackerError,
    ServerError,
)
from tests.client.raw_server import (
    DATE,
    STORED,
    RawServer,
    answer,
)


@pytest.mark.parametrize('known', [b'[2]', b'[2, 3]', b'[1, 2]', b'[3, 2, "x"]'])
def test_the_highest_version_that_both_know_is_spoken(known):
    versions = answer(body=b'{"protocol_versions": %s, "more": 1}' % known)
    with RawServer(versions, STORED) as server:
        store = RemoteDataStore(server.url)
        store.add_stream('/a@5', io.BytesIO(b''))
        store.add_stream('/a@5', io.BytesIO(b''))

    assert store._protocol_ver == 2
    assert [request.target.partition('?')[0] for request in server.requests] == [
        '/version/',
        '/files/a',
        '/files/a',
    ]


@pytest.mark.parametrize(
    ('said', 'error'),
    [
        (answer(body=b'{"protocol_versions": [3]}'), FiletrackerError),
        (answer(body=b'{"protocol_versions": []}'), FiletrackerError),
        (answer(body=b'{"protocol_versions": 2}'), BadAnswer),
        (answer(body=b'{}'), BadAnswer),
        (answer(body=b'[]'), BadAnswer),
        (answer(body=b'not json'), BadAnswer),
        (answer(body=b'\xff'), BadAnswer),
        (answer('500 Oops'), ServerError),
    ],
)
def test_no_common_version_is_an_error(said, error):
    with RawServer(said) as server, pytest.raises(error):
        RemoteDataStore(server.url).add_stream('/a@5', io.BytesIO(b''))
    assert len(server.requests) == 1


@pytest.mark.parametrize('compress_hint', [True, False])
def test_protocol_1_has_the_version_in_a_header_and_plain_bodies(compress_hint, tmp_path):
    (tmp_path / 'in').write_bytes(b'content')
    with RawServer(answer('404 Not Found'), STORED) as server:
        store = RemoteDataStore(server.url)
        store.add_file('/a@5', tmp_path / 'in', compress_hint=compress_hint)

    request = server.requests[1]
    assert (request.method, request.target) == ('PUT', '/files/a')
    assert request.headers['Last-Modified'] == DATE
    assert request.headers['Content-Encoding'] is None
    assert request.headers['SHA256-Checksum'] is None
    assert request.body == b'content'


def test_protocol_1_does_not_delete_or_list(caplog):
    with RawServer(answer('404 Not Found')) as server:
        store = RemoteDataStore(server.url)
        store.delete_file('/a')
        assert store.list_files() == []

    assert [request.target for request in server.requests] == ['/version/']
    assert 'cannot remove /a' in caplog.text


def test_files_come_from_a_static_server(tmp_path):
    folder = tmp_path / 'root' / 'files' / 'zażółć'
    folder.mkdir(parents=True)
    (folder / 'a b%41?').write_bytes(b'static')
    os.utime(folder / 'a b%41?', (5, 5))

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *arguments):
            pass

    quiet = functools.partial(Quiet, directory=str(tmp_path / 'root'))
    with http.server.ThreadingHTTPServer(('127.0.0.1', 0), quiet) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            store = RemoteDataStore('http://127.0.0.1:%d/' % server.server_address[1])
            assert store.get_file('/zażółć/a b%41?', tmp_path / 'out') == '/zażółć/a b%41?@5'
            assert (tmp_path / 'out').read_bytes() == b'static'
            assert store.file_size('/zażółć/a b%41?@5') == 6
            assert not store.exists('/zażółć/b')
            with pytest.raises(BadAnswer):
                store.get_stream('/zażółć')
        finally:
            server.shutdown()
            thread.join()
