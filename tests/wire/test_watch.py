"""Promises of PROTOCOL.md: what the server tells of itself."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from tests.support import ROOT, LiveServer, wait_for
from tests.wire.raw import Peer, delete, put, request

_METRIC = re.compile(r'^([a-z_]+)', re.MULTILINE)


def status(peer: Peer) -> dict[str, Any]:
    said: dict[str, Any] = json.loads(peer.ask(request('GET', '/status')).body)
    return said


def test_promise_69_a_server_that_answers_is_alive(peer: Peer) -> None:
    answer = peer.ask(request('GET', '/health'))

    assert (answer.status, answer.line) == (200, 'alive')


def test_promise_70_a_server_is_ready_while_files_can_be_put(tmp_path: Path) -> None:
    with LiveServer(tmp_path / 'store', module='tests.wire.full_disk') as server:
        with Peer(server.port) as peer:
            answer = peer.ask(request('GET', '/ready'))
            assert (answer.status, answer.line) == (200, 'ready')
            (tmp_path / 'full').touch()
            assert peer.ask(put('refused')).status == 507
            wait_for(lambda: peer.ask(request('GET', '/ready')).status == 503, 'the refusal')
            said = peer.ask(request('GET', '/ready')).line
            assert said == 'there is no room on the disk of the store'


def test_promise_71_the_status_is_numbers(peer: Peer) -> None:
    answer = peer.ask(request('GET', '/status'))

    said = json.loads(answer.body)
    text = (ROOT / 'PROTOCOL.md').read_text()
    promised = re.findall(r'`(\w+)`', text[text.index('\n71. ') : text.index('\n72. ')])
    assert (answer.status, answer.headers['content-type']) == (200, 'application/json')
    assert set(said) == set(promised) - {'null'}
    assert said['connections'] >= said['requests_in_flight'] >= 1
    assert said['requests_in_flight'] == sum(said['requests_in_flight_by_user'].values())


def test_promise_72_what_is_stored_is_counted(tmp_path: Path) -> None:
    with LiveServer(tmp_path / 'store') as server, Peer(server.port) as peer:
        wait_for(lambda: status(peer)['counted'], 'the count')
        for number in range(20):
            assert peer.ask(put('a/%d' % number, b'%d' % (number % 7))).status == 200
            assert status(peer)['names'] == number + 1
        assert peer.ask(delete('a/0')).status == 200
        before = status(peer)
        server.kill()
        server.start()

        with Peer(server.port) as again:
            wait_for(lambda: status(again)['counted'], 'the count')
            after = status(again)
        for said in (before, after):
            assert (said['names'], said['blobs']) == (19, 7)
            assert (said['logical_bytes'], said['plain_bytes']) == (19, 7)


def test_promise_73_metrics_are_for_prometheus(peer: Peer) -> None:
    wait_for(lambda: status(peer)['counted'], 'the count')
    plain = peer.ask(request('GET', '/metrics'))
    accept = 'application/openmetrics-text; version=1.0.0'
    other = peer.ask(request('GET', '/metrics', accept=accept))

    text = (ROOT / 'PROTOCOL.md').read_text()
    table = text[text.index('| metric `filetracker_') :]
    rows = [row.split('|')[1] for row in table[: table.index('\n\n')].splitlines()[2:]]
    promised = {'filetracker_' + name for row in rows for name in re.findall('`([a-z_]+)`', row)}
    there = {
        re.sub('_(bucket|count|sum)$', '', name)
        for name in _METRIC.findall(plain.body.decode())
        if name.startswith('filetracker_')
    }
    assert plain.headers['content-type'].startswith('text/plain; version=0.0.4')
    assert other.headers['content-type'].startswith('application/openmetrics-text')
    assert other.body.endswith(b'# EOF\n')
    assert there == promised


def test_promise_73_methods_that_are_not_known_count_as_one(peer: Peer) -> None:
    for number in range(3):
        peer.ask(request('METHOD%d' % number, '/status'))
    text = peer.ask(request('GET', '/metrics')).body

    assert b'filetracker_http_requests_total{method="other",status="405"}' in text
    assert b'METHOD' not in text


def test_promise_74_nothing_is_below_and_nothing_is_kept(peer: Peer) -> None:
    for endpoint in ('/health', '/ready', '/status', '/metrics'):
        assert peer.ask(request('GET', endpoint)).headers['cache-control'] == 'no-store'
        assert peer.ask(request('HEAD', endpoint)).status == 200
        assert peer.ask(request('PUT', endpoint)).status == 405
        assert peer.ask(request('GET', endpoint + '/x')).status == 400
