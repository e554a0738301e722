"""Gzip streams that inflate to a thousand times their size."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support import LiveServer
from tests.trust import SOAK, by_form
from tests.trust.books import check_books
from tests.trust.client import Client
from tests.trust.contents import content
from tests.trust.footprint import forget_peak, peak
from tests.trust.onlooker import Onlooker
from tests.trust.stalled import work
from tests.wire.raw import Peer, dated, get

_MEMBER = 64 << 20
_SMALL = by_form(64 << 20, 256 << 20)
_MANY = 40
_SIZE = by_form(1 << 30, 10 << 30)
#: Far less than any bomb, and a few buffers for each who works beside it.
_FLAT = 48 << 20
_WAIT = 10.0

pytestmark = pytest.mark.timeout(900 if SOAK else 120)


@pytest.fixture(scope='module')
def bomb() -> bytes:
    """A gzip stream of many equal members, quickly made."""
    member = gzip.compress(bytes(_MEMBER), 9)
    return member * (_SIZE // _MEMBER)


def test_a_bomb_is_stored_and_served_in_flat_memory(server: LiveServer, bomb: bytes) -> None:
    owner = server.owner_pid()
    before = forget_peak(owner)
    answers = []

    def drop() -> None:
        with Client(server.port, patience=600) as client:
            fields = {'Content_Encoding': 'gzip', 'Logical_Size': str(_SIZE)}
            answers.append(client.ask('PUT', dated('/files/bomb', 1), bomb, **fields))

    tally = _work_beside(drop, server.port)

    assert [answer.status for answer in answers] == [200]
    assert tally.is_clean, tally
    assert tally.longest < _WAIT
    tally = _work_beside(lambda: _explode(server.port), server.port)
    assert tally.is_clean, tally
    assert tally.longest < _WAIT
    print('%d MB inflated, peak +%d kB' % (_SIZE >> 20, (peak(owner) - before) >> 10))
    assert peak(owner) - before < _FLAT
    check_books_of_small_files(server)


@pytest.mark.parametrize('do', ['put', 'read the end of'])
def test_many_who_make_the_server_inflate_hold_up_nobody(server: LiveServer, do: str) -> None:
    """More than it has threads: their work is done in small parts, between which others come."""
    bomb = gzip.compress(bytes(_SMALL), 9)
    gzipped = {'Content_Encoding': 'gzip'}
    with Client(server.port) as client:
        assert client.ask('PUT', dated('/files/bomb', 1), bomb, **gzipped).status == 200

    def inflate(number: int) -> None:
        with Client(server.port, patience=120) as client:
            if do == 'put':
                target = dated('/files/bombs/%d' % number, 1)
                assert client.ask('PUT', target, bomb, **gzipped).status == 200
            else:
                assert client.get_plain('bomb', Range='bytes=-1').body == b'\0'

    with Onlooker(server) as onlooker, ThreadPoolExecutor(_MANY) as pool:
        list(pool.map(inflate, range(_MANY)))

    assert onlooker.tally.is_clean, onlooker.tally
    assert not onlooker.was_held_up


def test_a_bomb_that_says_it_is_small_is_refused_before_it_explodes(
    server: LiveServer, bomb: bytes
) -> None:
    owner = server.owner_pid()
    before = forget_peak(owner)
    with Client(server.port) as client:
        fields = {'Content_Encoding': 'gzip', 'Logical_Size': '1000'}
        answer = client.ask('PUT', dated('/files/bomb', 1), bomb, **fields)

        assert answer.status == 400
        assert client.names() == []
    assert peak(owner) - before < _FLAT
    check_books(server)


def test_a_limit_on_the_size_stops_a_bomb(server: LiveServer, bomb: bytes) -> None:
    server.stop()
    with LiveServer(server.base_dir, '--max-size', '100000') as limited:
        small, large = content('small', 90_000), content('large', 100_001)
        with Client(limited.port) as client:
            assert client.put('small', 1, small).status == 200
            assert client.put_plain('plain', 1, small).status == 200
            assert client.put('large', 1, large).status == 413
            assert client.put_plain('large', 1, large).status == 413
            for fields in ({}, {'Logical_Size': str(_SIZE)}, {'Logical_Size': '100000'}):
                answer = client.ask(
                    'PUT', dated('/files/bomb', 1), bomb, Content_Encoding='gzip', **fields
                )
                assert answer.status in (400, 413), fields
            chunks = client.ask('PUT', dated('/files/large', 1), iter([large.plain]))
            assert chunks.status == 413
            assert client.names() == ['plain', 'small']
        check_books(limited)


def check_books_of_small_files(server: LiveServer) -> None:
    with Client(server.port) as client:
        assert client.delete('bomb', 1).status == 200
    check_books(server)


def _explode(port: int) -> None:
    """Reads all the plain bytes."""
    left = _SIZE
    buffer = bytearray(1 << 20)
    with Peer(port) as peer:
        peer.send(get('bomb', accept_encoding='identity', connection='close'))
        assert peer.read_head()[1]['content-length'] == str(_SIZE)
        while left:
            count = peer._input.readinto(buffer)
            assert count, 'it ended %d bytes early' % left
            left -= count


def _work_beside(drop: Callable[[], None], port: int):
    """Works as long as ``drop`` takes; returns the tally."""
    thread = threading.Thread(target=drop)
    thread.start()
    tally = work(port, 0.5)
    while thread.is_alive():
        tally.add(work(port, 0.5))
    thread.join()
    return tally
