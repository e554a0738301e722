"""Promises 30 to 32, 51 and 52: what holds when things go wrong or the server is stopped."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import LiveServer, wait_for
from tests.wire.raw import Peer, delete, get, http_date, listing, put, put_gzip, request

LARGE = random.Random(4).randbytes(3_000_000)


@pytest.mark.parametrize('content', [b'small', LARGE], ids=['small', 'large'])
def test_promise_30_what_was_answered_survives_a_kill(server: LiveServer, content: bytes) -> None:
    with Peer(server.port) as peer:
        assert peer.ask(put_gzip('gone', content)).status == 200
        assert peer.ask(delete('gone')).status == 200
        assert peer.ask(put_gzip('kept', content)).status == 200
        os.kill(server.owner_pid(), signal.SIGKILL)

    with Peer(server.port) as peer:
        assert peer.ask(get('kept')).body == content
        assert peer.ask(get('gone')).status == 404
        assert peer.ask(listing()).body == b'kept\n'


def test_promise_31_stalled_uploads_delay_nobody(tmp_path: Path) -> None:
    with (
        LiveServer(tmp_path / 'store', '--workers', '2') as server,
        contextlib.ExitStack() as stack,
    ):
        stalled = [stack.enter_context(Peer(server.port)) for _ in range(10)]
        for number, peer in enumerate(stalled):
            sent = put('same', LARGE, version=10 + number)
            peer.send(sent[: -1 - number * 100_000])

        with Peer(server.port) as peer:
            assert peer.ask(put('same', LARGE, version=1)).status == 200
            assert peer.ask(get('same')).body == LARGE
            assert peer.ask(listing()).body == b'same\n'
            assert peer.ask(delete('same', version=1)).status == 200
            assert peer.ask(get('same')).status == 404

            stalled[0].send(LARGE[-1:])
            assert stalled[0].read().headers['last-modified'] == http_date(10)
            assert peer.ask(get('same')).body == LARGE


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[tuple[LiveServer, Path]]:
    """A server, and the path of a file that stands for a full disk."""
    with LiveServer(tmp_path / 'store', module='tests.wire.full_disk') as live:
        yield live, tmp_path / 'full'


def test_promise_32_a_full_disk_is_507_and_changes_nothing(
    full_disk: tuple[LiveServer, Path],
) -> None:
    server, full = full_disk
    with Peer(server.port) as peer:
        peer.ask(put('file', b'before', version=1))
        full.touch()

        for content in (b'after', LARGE):
            with Peer(server.port) as another:
                refused = another.ask(put('file', content, version=2))
            assert refused.status == 507
            assert refused.line
        assert peer.ask(get('file')).body == b'before'

        full.unlink()
        assert peer.ask(put('file', b'after', version=2)).status == 200
        assert peer.ask(get('file')).body == b'after'


def test_promise_51_requests_wait_while_the_server_is_replaced(server: LiveServer) -> None:
    with Peer(server.port) as in_flight, contextlib.ExitStack() as stack:
        in_flight.ask(put('file'))
        in_flight.send(put('other', LARGE)[:-1])
        owner = server.owner_pid()
        os.kill(owner, signal.SIGKILL)
        killed = time.monotonic()
        waiting = [stack.enter_context(Peer(server.port)) for _ in range(20)]
        for peer in waiting:
            peer.send(get('file'))

        for peer in waiting:
            assert peer.read().body == b'content'
        waited = time.monotonic() - killed
        assert in_flight.is_dropped()
        assert waiting[0].ask(get('other')).status == 404
        assert server.owner_pid() != owner
    server.kill()
    begun = time.monotonic()
    server.start()
    assert waited < 2 + (time.monotonic() - begun)


def test_promise_51_the_server_is_replaced_again_and_again(server: LiveServer) -> None:
    for number in range(5):
        with Peer(server.port) as peer:
            assert peer.ask(put('%d' % number)).status == 200
        os.kill(server.owner_pid(), signal.SIGKILL)

    with Peer(server.port) as peer:
        assert peer.ask(listing()).body == b'0\n1\n2\n3\n4\n'


def test_promise_52_requests_in_flight_are_answered_when_the_server_stops(
    server: LiveServer,
) -> None:
    with Peer(server.port) as idle, Peer(server.port) as upload, Peer(server.port) as download:
        idle.ask(put('file', LARGE * 5))
        sent = put('other', LARGE)
        upload.send(sent[:1_000_000])
        download.send(get('file'))
        status, _ = download.read_head()
        os.kill(server.pid, signal.SIGTERM)

        assert idle.is_ended()
        wait_for(lambda: _is_refused(server.port), 'the server to take no more connections')
        upload.send(sent[1_000_000:])
        answer = upload.read()
        assert answer.status == 200
        assert answer.headers['connection'] == 'close'
        assert status == 200
        assert download.read_bytes(5 * len(LARGE)) == LARGE * 5
    assert server.ended() == 0

    server.start()
    with Peer(server.port) as peer:
        assert peer.ask(get('other')).body == LARGE


def test_promise_52_requests_that_do_not_end_are_cut_off(tmp_path: Path) -> None:
    with LiveServer(tmp_path / 'store', '--stop-timeout', '0.5') as server:
        with Peer(server.port) as upload:
            upload.ask(request('GET', '/version'))
            upload.send(put('file', LARGE)[:-1])

            assert server.stop() == 0
            assert upload.is_dropped()
        assert 'cut off' in server.log()


def _is_refused(port: int) -> bool:
    with socket.socket() as attempt:
        return attempt.connect_ex(('127.0.0.1', port)) != 0
