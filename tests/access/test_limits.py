"""Limits: how much each may ask for, and all together."""

from __future__ import annotations

import gzip
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from filetracker.servers.base import Answer, Refusal
from filetracker.servers.limits import Gate, Limits, through
from filetracker.servers.sendable import Sendable
from tests.access.rules import bearer, credential, guarded_server
from tests.support import LiveServer, wait_for
from tests.wire.raw import Answer as Heard
from tests.wire.raw import Peer, delete, get, put, request

RULES = '\n'.join(
    [
        credential('rare', 'write', 'requests_per_second = 0.001', 'burst = 2'),
        credential('curious', 'read', 'requests_per_second = 0.001', 'burst = 2'),
        credential('single', 'write', 'requests_in_flight = 1'),
        credential('short', 'write', 'max_body = 100'),
        credential('small', 'write', 'max_size = 1000'),
        credential('free', 'admin'),
        '[limits]',
        'max_body = 100_000',
        '[quotas]',
        '"/house" = 1000',
        '"/house/a" = 600',
        '"/none" = 0',
    ]
)


@pytest.fixture(scope='module')
def limited(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """A server with limits and quotas."""
    folder = tmp_path_factory.mktemp('limits')
    with guarded_server(folder, RULES, '--max-size', '50000') as live:
        yield live


@pytest.fixture
def peer(limited: LiveServer) -> Iterator[Peer]:
    with Peer(limited.port) as connection:
        yield connection


def test_who_sends_too_many_requests_is_told_when_to_come_again(peer: Peer) -> None:
    answers = [peer.ask(get('x', authorization=bearer('rare'))) for _ in range(4)]

    assert [answer.status for answer in answers] == [404, 404, 429, 429]
    assert answers[3].line == 'rare may send 0.001 requests per second'
    assert 900 <= int(answers[3].headers['retry-after']) <= 1000
    assert peer.ask(get('x', authorization=bearer('free'))).status == 404
    assert peer.ask(request('GET', '/version', authorization=bearer('rare'))).status == 200


def test_what_is_forbidden_counts_too(peer: Peer) -> None:
    def statuses(target: str, times: int, **fields: str) -> list[int]:
        return [peer.ask(request('GET', target, **fields)).status for _ in range(times)]

    assert statuses('/metrics', 4, authorization=bearer('curious')) == [403, 403, 429, 429]
    assert set(statuses('/files/x', 30)) == {401}
    assert set(statuses('/files/x', 30, authorization=bearer('unknown'))) == {401}


def test_who_has_a_request_in_flight_may_have_to_wait(limited: LiveServer, peer: Peer) -> None:
    mine = {'authorization': bearer('single')}
    whole = put('x', b'content', expect='100-continue', **mine)
    with Peer(limited.port) as slow:
        slow.send(whole[:-1])
        assert slow.read().status == 100
        refused = peer.ask(get('x', **mine))
        slow.send(whole[-1:])
        assert slow.read().status == 200

    assert (refused.status, refused.headers['retry-after']) == (429, '1')
    assert refused.line == 'single has 1 requests in flight'
    assert peer.ask(get('x', **mine)).status == 200


def test_an_answer_is_in_flight_until_it_was_sent(limited: LiveServer, peer: Peer) -> None:
    mine = {'authorization': bearer('single')}
    peer.ask(put('wide/x', b'x', **mine))
    for number in range(300):
        name = 'wide/%03d/%s' % (number, 'n' * 250 + '/' + 'm' * 250)
        assert peer.ask(put(name, b'x', authorization=bearer('free'))).status == 200
    with Peer(limited.port, receive_buffer=1024) as slow:
        slow.send(request('GET', '/list/wide', **mine) * 61)
        wait_for(lambda: _is_quiet(limited), 'the list to stall')
        assert limited.log().count('"GET /list/wide" 200') < 60
        assert peer.ask(get('wide/x', **mine)).status == 429

    wait_for(lambda: peer.ask(get('wide/x', **mine)).status == 200, 'the list to be given up')


def test_a_file_that_is_sent_as_it_is_is_in_flight_until_then() -> None:
    class File(Sendable):
        def __len__(self) -> int:
            return 5

        def parts(self) -> Iterator[tuple[int, int, int]]:
            yield 7, 0, 5

        def close(self) -> None:
            pass

    gates = [Gate('one', Limits(requests_in_flight=1))]
    body = through(gates, lambda: Answer('200 OK', [], File())).body

    assert isinstance(body, Sendable)
    assert (len(body), list(body.parts())) == (5, [(7, 0, 5)])
    with pytest.raises(Refusal):
        gates[0].enter()
    body.close()
    gates[0].enter()


def _is_quiet(live: LiveServer) -> bool:
    before = live.log()
    time.sleep(0.3)
    return live.log() == before


def test_a_body_may_be_too_long_for_who_sends_it(peer: Peer) -> None:
    def status(who: str, body: bytes, **fields: str | None) -> int:
        with Peer(peer.socket.getpeername()[1]) as alone:
            return alone.ask(put('x', body, authorization=bearer(who), **fields)).status

    chunked = {'transfer_encoding': 'chunked', 'content_length': None}
    assert status('short', bytes(100)) == 200
    assert status('short', bytes(101)) == 413
    assert status('short', b'64\r\n' + bytes(100) + b'\r\n0\r\n\r\n', **chunked) == 200
    assert status('short', b'65\r\n' + bytes(101) + b'\r\n0\r\n\r\n', **chunked) == 413
    assert status('free', bytes(101)) == 200
    assert status('free', bytes(100_001)) == 413


def test_a_file_may_be_too_large_for_who_sends_it(peer: Peer) -> None:
    def status(who: str, size: int) -> int:
        packed = gzip.compress(bytes(size))
        fields = {'content_encoding': 'gzip', 'authorization': bearer(who)}
        with Peer(peer.socket.getpeername()[1]) as alone:
            return alone.ask(put('x', packed, **fields)).status

    assert status('small', 1000) == 200
    assert status('small', 1001) == 413
    assert status('free', 50_000) == 200
    assert status('free', 50_001) == 413


def test_a_quota_is_the_sum_of_all_below_a_prefix(peer: Peer) -> None:
    def tried(name: str, size: int, version: int = 5) -> Heard:
        return peer.ask(put(name, bytes(size), version, authorization=bearer('free')))

    def gone(name: str) -> int:
        raw = delete(name, 5).replace(b'\r\n', b'\r\nAuthorization: %b\r\n' % FREE, 1)
        return peer.ask(raw).status

    assert tried('house/a/1', 600).status == 200
    full = tried('house/a/2', 1)
    assert (full.status, full.line) == (507, 'the files below /house/a may have 600 bytes together')
    assert tried('house/a/2', 0).status == 200
    assert tried('house/b', 401).status == 507
    assert tried('house/b', 400).status == 200
    assert tried('housemates', 5000).status == 200
    assert tried('house/b', 400).status == 200
    assert tried('house/b', 999, 4).status == 200
    assert tried('house/b', 300).status == 200
    assert tried('house/c', 101).status == 507
    assert tried('house/c', 100).status == 200
    assert gone('house/a/1') == 200
    assert tried('house/a/3', 600).status == 200
    assert tried('none', 1).status == 507
    assert tried('none', 0).status == 200


FREE = bearer('free').encode()


def test_a_store_that_was_there_is_counted(tmp_path: Path) -> None:
    rules = tmp_path / 'access.toml'
    rules.write_text('[anonymous]\nrole = "write"\n')
    with LiveServer(tmp_path / 'store', '--access', str(rules)) as live:
        with Peer(live.port) as peer:
            for number in range(5):
                assert peer.ask(put('d/%d' % number, bytes(100))).status == 200
            rules.write_text('[anonymous]\nrole = "write"\n[quotas]\n"/d" = 600\n')
            wait_for(lambda: '/d has 500 of 600 bytes' in live.log(), 'the count')

            assert peer.ask(put('d/5', bytes(101))).status == 507
            assert peer.ask(put('d/5', bytes(100))).status == 200
        live.stop()
        live.start()
        with Peer(live.port) as peer:
            wait_for(lambda: '/d has 600 of 600 bytes' in live.log())
            assert peer.ask(put('d/6', b'x')).status == 507


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_bucket_is_refilled_at_its_rate_and_never_overflows() -> None:
    clock = Clock()
    gate = Gate('somebody', Limits(requests_per_second=2, burst=3), clock)

    def passed() -> int:
        count = 0
        try:
            while True:
                gate.enter()
                count += 1
        except Refusal as refusal:
            assert refusal.headers == [('Retry-After', '1')]
        return count

    assert passed() == 3
    assert passed() == 0
    clock.now += 0.5
    assert passed() == 1
    clock.now += 0.4
    assert passed() == 0
    clock.now += 0.1
    assert passed() == 1
    clock.now += 1000
    assert passed() == 3


def test_what_fails_is_not_in_flight_any_more() -> None:
    gates = [Gate('one', Limits(requests_in_flight=1)), Gate('all', Limits(requests_in_flight=1))]

    def fail() -> Answer:
        raise RuntimeError

    for _ in range(3):
        with pytest.raises(RuntimeError):
            through(gates, fail)
    gates[1].enter()
    for _ in range(3):
        with pytest.raises(Refusal):
            through(gates, fail)
    gates[1].leave()
    with pytest.raises(RuntimeError):
        through(gates, fail)
