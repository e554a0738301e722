"""What the client sends when it stores a file."""

from __future__ import annotations

import contextlib
import errno
import gzip
import hashlib
import io
import os
import socket
import threading
import time
from urllib.parse import parse_qs, urlsplit

import pytest

from filetracker.client import Client
from filetracker.client.body import Body
from filetracker.client.changes import put
from filetracker.client.names import Name
from filetracker.client.remote_data_store import RemoteDataStore
from filetracker.client.upload import Upload
from filetracker.errors import (
    BadAnswer,
    BadUpload,
    FiletrackerError,
    ServerError,
)
from filetracker.gz import Deflater
from filetracker.protocol import parse_date
from tests.client.raw_server import (
    DATE,
    STORED,
    VERSIONS,
    RawServer,
    answer,
    file_answer,
    listening,
    store_at,
)


def test_uploads_are_compressed_as_it_was_told(tmp_path, monkeypatch):
    content = b''.join(b'%d ' % number for number in range(30_000))
    source = tmp_path / 'source'
    source.write_bytes(content)
    monkeypatch.setenv('FILETRACKER_COMPRESSION', 'speed')
    with RawServer(STORED) as server:
        for told in (None, 'size'):
            client = Client(None, remote_url=server.url, compression=told)
            client.remote_store._protocol_ver = 2
            client.put_file('/a@5', str(source), to_local_store=False)

    for request, said in zip(server.requests, ('speed', 'size'), strict=True):
        deflater = Deflater(said)
        assert request.body == deflater.feed(content) + deflater.finish()


def test_a_compression_that_there_is_not_is_refused():
    with pytest.raises(FiletrackerError, match="no such compression: 'best'"):
        Client(None, remote_url='http://127.0.0.1:9', compression='best')


def test_an_upload_says_what_it_carries(tmp_path):
    content = b'content' * 1000
    with RawServer(STORED) as server:
        assert store_at(server).add_stream('/a b@5', io.BytesIO(content)) == '/a b@5'

    (request,) = server.requests
    assert request.method == 'PUT'
    target = urlsplit(request.target)
    assert target.path == '/files/a%20b'
    assert parse_qs(target.query) == {'last_modified': [DATE]}
    assert request.headers['Content-Encoding'] == 'gzip'
    assert request.headers['SHA256-Checksum'] == hashlib.sha256(content).hexdigest()
    assert request.headers['Logical-Size'] == '7000'
    assert request.headers['Content-Length'] == '%d' % len(request.body)
    assert gzip.decompress(request.body) == content


@pytest.mark.parametrize('content', [b'', b'content' * 100_000])
def test_an_uncompressed_upload_has_a_length(content, tmp_path):
    (tmp_path / 'in').write_bytes(content)
    with RawServer(STORED) as server:
        store_at(server).add_file('/a@5', tmp_path / 'in', compress_hint=False)

    (request,) = server.requests
    assert request.headers['Content-Length'] == '%d' % len(content)
    assert request.headers['Transfer-Encoding'] is None
    assert request.headers['Content-Encoding'] is None
    assert request.body == content


@pytest.mark.parametrize('compress_hint', [True, False])
def test_an_upload_from_a_pipe_has_a_length(compress_hint, tmp_path):
    content = os.urandom(300_000)
    os.mkfifo(tmp_path / 'pipe')
    writer = threading.Thread(target=(tmp_path / 'pipe').write_bytes, args=(content,))
    writer.start()
    with RawServer(STORED) as server:
        store_at(server).add_file('/a@5', tmp_path / 'pipe', compress_hint=compress_hint)
    writer.join()

    (request,) = server.requests
    body = gzip.decompress(request.body) if compress_hint else request.body
    assert body == content


class Changing:
    """A source that somebody writes to while it is read."""

    def __init__(self, path):
        path.write_bytes(os.urandom(1_000_000))
        self._path = path
        self._file = open(path, 'rb')

    def read(self, size=-1):
        piece = self._file.read(size)
        if self._file.tell() < 1_000_000:
            with open(self._path, 'r+b') as file:
                file.write(os.urandom(1_200_000))
        return piece

    def close(self):
        self._file.close()


def test_what_is_announced_is_what_was_sent_even_if_the_source_changes(tmp_path):
    with RawServer(STORED) as server, contextlib.closing(Changing(tmp_path / 'in')) as source:
        store_at(server).add_stream('/a@5', source)

    (request,) = server.requests
    content = gzip.decompress(request.body)
    assert len(content) == 1_200_000
    assert request.headers['SHA256-Checksum'] == hashlib.sha256(content).hexdigest()
    assert request.headers['Logical-Size'] == '1200000'


def test_a_plain_upload_that_grows_sends_what_it_announced(tmp_path):
    (tmp_path / 'in').write_bytes(bytes(20_000_000))
    received = []

    def grow(connection, file):
        with open(tmp_path / 'in', 'ab') as more:
            more.write(b'more')
        received.append(len(file.read(20_000_000)))
        connection.sendall(STORED)
        received.append(len(file.read()))

    with listening(grow) as store:
        store.add_file('/a@5', tmp_path / 'in', compress_hint=False)

    assert received == [20_000_000, 0]


def test_a_plain_upload_that_shrinks_is_not_completed(tmp_path):
    (tmp_path / 'in').write_bytes(bytes(20_000_000))
    received = []

    def shrink(connection, file):
        os.truncate(tmp_path / 'in', 100)
        received.append(len(file.read()))

    with listening(shrink) as store, pytest.raises(BadUpload, match='shorter'):
        store.add_file('/a@5', tmp_path / 'in', compress_hint=False)

    assert received[0] < 20_000_000


def test_a_source_that_fails_is_told_from_a_connection_that_fails(tmp_path):
    class Failing(io.BytesIO):
        def read(self, size=-1):
            raise OSError(errno.EIO, 'Input/output error')

    with RawServer(STORED) as server, pytest.raises(BadUpload, match='Input/output error'):
        upload = Upload(Body(Failing(), 10), {}, str)
        put(store_at(server)._server, Name('a', 5), 5, upload, True)


def test_without_a_version_it_is_the_clock():
    with RawServer(STORED) as server:
        before = int(time.time())
        store_at(server).add_stream('/a', io.BytesIO(b''))

    (date,) = parse_qs(urlsplit(server.requests[0].target).query)['last_modified']
    assert before <= parse_date(date) <= time.time()


def test_the_version_that_the_server_answers_is_returned():
    with RawServer(answer(last_modified='Thu, 01 Jan 1970 00:00:09 -0000')) as server:
        assert store_at(server).add_stream('/a@5', io.BytesIO(b'')) == '/a@9'


def test_an_upload_that_is_answered_without_a_version_is_an_error():
    with RawServer(answer()) as server, pytest.raises(BadAnswer, match='version'):
        store_at(server).add_stream('/a@5', io.BytesIO(b''))


@pytest.mark.parametrize('path', ['', '/', '/ft', '/ft/', '/deep/er//'])
def test_the_url_of_the_server_may_have_a_path(path):
    with RawServer(VERSIONS, STORED, file_answer(b''), answer(body=b'x\n')) as server:
        store = RemoteDataStore(server.url + path)
        store.add_stream('/a@5', io.BytesIO(b''))
        store.get_stream('/a')[0].close()
        store.list_files()

    prefix = path.rstrip('/')
    targets = [urlsplit(request.target).path for request in server.requests]
    assert targets == [prefix + end for end in ('/version/', '/files/a', '/files/a', '/list')]
    assert store.base_url.endswith(path)


def test_making_a_store_and_reading_do_not_ask_for_the_protocol():
    with RawServer(file_answer(b'')) as server:
        store = RemoteDataStore(server.url)
        store.exists('/a')
        store.file_version('/a')
        store.file_size('/a')
        store.get_stream('/a')[0].close()

    assert [request.target for request in server.requests] == ['/files/a'] * 4


def test_an_early_refusal_of_an_upload_is_heard(tmp_path):
    (tmp_path / 'in').write_bytes(os.urandom(5_000_000))

    def refuse(connection, file):
        connection.sendall(answer('507 Insufficient Storage', x_exception='no room'))
        connection.shutdown(socket.SHUT_WR)
        while file.read(65536):
            pass

    with listening(refuse) as store, pytest.raises(ServerError, match='HTTP/507: no room'):
        store.add_file('/a@5', tmp_path / 'in')
