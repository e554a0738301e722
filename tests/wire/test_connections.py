"""Promise 55: there is a limit on connections, and who does nothing makes room."""

from __future__ import annotations

import resource
import time
from collections.abc import Iterator
from contextlib import ExitStack

import psutil
import pytest

from tests.support import LiveServer, wait_for
from tests.trust.target import kill_owner
from tests.wire.raw import Peer, get, put

_MOST = 10


@pytest.fixture(scope='module')
def narrow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """A server that has descriptors for few connections: its next owner inherits the limit."""
    directory = tmp_path_factory.mktemp('narrow')
    with LiveServer(directory / 'store', '--workers', '2', '--idle-timeout', '600') as live:
        _, most = resource.prlimit(live.pid, resource.RLIMIT_NOFILE)
        limit = 64 + 2 * 2 + 2 + 2 * _MOST
        resource.prlimit(live.pid, resource.RLIMIT_NOFILE, (limit, limit))
        kill_owner(live)
        yield live


@pytest.mark.parametrize('begun', [b'', b'GET /version HTTP/1.1\r\nHost: x\r\n'])
def test_promise_55_who_says_nothing_makes_room(narrow: LiveServer, begun: bytes) -> None:
    with ExitStack() as stack:
        idle = [stack.enter_context(Peer(narrow.port)) for _ in range(3 * _MOST)]
        for peer in idle:
            peer.send(begun)

        with Peer(narrow.port) as newcomer:
            assert newcomer.ask(get('none')).status == 404
        assert all(peer.is_dropped() for peer in idle[:_MOST])


def test_promise_55_the_longest_idle_goes_first(narrow: LiveServer) -> None:
    with ExitStack() as stack:
        peers = [stack.enter_context(Peer(narrow.port)) for _ in range(_MOST)]
        for peer in (*peers, peers[0]):
            assert peer.ask(get('none')).status == 404

        with Peer(narrow.port) as newcomer:
            assert newcomer.ask(get('none')).status == 404
        assert peers[1].is_dropped()
        for peer in (peers[0], *peers[2:]):
            assert peer.ask(get('none')).status == 404


def test_promise_55_who_sends_or_takes_a_body_stays(narrow: LiveServer, name: str) -> None:
    large = bytes(range(256)) * 100_000
    with ExitStack() as stack:
        with Peer(narrow.port) as peer:
            peer.ask(put(name, large))
        uploads = [stack.enter_context(Peer(narrow.port)) for _ in range(_MOST - 1)]
        for number, peer in enumerate(uploads):
            peer.send(put('%s/%d' % (name, number))[:-1])
        download = stack.enter_context(Peer(narrow.port, receive_buffer=4096))
        download.send(get(name))
        _, headers = download.read_head()

        with Peer(narrow.port) as newcomer, Peer(narrow.port):
            newcomer.send(get('none'))
            uploads[0].send(b't')
            assert uploads[0].read().status == 409
            # Its place is needed, and it has nothing to do any more.
            assert uploads[0].is_dropped()
            assert newcomer.read().status == 404
        for peer in uploads[1:]:
            peer.send(b't')
            assert peer.read().status == 409
        assert download.read_bytes(int(headers['content-length'])) == large


def test_promise_55_nobody_waits_for_those_who_were_refused(narrow: LiveServer) -> None:
    with ExitStack() as stack:
        for _ in range(_MOST):
            peer = stack.enter_context(Peer(narrow.port))
            peer.send(b'nonsense\r\n\r\n')
            assert peer.read().status == 400

        with Peer(narrow.port) as newcomer:
            assert newcomer.ask(get('none')).status == 404


def test_the_limit_is_in_the_log_and_that_it_was_reached_once(narrow: LiveServer) -> None:
    assert 'at most %d connections are served at a time' % _MOST in narrow.log()
    with ExitStack() as stack:
        for _ in range(3 * _MOST):
            stack.enter_context(Peer(narrow.port))
        with Peer(narrow.port) as newcomer:
            assert newcomer.ask(get('none')).status == 404

    wait_for(lambda: 'which is the limit' in narrow.log(), 'the warning')
    # Once in a minute.
    seconds = time.time() - psutil.Process(narrow.owner_pid()).create_time()
    assert narrow.log().count('which is the limit') <= 1 + seconds // 60
    assert 'only 90 files may be open at a time (ulimit -n), which is little' in narrow.log()
    assert 'Traceback' not in narrow.log()
