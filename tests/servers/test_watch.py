"""What a server tells of itself: Prometheus' own parser reads it, and it is what was done."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest
import requests
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families

from filetracker import __version__
from filetracker.servers.base import Server
from filetracker.servers.figures import METHODS
from filetracker.servers.files import FiletrackerServer
from filetracker.servers.migration import MigrationFiletrackerServer
from tests.access.rules import RULES, bearer, credential
from tests.storage.test_census import walked
from tests.support import LiveServer, wait_for
from tests.wire.raw import Peer, delete, get, head, put, request

ENDPOINTS = ('health', 'ready', 'status', 'metrics')

_REQUESTS = 'filetracker_http_requests_total'

#: A metric's name and the values of its labels, sorted by the names of these, and its value.
Numbers = dict[tuple[str, ...], float]


def numbers(text: str, read: Callable[[str], Any] = text_string_to_metric_families) -> Numbers:
    """Returns all numbers, as a parser of Prometheus reads them."""
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in read(text)
        for sample in family.samples
    }


def metrics(server: LiveServer, **headers: str) -> Numbers:
    answer = requests.get(server.url + '/metrics', headers=headers)
    assert answer.status_code == 200
    return numbers(answer.text)


def status(server: LiveServer, **headers: str) -> dict[str, Any]:
    answer = requests.get(server.url + '/status', headers=headers)
    assert answer.status_code == 200
    said: dict[str, Any] = answer.json()
    return said


def when_counted(server: LiveServer) -> dict[str, Any]:
    (said,) = wait_for(lambda: [it for it in [status(server)] if it['counted']], 'the count')
    return said


def traffic(port: int) -> None:
    """Puts a and b with one content and c with another, deletes c, and reads."""
    with Peer(port) as peer:
        for name, body in (('a', b'x' * 1000), ('b', b'x' * 1000), ('c', b'y' * 10)):
            assert peer.ask(put(name, body)).status == 200
        assert peer.ask(delete('c')).status == 200
        for _ in range(3):
            assert peer.ask(get('a')).status == 200
        assert peer.ask(head('a')).status == 200
        assert peer.ask(get('missing')).status == 404
        for number in range(5):
            assert peer.ask(request('ODD%d' % number, '/files/a')).status == 405


def test_the_parser_of_prometheus_reads_what_was_done(server: LiveServer) -> None:
    traffic(server.port)

    found = metrics(server)
    told = {key[1:]: value for key, value in found.items() if key[0] == _REQUESTS}
    assert told == {
        ('PUT', '200'): 3,
        ('DELETE', '200'): 1,
        ('GET', '200'): 3,
        ('GET', '404'): 1,
        ('HEAD', '200'): 1,
        ('other', '405'): 5,
    }
    for method, number in zip(METHODS, (4, 1, 3, 1, 5), strict=True):
        bucket = 'filetracker_http_request_duration_seconds_bucket'
        counts = [value for key, value in found.items() if key[0] == bucket and key[2] == method]
        assert counts == sorted(counts)
        assert (counts[-1], found[bucket, '+Inf', method]) == (number, number)
        assert found['filetracker_http_request_duration_seconds_count', method] == number
        assert found['filetracker_http_request_duration_seconds_sum', method] < 60
    assert found['filetracker_http_received_bytes_total',] == 2010
    assert 3000 < found['filetracker_http_sent_bytes_total',] < 4000
    assert found['filetracker_http_accepted_total',] == 2
    assert found['filetracker_http_requests_in_flight', ''] == 1
    assert found['filetracker_http_cut_off_total',] == 0


def test_the_parser_of_prometheus_reads_what_the_store_did(server: LiveServer) -> None:
    traffic(server.port)
    when_counted(server)

    found = metrics(server)
    assert found['filetracker_store_puts_total',] == 3
    assert found['filetracker_store_deletes_total',] == 1
    assert found['filetracker_store_deduplication_hits_total',] == 1
    assert found['filetracker_store_damaged_total',] == 0
    assert found['filetracker_sync_duration_seconds_count', 'content'] == 2
    assert 4 <= found['filetracker_sync_duration_seconds_count', 'log'] <= 8
    queues = {key[1]: value for key, value in found.items() if key[0] == 'filetracker_queue_length'}
    assert queues.keys() == {'threads', 'commit', 'log'}
    assert queues['threads'] == queues['commit'] == 0
    assert found['filetracker_store_counted',] == 1
    assert found['filetracker_store_names',] == 2 and found['filetracker_store_blobs',] == 1
    assert found['filetracker_store_logical_bytes',] == 2000
    assert found['filetracker_store_plain_bytes',] == 1000
    assert 0 < found['filetracker_store_stored_bytes',] < 100
    assert found['filetracker_disk_free_bytes',] < found['filetracker_disk_size_bytes',]
    assert found['filetracker_build_info', __version__] == 1
    assert found['process_resident_memory_bytes',] > 1e6 and found['process_open_fds',] > 5


@pytest.mark.parametrize(
    ('accept', 'kind'),
    [
        ('application/openmetrics-text; version=1.0.0', 'application/openmetrics-text'),
        ('*/*', 'text/plain'),
        ('application/openmetrics-text; version=none', 'text/plain'),
        ('text/plain; version=1.x', 'text/plain'),
    ],
)
def test_the_form_of_the_numbers_is_agreed_upon(server: LiveServer, accept: str, kind: str) -> None:
    answer = requests.get(server.url + '/metrics', headers={'Accept': accept})

    read = read_openmetrics if kind != 'text/plain' else text_string_to_metric_families
    assert answer.status_code == 200
    assert answer.headers['Content-Type'].split(';')[0] == kind
    assert numbers(answer.text, read)['filetracker_http_connections',] == 1


def test_the_status_is_what_a_walk_finds_also_after_a_start(tmp_path: Path) -> None:
    with LiveServer(tmp_path / 'store') as server:
        traffic(server.port)
        before = when_counted(server)
        server.stop()
        application = FiletrackerServer(str(server.base_dir))
        totals = walked(application.storage)
        application.storage.close()
        server.start()
        after = when_counted(server)

    for said in (before, after):
        assert said['version'] == __version__ and 0 <= said['uptime_seconds'] < 60
        assert said['names'] == totals.names == 2 and said['blobs'] == totals.blobs == 1
        assert said['logical_bytes'] == totals.named_size == 2000
        assert said['plain_bytes'] == totals.size == 1000
        assert said['stored_bytes'] == totals.stored_size
        assert said['deduplication_ratio'] == 2.0
        assert said['compression_ratio'] == round(1000 / totals.stored_size, 4)
        assert 0 < said['disk_free_bytes'] < said['disk_size_bytes']
        # Those that asked before may not have been seen to leave.
        assert said['connections'] >= said['requests_in_flight'] == 1


def test_an_empty_store_has_no_ratios(server: LiveServer) -> None:
    said = when_counted(server)

    assert said['names'] == said['blobs'] == said['stored_bytes'] == 0
    assert said['deduplication_ratio'] is None and said['compression_ratio'] is None


def test_what_is_not_counted_yet_is_not_told(tmp_path: Path) -> None:
    application = FiletrackerServer(str(tmp_path))
    # Somebody counts already, and has not come far.
    application.storage.activity.census._thread = threading.current_thread()
    said = b''.join(application.answer(environ('/status')).body).decode()
    found = numbers(b''.join(application.answer(environ('/metrics')).body).decode())
    application.storage.close()

    assert '"counted": false' in said and '"names": null' in said
    assert found['filetracker_store_counted',] == 0
    assert ('filetracker_store_names',) not in found


def test_who_is_busy_is_told_by_the_name_of_the_credential(tmp_path: Path) -> None:
    rules = tmp_path / 'access.toml'
    rules.write_text(RULES)
    with (
        LiveServer(tmp_path / 'store', '--access', str(rules)) as server,
        Peer(server.port) as busy,
    ):
        fields = {'authorization': bearer('write'), 'content_length': '100'}
        busy.send(put('in/slow', b'part of it', **fields))

        def in_flight() -> bool:
            said = status(server, Authorization=bearer('admin'))
            return bool(said['requests_in_flight_by_user'] == {'write': 1, 'admin': 1})

        wait_for(in_flight, 'the upload')
        found = metrics(server, Authorization=bearer('admin'))
        assert found['filetracker_http_requests_in_flight', 'write'] == 1
        assert found['filetracker_http_received_bytes_total',] == len(b'part of it')
        assert found['filetracker_http_connections',] >= 2


def test_who_watches_sees_numbers_and_nothing_else(tmp_path: Path) -> None:
    rules = tmp_path / 'access.toml'
    rules.write_text(RULES + credential('prometheus', 'watch'))
    fields = {'authorization': bearer('prometheus')}
    with LiveServer(tmp_path / 'store', '--access', str(rules)) as server, Peer(server.port) as at:
        assert at.ask(put('in/a', authorization=bearer('admin'))).status == 200

        who = {'Authorization': bearer('prometheus')}
        wait_for(lambda: status(server, **who)['names'] == 1, 'the count')
        assert metrics(server, **who)['filetracker_store_names',] == 1
        for asked in (get('in/a', **fields), put('in/b', **fields), delete('in/a', **fields)):
            assert at.ask(asked).status == 403
        for target in ('/list', '/list/in', '/', '/whatever'):
            assert at.ask(request('GET', target, **fields)).status == 403


@pytest.mark.parametrize('endpoint', ENDPOINTS)
def test_head_is_as_get_and_nothing_else_is_allowed(server: LiveServer, endpoint: str) -> None:
    with Peer(server.port) as peer:
        answer = peer.ask(request('HEAD', '/' + endpoint))
        assert answer.status == 200 and int(answer.headers['content-length']) > 4
        assert answer.headers['cache-control'] == 'no-store'
        for method in ('PUT', 'DELETE', 'POST'):
            refused = peer.ask(request(method, '/' + endpoint))
            assert refused.status == 405 and refused.headers['allow'] == 'GET, HEAD'
        assert peer.ask(request('GET', '/%s/x' % endpoint)).line == 'nothing is below /' + endpoint


def answer_of(server: LiveServer) -> tuple[int, str]:
    answer = requests.get(server.url + '/ready')
    return answer.status_code, answer.text


def test_a_server_without_room_is_alive_but_not_ready(tmp_path: Path) -> None:
    with LiveServer(tmp_path / 'store', module='tests.wire.full_disk') as server:
        assert answer_of(server) == (200, 'ready\n')
        (tmp_path / 'full').touch()

        full = (503, 'there is no room on the disk of the store\n')
        wait_for(lambda: answer_of(server) == full, 'the disk to be full')
        assert requests.get(server.url + '/health').text == 'alive\n'
        (tmp_path / 'full').unlink()
        wait_for(lambda: answer_of(server) == (200, 'ready\n'), 'room')
        wait_for(lambda: 'the server is ready again' in server.log(), 'the log')
        assert server.log().count('not ready: no room left in the store') == 1
        assert server.log().count('the server is ready again') == 1


def test_many_who_ask_whether_it_is_ready_ask_the_disk_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # However long it takes to ask so often.
    monkeypatch.setattr('filetracker.servers.watch._FRESH', 20.0)
    application = FiletrackerServer(str(tmp_path))
    looks: list[None] = []
    application.storage.check_ready = lambda: looks.append(None)  # type: ignore[method-assign]
    answers = [application.answer(environ('/ready')).status for _ in range(50)]
    application.storage.close()

    assert set(answers) == {'200 OK'} and len(looks) == 1


def test_the_disk_is_tried_though_nobody_changes_anything(tmp_path: Path) -> None:
    application = FiletrackerServer(str(tmp_path))
    assert application.storage.disk is not None
    application.storage.disk.takes_changes = lambda: False  # type: ignore[method-assign]
    answer = application.answer(environ('/ready'))
    application.storage.close()

    assert answer.status[:3] == '503'
    assert b''.join(answer.body) == b'the store takes no changes now\n'


def test_a_disk_that_does_not_answer_is_not_ready(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr('filetracker.servers.watch._PATIENCE', 0.2)
    application = FiletrackerServer(str(tmp_path))
    hangs = threading.Event()
    application.storage.check_ready = lambda: hangs.wait(20)  # type: ignore[method-assign]
    first = threading.Thread(target=application.answer, args=(environ('/ready'),))
    first.start()
    try:
        wait_for(lambda: application.answer(environ('/ready')).status[:3] == '503', 'patience')
    finally:
        hangs.set()
        first.join()
        application.storage.close()


def environ(path: str) -> dict[str, Any]:
    return {'REQUEST_METHOD': 'GET', 'PATH_INFO': path}


class Silent(WSGIRequestHandler):
    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture(params=[FiletrackerServer, MigrationFiletrackerServer])
def application(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Server]:
    if request.param is FiletrackerServer:
        application = FiletrackerServer(str(tmp_path))
    else:
        application = MigrationFiletrackerServer('http://127.0.0.1:9', str(tmp_path))
    yield application
    application.storage.close()


def test_another_wsgi_server_answers_too(application: Server) -> None:
    with make_server('127.0.0.1', 0, application, handler_class=Silent) as other:
        url = 'http://127.0.0.1:%d' % other.server_port
        serving = threading.Thread(target=other.serve_forever)
        serving.start()
        try:
            assert requests.get(url + '/health').text == 'alive\n'
            assert requests.get(url + '/ready').text == 'ready\n'
            wait_for(lambda: requests.get(url + '/status').json()['counted'], 'the count')
            assert requests.get(url + '/status').json()['connections'] == 0
            found = numbers(requests.get(url + '/metrics').text)
        finally:
            other.shutdown()
            serving.join()

    assert found['filetracker_store_names',] == 0 and found['filetracker_http_connections',] == 0


def test_a_server_with_a_fallback_tells_of_itself(tmp_path: Path) -> None:
    with LiveServer(tmp_path / 'store', '--fallback-url', 'http://127.0.0.1:9') as server:
        assert answer_of(server) == (200, 'ready\n')
        said = status(server)
        assert said['connections'] >= said['requests_in_flight'] == 1
        assert metrics(server)['filetracker_http_requests_total', 'GET', '200'] == 2


def test_without_the_library_of_prometheus_only_metrics_are_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, 'prometheus_client', None)
    monkeypatch.delitem(sys.modules, 'filetracker.servers.metrics', raising=False)
    monkeypatch.delattr('filetracker.servers.metrics', raising=False)
    application = FiletrackerServer(str(tmp_path))
    refused = application.answer(environ('/metrics'))
    told = application.answer(environ('/status'))
    application.storage.close()

    assert refused.status == '501 Not Implemented' and told.status == '200 OK'
    assert b''.join(refused.body) == (
        b"metrics need prometheus_client: pip install 'filetracker[server]'\n"
    )
