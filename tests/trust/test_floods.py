"""More than anybody has to say: heads, lines, chunks and requests without end."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support import LiveServer
from tests.trust import SOAK, by_form
from tests.trust.books import check_books
from tests.trust.client import Client
from tests.trust.contents import content
from tests.trust.conversation import converse, statuses
from tests.trust.footprint import forget_peak, peak
from tests.trust.onlooker import Onlooker
from tests.trust.torn import in_chunks
from tests.wire.raw import Peer, get, put, request

_MUCH = 10_000_000
_FLAT = 24 << 20
pytestmark = pytest.mark.timeout(900 if SOAK else 120)

_LINE = b'GET /files/x HTTP/1.1\r\n'
_CHUNKED = put('x', b'', content_length=None, transfer_encoding='chunked')


@pytest.fixture(scope='module')
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    directory: Path = tmp_path_factory.mktemp('floods')
    with LiveServer(directory / 'store') as live:
        yield live
        check_books(live)


FLOODS = {
    'a request line without end': (b'GET /' + b'a' * _MUCH, {414}),
    'a method without end': (b'G' * _MUCH, {400, 414}),
    'a query without end': (b'GET /list?' + b'a=b&' * (_MUCH // 4), {414}),
    'a field without end': (_LINE + b'X: ' + b'a' * _MUCH, {431}),
    'the name of a field without end': (_LINE + b'a' * _MUCH, {431}),
    'fields without end': (_LINE + b'X: y\r\n' * (_MUCH // 6), {431}),
    'many fields': (_LINE + b'Host: x\r\n' + b'X: y\r\n' * 101 + b'\r\n', {431}),
    'one field many times': (_LINE + b'Accept-Encoding: gzip\r\n' * 5000 + b'\r\n', {431}),
    'empty lines without end': (b'\r\n' * (_MUCH // 2), {400}),
    'line feeds without end': (b'\n' * _MUCH, {400, 414}),
    'zeros without end': (b'\0' * _MUCH, {400, 414}),
    'the extension of a chunk without end': (_CHUNKED + b'1;' + b'a' * _MUCH, {400}),
    'the size of a chunk without end': (_CHUNKED + b'0' * _MUCH, {400}),
    'trailers without end': (_CHUNKED + b'0\r\n' + b'X: y\r\n' * (_MUCH // 6), {400}),
    'a trailer without end': (_CHUNKED + b'0\r\nX: ' + b'a' * _MUCH, {400}),
}


@pytest.mark.parametrize(('said', 'expected'), FLOODS.values(), ids=list(FLOODS))
def test_a_flood_is_refused_and_holds_up_nobody(
    shared: LiveServer, said: bytes, expected: set[int]
) -> None:
    owner = shared.owner_pid()
    before = forget_peak(owner)
    with Onlooker(shared) as onlooker:
        heard = statuses(converse(shared.port, said))

    # The connection may be gone before the answer is heard.
    assert set(heard) <= expected and len(heard) <= 1
    assert peak(owner) - before < _FLAT
    assert onlooker.tally.is_clean, onlooker.tally
    assert not onlooker.was_held_up


def test_a_body_in_the_smallest_chunks_is_stored_and_holds_up_nobody(shared: LiveServer) -> None:
    what = content('smallest', by_form(300_000, 1_000_000))
    with Onlooker(shared) as onlooker:
        heard = statuses(converse(shared.port, _CHUNKED + in_chunks(what.plain, 1)))

    assert heard == [200]
    with Client(shared.port) as client:
        assert client.get_plain('x').body == what.plain
    assert not onlooker.was_held_up


def test_a_stream_of_requests_is_answered_and_holds_up_nobody(shared: LiveServer) -> None:
    count = by_form(30_000, 300_000)
    said = request('GET', '/version') * count
    with Onlooker(shared) as onlooker:
        heard = statuses(converse(shared.port, said))

    assert heard == [200] * count
    assert not onlooker.was_held_up


def test_requests_whose_answers_nobody_takes_hold_up_nobody_and_take_no_memory(
    shared: LiveServer,
) -> None:
    owner = shared.owner_pid()
    with Client(shared.port) as client:
        client.put('much', 1, content('much', 700_000))
    before = forget_peak(owner)
    with Peer(shared.port, receive_buffer=4096) as peer:
        peer.socket.setblocking(False)
        with pytest.raises(BlockingIOError):
            while True:
                peer.socket.send(get('much') * 1000)
        with Onlooker(shared) as onlooker:
            time.sleep(by_form(0.5, 10))

    assert peak(owner) - before < _FLAT
    assert onlooker.tally.is_clean, onlooker.tally
    assert not onlooker.was_held_up


@pytest.mark.parametrize(
    'first',
    [b'nonsense\r\n\r\n', request('PUT', '/nowhere', content_length='1' + '0' * 15)],
    ids=['malformed', 'misplaced'],
)
def test_a_peer_that_goes_on_after_it_was_refused_holds_up_nobody(
    shared: LiveServer, first: bytes
) -> None:
    owner = shared.owner_pid()
    before = forget_peak(owner)
    until = time.monotonic() + by_form(1, 20)
    with Onlooker(shared) as onlooker, Peer(shared.port) as peer:
        peer.send(first)
        try:
            while time.monotonic() < until:
                peer.send(bytes(1 << 16))
        except OSError:
            # The server has had enough of it.
            pass

    assert peak(owner) - before < _FLAT
    assert onlooker.tally.is_clean, onlooker.tally
    assert not onlooker.was_held_up


def test_many_heads_that_are_almost_too_long_take_little_memory(shared: LiveServer) -> None:
    owner = shared.owner_pid()
    before = forget_peak(owner)
    with ExitStack() as stack:
        for _ in range(100):
            peer = stack.enter_context(Peer(shared.port))
            peer.send(_LINE + b'X: ' + b'a' * 60_000)

        with Client(shared.port) as client:
            assert client.put('beside', 1, content('beside')).status == 200
        assert peak(owner) - before < _FLAT
