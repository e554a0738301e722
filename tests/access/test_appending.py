"""Who may append puts new names, and nothing that is there changes by it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.access.rules import bearer
from tests.support import LiveServer
from tests.wire.raw import Answer, Peer, get, put

MINE = {'authorization': bearer('append')}


@pytest.mark.parametrize('version', [999, 1000, 1001])
def test_a_name_that_is_taken_stays_as_it_is(peer: Peer, version: int) -> None:
    name = 'in/taken-%d' % version
    peer.ask(put(name, b'first', 1000, **MINE))

    answer = peer.ask(put(name, b'second', version, **MINE))

    assert answer.status == 403
    assert 'taken' in answer.line
    assert peer.ask(put(name, b'', version, expect='100-continue', **MINE)).status == 403
    assert peer.ask(get(name, **MINE)).body == b'first'


def test_the_same_put_again_is_fine(peer: Peer) -> None:
    first = peer.ask(put('in/again', b'content', 1000, **MINE))
    again = peer.ask(put('in/again', b'content', 1000, **MINE))

    assert (first.status, again.status) == (200, 200)
    assert first.headers['last-modified'] == again.headers['last-modified']


def test_of_many_who_put_the_same_new_name_one_does(shared: LiveServer) -> None:
    def put_once(number: int) -> Answer:
        with Peer(shared.port) as peer:
            return peer.ask(put('in/race', b'%d' % number, 1000 + number, **MINE))

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(put_once, range(24)))

    winners = [number for number, answer in enumerate(answers) if answer.status == 200]
    assert len(winners) == 1
    assert {answer.status for answer in answers} == {200, 403}
    with Peer(shared.port) as peer:
        assert peer.ask(get('in/race', **MINE)).body == b'%d' % winners[0]
