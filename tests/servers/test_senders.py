"""Parts of files that threads send: exact, while others go on, and no thread is held for long."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import gevent
import pytest

from filetracker.servers import senders as module
from filetracker.servers.arriving import ArrivingSocket
from filetracker.servers.senders import Senders
from filetracker.servers.wire import Wire
from tests.support import wait_for

SIZE = 16 << 20
Pair = tuple[socket.socket, ArrivingSocket]


@pytest.fixture(scope='module')
def content() -> bytes:
    return os.urandom(SIZE)


@pytest.fixture
def file(tmp_path: Path, content: bytes) -> Iterator[int]:
    (tmp_path / 'file').write_bytes(content)
    with open(tmp_path / 'file', 'rb') as opened:
        yield opened.fileno()


@pytest.fixture
def pair() -> Iterator[Pair]:
    with socket.create_server(('127.0.0.1', 0)) as listener:
        with socket.create_connection(listener.getsockname()) as peer:
            peer.setblocking(False)
            accepted, _ = listener.accept()
            with ArrivingSocket(fileno=accepted.detach()) as ours:
                ours.setblocking(False)
                yield peer, ours


@pytest.fixture
def senders(monkeypatch: pytest.MonkeyPatch) -> Iterator[Senders]:
    """One thread, which a peer may hold for as long as it likes."""
    monkeypatch.setattr(module, '_WHILE', 60.0)
    senders = Senders(1)
    before = threading.active_count()
    with gevent.Timeout(60):
        yield senders
    senders.close()
    wait_for(lambda: threading.active_count() <= before)


def receive(peer: socket.socket, size: int) -> bytes:
    """Receives so much, or what there is until the end, while other greenlets have their turns."""
    received = bytearray()
    while len(received) < size:
        gevent.sleep(0.0001)
        with contextlib.suppress(BlockingIOError):
            piece = peer.recv(1 << 16)
            if not piece:
                break
            received += piece
    return bytes(received)


def test_a_thread_sends_all_of_a_part_while_others_have_their_turns(
    senders: Senders, pair: Pair, file: int, content: bytes
) -> None:
    peer, ours = pair
    sending = gevent.spawn(senders.send, ours, file, 1000, SIZE)

    assert receive(peer, SIZE - 1000) == content[1000:]
    assert sending.get() == SIZE - 1000


def test_a_peer_that_takes_nothing_is_given_back_soon_and_left_out_for_a_while(
    senders: Senders, pair: Pair, file: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, '_WHILE', 0.01)
    peer, ours = pair

    sent = senders.send(ours, file, 0, SIZE)

    assert 0 < sent < SIZE
    receive(peer, sent)
    assert [senders.send(ours, file, 0, SIZE) for _ in range(8)] == [0] * 8
    assert senders.send(ours, file, 0, SIZE) > 0


def test_a_peer_that_takes_a_little_now_and_then_is_given_back_too(
    senders: Senders, pair: Pair, file: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, '_WHILE', 0.05)
    peer, ours = pair
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
    sending = gevent.spawn(senders.send, ours, file, 0, SIZE)
    while not sending.ready():
        receive(peer, 1)
        gevent.sleep(0.002)

    assert 0 < sending.get() < SIZE


def test_who_finds_no_thread_free_sends_by_himself(senders: Senders, pair: Pair, file: int) -> None:
    peer, ours = pair
    waiting = gevent.spawn(senders.send, ours, file, 0, SIZE)
    gevent.sleep(0.001)
    other, theirs = socket.socketpair()
    with ArrivingSocket(fileno=other.detach()) as connected, theirs:
        assert senders.send(connected, file, 0, SIZE) == 0
        assert connected.left_out == 0
    receive(peer, SIZE)
    assert waiting.get() == SIZE


def test_who_can_have_no_thread_sends_by_himself(
    senders: Senders, pair: Pair, file: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, 'start', refuse)

    assert senders.send(pair[1], file, 0, SIZE) == 0


def test_a_connection_that_is_closed_meanwhile_is_so_behind_the_thread(
    senders: Senders, pair: Pair, file: int
) -> None:
    peer, ours = pair
    wire = Wire(ours, 60.0)
    sending = gevent.spawn(senders.send, ours, file, 0, SIZE)
    wait_for(lambda: ours._is_used or gevent.sleep(0.001))
    wire.abort()

    assert sending.get() < SIZE
    assert ours.fileno() == -1
    with pytest.raises(ConnectionResetError):
        receive(peer, SIZE)


def test_an_error_and_an_end_are_left_to_who_sends_on(
    senders: Senders, pair: Pair, file: int
) -> None:
    peer, ours = pair
    sending = gevent.spawn(senders.send, ours, file, SIZE - 1000, SIZE + (8 << 20))
    assert len(receive(peer, 1000)) == 1000
    assert sending.get() == 1000
    ours.left_out = 0
    peer.close()

    assert senders.send(ours, file, 0, SIZE) < SIZE
    with pytest.raises(OSError):
        ours.send(b'more')


def test_what_threads_and_greenlets_send_in_turns_is_exact(
    senders: Senders, pair: Pair, file: int, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, '_WHILE', 0.0)
    monkeypatch.setattr(module, '_LEFT_OUT', 1)
    peer, ours = pair
    wire = Wire(ours, 60.0, senders)

    def send() -> None:
        for start in range(0, SIZE, 4 << 20):
            assert wire.send_file(file, start, start + (4 << 20)) == 4 << 20
        wire.close()

    sending = gevent.spawn(send)

    assert receive(peer, SIZE + 1) == content
    sending.get()


def test_who_comes_when_it_is_closed_sends_by_himself(file: int, pair: Pair) -> None:
    peer, ours = pair
    senders = Senders(1)
    senders.close()

    with gevent.Timeout(60):
        assert senders.send(ours, file, 0, SIZE) == 0
