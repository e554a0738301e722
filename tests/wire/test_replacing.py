"""What requests are called, and what peers see of a server that is replaced."""

from __future__ import annotations

import os
import re
import signal

import pytest

from tests.servers.steady import Steady
from tests.support import LiveServer, wait_for
from tests.wire.raw import Peer, get, head, put, request

NAME = re.compile(r'[0-9a-f]{16}-[0-9a-f]+')


def test_promise_78_a_request_has_a_name_of_its_own(peer: Peer, name: str) -> None:
    asked = [put(name), get(name), head(name), get('none'), request('BREW', '/'), get('a//b')]
    asked.append(get(name, if_none_match='*'))
    asked.append(b'GET / HTTP/1.1\r\n\r\n')
    names = [peer.ask(each).headers['x-request-id'] for each in asked]

    assert all(NAME.fullmatch(each) for each in names)
    assert len({*names}) == len(asked)


@pytest.mark.parametrize('said', ['a', 'A' * 64, '0d4f:/x+y=@z._-', 'ab ' + '\t'])
def test_promise_78_a_name_that_a_request_has_comes_back(peer: Peer, said: str) -> None:
    assert peer.ask(get('none', x_request_id=said)).headers['x-request-id'] == said.strip()


@pytest.mark.parametrize('said', ['', 'A' * 65, 'a b', 'a,b', '"a"', 'a;b', 'a\xe9', '<a>', 'a\\'])
def test_promise_78_what_is_no_name_does_not_come_back(peer: Peer, said: str) -> None:
    answer = peer.ask(get('none', x_request_id=said))

    assert answer.status == 404
    assert NAME.fullmatch(answer.headers['x-request-id'])


def test_promise_78_two_names_are_none(peer: Peer) -> None:
    raw = b'GET /version HTTP/1.1\r\nHost: a\r\nX-Request-Id: b\r\nX-Request-Id: c\r\n\r\n'

    assert NAME.fullmatch(peer.ask(raw).headers['x-request-id'])


def test_promise_79_nobody_is_refused_by_a_server_that_is_replaced(server: LiveServer) -> None:
    with Steady(lambda: Peer(server.port)) as steady, Peer(server.port) as slow:
        wait_for(lambda: steady.count() > 20, 'some load')
        whole = put('slow', b'x' * 1000)
        slow.send(whole[:-1])
        os.kill(server.pid, signal.SIGUSR2)
        wait_for(lambda: 'takes over' in server.log(), 'the server to be replaced')
        slow.send(whole[-1:])

        assert slow.read().status == 200
        assert slow.is_ended()
        wait_for(lambda: server.log().count(' serving ') == 2, 'the next one to serve')
        count = steady.count()
        wait_for(lambda: steady.count() > count + 20, 'some load')
    steady.check()
