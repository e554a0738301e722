"""The HTTP server keeps its side of WSGI, whatever the application does."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from filetracker.servers import http_answer, http_head
from filetracker.servers import wire as wire_module
from filetracker.servers.arriving import ArrivingSocket
from filetracker.servers.http import HttpServer, Patience
from filetracker.servers.sendable import Sendable
from filetracker.servers.wire import Wire
from tests.support import environment
from tests.wire.raw import Peer, request


@pytest.fixture(scope='module')
def port() -> Iterator[int]:
    with subprocess.Popen(
        [sys.executable, '-m', 'tests.servers.odd'],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment(),
    ) as process:
        assert process.stdout is not None
        yield int(process.stdout.readline())
        process.communicate()
    assert process.returncode == 0


@pytest.fixture
def peer(port: int) -> Iterator[Peer]:
    with Peer(port) as connection:
        yield connection


def test_a_list_is_sent_with_its_length(peer: Peer) -> None:
    answer = peer.ask(request('GET', '/list'))

    assert answer.headers['content-length'] == '2'
    assert answer.body == b'ab'


def test_other_bodies_are_sent_in_chunks(peer: Peer) -> None:
    answer = peer.ask(request('GET', '/pieces'))

    assert answer.headers['transfer-encoding'] == 'chunked'
    assert answer.body == b'ab'
    assert peer.ask(request('GET', '/list')).status == 200


def test_what_is_written_comes_first(peer: Peer) -> None:
    assert peer.ask(request('GET', '/writes')).body == b'abc'


def test_head_has_no_body_whatever_the_application_returns(peer: Peer) -> None:
    for path in ('/pieces', '/writes', '/late'):
        assert peer.ask(request('HEAD', path)).body == b''
    assert peer.ask(request('GET', '/list')).body == b'ab'


def test_a_status_without_a_body_has_none(peer: Peer) -> None:
    answer = peer.ask(request('GET', '/empty'))

    assert answer.status == 204
    assert not {'content-length', 'transfer-encoding'} & set(answer.headers)


def test_an_answer_may_be_changed_before_it_is_sent(peer: Peer) -> None:
    answer = peer.ask(request('GET', '/late'))

    assert (answer.status, answer.body) == (500, b'sorry')


@pytest.mark.parametrize('path', ['/fails', '/header', '/never-starts', '/raises'])
def test_an_application_that_fails_is_500(peer: Peer, path: str) -> None:
    answer = peer.ask(request('GET', path))

    assert answer.status == 500
    assert answer.line == 'internal error'
    assert peer.ask(request('GET', '/list')).status == 200


@pytest.mark.parametrize('path', ['/fails-late', '/short', '/long'])
def test_an_answer_that_fails_late_is_never_complete(peer: Peer, path: str) -> None:
    peer.send(request('GET', path))

    assert peer.is_reset()


def test_a_failed_answer_of_unknown_length_is_reset_for_old_peers(peer: Peer) -> None:
    peer.send(b'GET /fails-late HTTP/1.0\r\n\r\n')

    assert peer.is_reset()


def test_bodies_are_closed_however_the_answer_ends(port: int) -> None:
    def closed() -> int:
        with Peer(port) as peer:
            return int(peer.ask(request('GET', '/closed')).body)

    for path in ('/pieces', '/writes', '/short', '/long', '/fails', '/fails-late'):
        before = closed()
        with Peer(port) as peer:
            peer.send(request('GET', path, connection='close'))
            peer.is_reset()

        assert closed() == before + 1, path


def test_who_comes_later_is_served_by_the_greenlet_of_who_has_left(port: int) -> None:
    def served() -> int:
        with Peer(port) as peer:
            return int(peer.ask(request('GET', '/served', connection='close')).body)

    assert max(served() for _ in range(10)) > 1


def test_the_input_is_a_file(peer: Peer) -> None:
    body = b'one\ntwo\n' + b'x' * 300_000

    assert peer.ask(request('PUT', '/echo', body)).body == b'one\n|two\n|' + b'x' * 300_000
    assert peer.ask(request('GET', '/echo')).body == b''


def test_heads_of_errors_are_not_kept() -> None:
    ours, theirs = socket.socketpair()
    wire = Wire(ArrivingSocket(fileno=ours.detach()), 1.0)
    before = http_answer._head.cache_info().currsize
    with theirs, contextlib.closing(wire):
        for status in ('404 Not Found', '400 Bad Request', '200 Fine'):
            answer = http_answer.Answer(wire, None, lambda: False, '-')
            answer.start_response(status, [('X-Exception', 'some sentence')])

    assert http_answer._head.cache_info().currsize == before + 1


@pytest.mark.parametrize('size, kept', [(20, 1), (50_000, 0)])
def test_long_names_of_fields_are_not_kept(size: int, kept: int) -> None:
    name = 'x' * size
    before = http_head._key.cache_info().currsize

    head = http_head.parse_head(b'GET / HTTP/1.0\r\n%b: 1\r\n\r\n' % name.encode())

    assert head.environ['HTTP_' + name.upper()] == '1'
    assert http_head._key.cache_info().currsize == before + kept


def test_the_second_of_two_small_sends_does_not_wait_for_the_peer() -> None:
    with socket.create_server(('127.0.0.1', 0)) as listener:
        HttpServer(listener, lambda environ, start_response: [], Patience())
        with socket.create_connection(listener.getsockname()):
            listener.setblocking(True)
            connected, _ = listener.accept()
            with connected:
                assert connected.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


class _Parts(Sendable):
    """A file in three parts."""

    def __init__(self, descriptor: int, size: int) -> None:
        self._descriptor = descriptor
        self._size = size

    def __len__(self) -> int:
        return 3 * self._size

    def __iter__(self) -> Iterator[bytes]:
        return iter(())

    def parts(self) -> Iterator[tuple[int, int, int]]:
        for number in range(3):
            yield self._descriptor, number * self._size, (number + 1) * self._size

    def fail(self) -> None:
        raise AssertionError

    def close(self) -> None:
        pass


def test_others_have_a_turn_behind_each_part_of_a_large_answer_but_the_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    turns = []
    monkeypatch.setattr(Wire, 'turn', lambda wire: turns.append(answer.count))
    (tmp_path / 'file').write_bytes(b'abcdef')
    ours, theirs = socket.socketpair()
    wire = Wire(ArrivingSocket(fileno=ours.detach()), 1.0)
    with open(tmp_path / 'file', 'rb') as file, theirs, contextlib.closing(wire):
        answer = http_answer.Answer(wire, None, lambda: False, '-')
        answer.start_response('200 OK', [('Content-Length', '6')])
        answer.send(_Parts(file.fileno(), 2))

        assert theirs.recv(1000).endswith(b'\r\n\r\nabcdef')
    assert turns == [2, 4]


def test_others_have_a_turn_within_a_large_part_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    turns = []
    monkeypatch.setattr(Wire, 'turn', lambda wire: turns.append(wire))
    monkeypatch.setattr(wire_module, '_FILE_SIZE', 2)
    (tmp_path / 'file').write_bytes(b'abcdef')
    ours, theirs = socket.socketpair()
    wire = Wire(ArrivingSocket(fileno=ours.detach()), 1.0)
    with open(tmp_path / 'file', 'rb') as file, theirs, contextlib.closing(wire):
        assert wire.send_file(file.fileno(), 0, 6) == 6
        assert theirs.recv(6, socket.MSG_WAITALL) == b'abcdef'
    assert turns == [wire] * 2
