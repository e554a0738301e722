"""The application is plain WSGI: it keeps the rules and runs under other servers."""

from __future__ import annotations

import gzip
import io
import random
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator

import pytest
import requests

from filetracker.errors import FiletrackerError
from filetracker.servers.base import status_of
from filetracker.servers.files import FiletrackerServer
from tests.support import wait_for
from tests.wire.raw import date

LARGE = bytes(range(256)) * 4000


@pytest.fixture
def application(tmp_path: Path) -> Iterator[FiletrackerServer]:
    server = FiletrackerServer(str(tmp_path / 'store'))
    yield server
    server.storage.close()


def call(
    application: FiletrackerServer,
    method: str,
    path: str,
    query: str = '',
    body: bytes = b'',
    **more,
) -> tuple[str, dict[str, str], bytes]:
    """Calls an application as a strict WSGI server does."""
    environ: dict[str, Any] = {}
    setup_testing_defaults(environ)
    environ.update(REQUEST_METHOD=method, PATH_INFO=path, QUERY_STRING=query, **more)
    environ['wsgi.input'] = io.BytesIO(body)
    if body:
        environ['CONTENT_LENGTH'] = str(len(body))
    answered: list[Any] = []

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
        answered[:] = [status, dict(headers)]
        return lambda piece: None

    content = validator(application)(environ, start_response)
    try:
        received = b''.join(content)
    finally:
        content.close()
    return answered[0], answered[1], received


@pytest.mark.parametrize('content', [b'small', LARGE], ids=['small', 'large'])
def test_the_application_keeps_the_rules_of_wsgi(
    application: FiletrackerServer, content: bytes
) -> None:
    query = 'last_modified=' + date(1000).replace(' ', '%20')
    put = call(application, 'PUT', '/files/a/b', query, content)
    plain = call(application, 'GET', '/files/a/b')
    packed = call(application, 'GET', '/files/a/b', HTTP_ACCEPT_ENCODING='gzip')
    head = call(application, 'HEAD', '/files/a/b')
    part = call(application, 'GET', '/files/a/b', HTTP_RANGE='bytes=1-3')
    known = call(application, 'GET', '/files/a/b', HTTP_IF_NONE_MATCH='*')
    listed = call(application, 'GET', '/list')
    deleted = call(application, 'DELETE', '/files/a/b', query)

    assert put[0] == plain[0] == packed[0] == head[0] == listed[0] == deleted[0] == '200 OK'
    assert plain[2] == gzip.decompress(packed[2]) == content
    assert head[1:] == (plain[1], b'')
    assert part[0] == '206 Partial Content'
    assert part[2] == content[1:4]
    assert (known[0], known[2]) == ('304 Not Modified', b'')
    assert listed[2] == b'a/b\n'


@pytest.mark.parametrize('content', [b'small', LARGE, LARGE * 3], ids=['small', 'large', 'larger'])
def test_what_is_on_the_shelf_keeps_the_rules_of_wsgi(
    application: FiletrackerServer, content: bytes
) -> None:
    application.storage.shelf.most = 10
    query = 'last_modified=' + date(1000).replace(' ', '%20')
    gzipped = gzip.compress(random.Random(1).randbytes(len(content)))
    call(application, 'PUT', '/files/a', query, gzipped, HTTP_CONTENT_ENCODING='gzip')

    def shelved() -> bool:
        answer = call(application, 'GET', '/files/a', HTTP_ACCEPT_ENCODING='gzip')
        assert answer[2] == gzipped
        return application.storage.shelf.get('a') is not None

    wait_for(shelved)
    for _ in range(2):
        assert shelved()
        head = call(application, 'HEAD', '/files/a', HTTP_ACCEPT_ENCODING='gzip')
        part = call(
            application, 'GET', '/files/a', HTTP_ACCEPT_ENCODING='gzip', HTTP_RANGE='bytes=5-'
        )
        assert head[1]['Content-Length'] == str(len(gzipped))
        assert part[2] == gzipped[5:]


@pytest.mark.parametrize(
    ('method', 'path', 'query', 'status'),
    [
        ('GET', '/', '', 200),
        ('GET', '/version/', '', 200),
        ('GET', '/files/none', '', 404),
        ('GET', '/list/none', '', 404),
        ('GET', '/nothing', '', 400),
        ('GET', '/files/\xff', '', 400),
        ('PUT', '/files/a', '', 400),
        ('PUT', '/list', '', 405),
        ('DELETE', '/files/a', 'last_modified=x', 400),
    ],
)
def test_errors_keep_the_rules_of_wsgi(
    application: FiletrackerServer, method: str, path: str, query: str, status: int
) -> None:
    for verb in (method, 'HEAD') if method == 'GET' else (method,):
        assert call(application, verb, path, query)[0].startswith(str(status))


def test_a_body_that_another_server_cuts_short_is_refused(application: FiletrackerServer) -> None:
    environ: dict[str, Any] = {}
    setup_testing_defaults(environ)
    environ.update(
        REQUEST_METHOD='PUT',
        PATH_INFO='/files/a',
        QUERY_STRING='last_modified=' + date(1000).replace(' ', '%20'),
        CONTENT_LENGTH='10',
    )
    environ['wsgi.input'] = io.BytesIO(b'short')

    assert application.answer(environ).status == '400 Bad Request'
    assert call(application, 'GET', '/files/a')[0] == '404 Not Found'


class _Arrived(io.BytesIO):
    """A body that has arrived whole, and counts who waits for it."""

    waits = 0

    def read(self, size: int | None = -1) -> bytes:
        self.waits += 1
        return super().read(size)

    def read_now(self, least: int, most: int) -> bytes:
        return super().read(most)


def test_a_body_that_has_arrived_is_waited_for_once_and_computed_where_large_ones_are(
    tmp_path: Path,
) -> None:
    steps: list[str] = []

    def verify(function: Callable[..., Any], *arguments: Any) -> Any:
        steps.append(function.__name__)
        return function(*arguments)

    server = FiletrackerServer(str(tmp_path / 'store'), verify=verify)
    environ: dict[str, Any] = {}
    setup_testing_defaults(environ)
    body = _Arrived(LARGE * 2)
    environ.update(
        REQUEST_METHOD='PUT',
        PATH_INFO='/files/a',
        QUERY_STRING='last_modified=' + date(1000).replace(' ', '%20'),
        CONTENT_LENGTH=str(len(LARGE * 2)),
    )
    environ['wsgi.input'] = body

    assert server.answer(environ).status == '200 OK'
    assert body.waits == 1
    assert steps[0] == 'begin_writing' and set(steps[1:]) <= {'write_some'}
    first = len(steps)
    assert call(server, 'PUT', '/files/b', environ['QUERY_STRING'], b'small')[0] == '200 OK'
    assert len(steps) == first
    assert call(server, 'GET', '/files/a')[2] == LARGE * 2
    server.storage.close()


class _Broken(io.BytesIO):
    def read(self, size: int | None = -1) -> bytes:
        piece = super().read(size)
        if not piece:
            raise OSError('the peer is gone')
        return piece


def test_a_body_that_another_server_cannot_read_is_refused(application: FiletrackerServer) -> None:
    environ: dict[str, Any] = {'HTTP_TRANSFER_ENCODING': 'chunked', 'wsgi.input_terminated': True}
    setup_testing_defaults(environ)
    environ.update(
        REQUEST_METHOD='PUT',
        PATH_INFO='/files/a',
        QUERY_STRING='last_modified=' + date(1000).replace(' ', '%20'),
    )
    environ['wsgi.input'] = _Broken(b'short')

    assert application.answer(environ).status == '400 Bad Request'
    assert call(application, 'GET', '/files/a')[0] == '404 Not Found'


class _Quiet(WSGIRequestHandler):
    def log_message(self, *arguments: object) -> None:
        pass


def test_the_application_runs_under_another_server(application: FiletrackerServer) -> None:
    with make_server('127.0.0.1', 0, validator(application), handler_class=_Quiet) as server:
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        try:
            url = 'http://127.0.0.1:%d' % server.server_port
            when = {'last_modified': date(1000)}
            name = url + '/files/a%20b/%C5%BC'
            stored = requests.put(name, params=when, data=LARGE)
            fetched = requests.get(name)
            plain = requests.get(name, headers={'Accept-Encoding': 'identity'})
            listed = requests.get(url + '/list')
            missing = requests.get(url + '/files/none')
            deleted = requests.delete(name, params=when)
        finally:
            server.shutdown()
            serving.join()

    assert stored.status_code == deleted.status_code == 200
    assert fetched.headers['Content-Encoding'] == 'gzip'
    assert fetched.content == plain.content == LARGE
    assert listed.content == 'a b/ż\n'.encode()
    assert (missing.status_code, missing.text) == (404, 'no such file: none\n')


def test_the_directory_may_come_from_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv('FILETRACKER_DIR', str(tmp_path / 'store'))
    server = FiletrackerServer()
    server.storage.close()

    assert server.dir == str(tmp_path / 'store' / 'links')


def test_a_server_needs_a_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv('FILETRACKER_DIR', raising=False)

    with pytest.raises(FiletrackerError, match='FILETRACKER_DIR'):
        FiletrackerServer()


def test_an_error_that_is_not_in_the_table_tells_nothing() -> None:
    assert status_of(OSError('/secret/path')) == ('500 Internal Server Error', 'internal error')
