"""Whoever stands still or crawls holds up nobody else."""

from __future__ import annotations

import resource
from collections.abc import Callable
from contextlib import ExitStack

import pytest

from tests.support import LiveServer, wait_for
from tests.trust import SOAK, by_form
from tests.trust.books import check_books, descriptors, settled
from tests.trust.client import Client
from tests.trust.contents import content
from tests.trust.stalled import Crawlers, work, work_beside_stalled_uploads
from tests.trust.target import kill_owner
from tests.wire.raw import Answer, Peer, get, put

#: Far above what it takes on a machine that does nothing else.
_WAIT = 10.0

pytestmark = pytest.mark.timeout(900 if SOAK else 120)


def test_a_stalled_upload_blocks_neither_its_name_nor_its_content(server: LiveServer) -> None:
    tally = work_beside_stalled_uploads(server.port, by_form(4, 50))

    print(tally)
    assert tally.is_clean, tally
    assert tally.longest < _WAIT
    check_books(server)


def test_two_hundred_peers_that_crawl_block_nobody(server: LiveServer) -> None:
    settle = settled(server)
    with Crawlers(server.port, 200) as crawlers:
        tally = work(server.port, by_form(4, 50))

    print(tally)
    assert tally.is_clean, tally
    assert tally.longest < _WAIT
    assert not crawlers.dropped
    settle()
    check_books(server)


def test_five_hundred_idle_connections_block_nobody(server: LiveServer) -> None:
    with ExitStack() as stack:
        peers = [stack.enter_context(Peer(server.port)) for _ in range(500)]
        tally = work(server.port, by_form(2, 20))

        print(tally)
        assert tally.is_clean, tally
        assert tally.longest < _WAIT
        for peer in peers:
            assert peer.ask(get('nothing')).status == 404


def test_readers_that_take_nothing_block_nobody(server: LiveServer) -> None:
    large = content('large', 6_000_000)
    with Client(server.port) as client:
        client.put('large', 1, large)
    with ExitStack() as stack:
        for number in range(50):
            peer = stack.enter_context(Peer(server.port, receive_buffer=4096))
            peer.send(get('large', accept_encoding=('gzip', 'identity')[number % 2]))
        with Client(server.port) as client:
            client.put('large', 2, content('small'))
        tally = work(server.port, by_form(2, 20))

        print(tally)
        assert tally.is_clean, tally
        assert tally.longest < _WAIT
    wait_for(lambda: not _open_blobs(server), 'the blobs to be closed')
    check_books(server)


def test_a_server_without_descriptors_to_spare_says_so_and_comes_back(server: LiveServer) -> None:
    """The limit is lowered behind its back, so that it accepts more than it can bear."""
    owner = server.owner_pid()
    _, most = resource.prlimit(owner, resource.RLIMIT_NOFILE)
    with Client(server.port) as client:
        client.put('kept', 1, content('kept'))
        resource.prlimit(owner, resource.RLIMIT_NOFILE, (64, most))
        with ExitStack() as stack:
            for _ in range(150):
                stack.enter_context(Peer(server.port))
            wait_for(lambda: len(descriptors(server)) > 62, 'the descriptors to run out')

            assert _until_503(lambda: client.put('more', 1, content('more')))
            assert _until_503(lambda: client.get('kept'))
            assert client.delete('missing', 1).status == 404
        resource.prlimit(owner, resource.RLIMIT_NOFILE, (most, most))
        wait_for(lambda: client.put('more', 1, content('more')).status == 200, 'room')
        assert client.get('kept').body == content('kept').gzipped
    assert server.owner_pid() == owner
    check_books(server)


def test_more_connections_than_descriptors_wait_for_their_turn(server: LiveServer) -> None:
    """The next owner inherits the limit; it accepts what it has descriptors for."""
    resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (200, 200))
    kill_owner(server)
    with ExitStack() as stack:
        for _ in range(20):
            stack.enter_context(Peer(server.port))
        asking = []
        for _ in range(150):
            asking.append(stack.enter_context(Peer(server.port)))
            asking[-1].send(put('turn', connection='close'))

        for peer in asking:
            with peer:
                assert peer.read().status == 200
    assert 'Traceback' not in server.log()


def _until_503(ask: Callable[[], Answer]) -> bool:
    """Asks again while there is a descriptor left; whether the answer is 503 then."""
    for _ in range(100):
        status = ask().status
        if status != 200:
            return status == 503
    return False


def _open_blobs(server: LiveServer) -> list[str]:
    return [target for target in descriptors(server) if target.endswith(' (deleted)')]
