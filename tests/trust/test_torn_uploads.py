"""Uploads that do not come to their end leave nothing behind."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from tests.support import LiveServer, wait_for
from tests.trust import by_form
from tests.trust.books import check_books, settled, unfinished
from tests.trust.client import Client
from tests.trust.contents import content
from tests.trust.torn import Break, begin, break_uploads, breaks, upload
from tests.wire.raw import Peer, get


def test_an_upload_that_breaks_off_leaves_the_old_content_and_no_trace(server: LiveServer) -> None:
    tally = break_uploads(server.port, settled(server))

    print(tally)
    assert tally.is_clean, tally
    check_books(server)


def test_an_upload_that_stalls_is_given_up_and_leaves_no_trace(hasty: LiveServer) -> None:
    what = content('stalled', 600_000)
    cases = [broken for broken in breaks() if broken.how == 'end' and broken.size == 600_000]
    with ExitStack() as stack:
        peers = [stack.enter_context(Peer(hasty.port)) for _ in cases]
        for peer, broken in zip(peers, cases, strict=True):
            begin(peer, 'stalled', 1, what, broken)

        for peer in peers:
            assert peer.read().status == 408
            assert peer.is_ended()
    wait_for(lambda: not unfinished(hasty), 'nothing to be under way')
    with Client(hasty.port) as client:
        assert client.get('stalled').status == 404
        assert client.put('stalled', 1, what).status == 200
    check_books(hasty)


@pytest.mark.parametrize('where', [1, 100, -3])
def test_a_head_that_stalls_is_given_up(hasty: LiveServer, where: int) -> None:
    with Peer(hasty.port) as peer:
        peer.send(get('x', user_agent='x' * 200)[:where])

        assert peer.read().status == 408
        assert peer.is_ended()


def test_what_was_begun_can_be_finished_after_the_same_content_came_and_went(
    server: LiveServer,
) -> None:
    what = content('late', 600_000)
    broken = Break('none', 0.99, 0, chunked=False, gzipped=True, hints=True)
    with Client(server.port) as client, Peer(server.port) as peer:
        rest = begin(peer, 'late', 5, what, broken)
        for round_ in range(by_form(3, 30)):
            client.put('other', round_, what)
            client.delete('other', round_)
        peer.send(rest)

        assert peer.read().status == 200
        assert client.get('late').body == what.gzipped
    check_books(server)


def test_uploads_that_break_off_in_the_dark_leave_no_trace(server: LiveServer) -> None:
    """Byte by byte: an upload is broken off behind each byte of it."""
    what = content('byte', 20)
    broken = Break('end', 0.0, 0, chunked=True, gzipped=True, hints=True)
    whole = b''.join(upload('byte', 1, what, broken))
    for length in range(0, len(whole), by_form(5, 1)):
        with Peer(server.port) as peer:
            peer.send(whole[:length])
    settled(server)()

    with Client(server.port) as client:
        assert client.names() == []
    check_books(server)
