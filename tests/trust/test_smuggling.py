"""A request that could be two is refused, or is one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import LiveServer
from tests.trust.books import check_books
from tests.trust.client import Client
from tests.trust.contents import content
from tests.trust.conversation import converse, statuses
from tests.trust.smuggling import SMUGGLED, Attack, attacks
from tests.wire.raw import Peer, delete, digest, get, head, put, put_gzip, request

CASES = dict(attacks())


@pytest.fixture(scope='module')
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """A server whose file ``victim`` all attack."""
    directory: Path = tmp_path_factory.mktemp('smuggling')
    with LiveServer(directory / 'store') as live:
        yield live
        check_books(live)


@pytest.mark.parametrize('attack', CASES.values(), ids=list(CASES))
def test_no_request_is_smuggled(shared: LiveServer, attack: Attack) -> None:
    with Client(shared.port) as client:
        client.put('victim', 1, content('victim'))
        answers = [
            status for status in statuses(converse(shared.port, attack.said)) if status > 199
        ]

        assert len(answers) == 1
        assert 'smuggled' not in client.names()
        if attack.is_refused:
            assert answers[0] in (400, 411, 417, 501, 505)
            assert client.get('victim').body == content('victim').gzipped


def test_what_is_hidden_would_be_carried_out_in_the_open(shared: LiveServer) -> None:
    with Client(shared.port) as client:
        assert statuses(converse(shared.port, SMUGGLED + SMUGGLED)) == [200, 200]
        assert 'smuggled' in client.names()
        client.delete('smuggled', 10**6)


def test_a_length_that_is_too_short_cuts_the_body_and_the_rest_is_no_request(
    shared: LiveServer,
) -> None:
    heard = converse(shared.port, put('short', b'hello', 1) + b' and more\r\n\r\n')

    assert statuses(heard) == [200, 400]
    with Client(shared.port) as client:
        assert client.get_plain('short').body == b'hello'


@pytest.mark.parametrize('length', ['11', '1000000', '9' * 18])
def test_a_length_that_is_too_long_stores_nothing(shared: LiveServer, length: str) -> None:
    said = put('long', b'0123456789', 1, content_length=length)

    assert statuses(converse(shared.port, said)) == [400]
    with Client(shared.port) as client:
        assert client.get('long').status == 404


@pytest.mark.parametrize('off', [-1, 1])
def test_a_length_that_is_wrong_beside_a_digest_stores_nothing(
    shared: LiveServer, off: int
) -> None:
    body = b'0123456789'
    said = put('off', body, 1, sha256_checksum=digest(body), content_length=str(len(body) + off))

    assert set(statuses(converse(shared.port, said))) == {400}
    with Client(shared.port) as client:
        assert client.get('off').status == 404


def test_pipelined_requests_are_answered_in_order(shared: LiveServer) -> None:
    names = ['pipelined/%d' % number for number in range(50)]
    said = b''.join(
        put(name, name.encode() * 100, 1) + get(name) + head(name) + put_gzip(name, b'x', 2)
        for name in names
    )
    said += b''.join(
        request('GET', '/version') + get(name) + delete(name, 2) + get(name) for name in names
    )

    with Peer(shared.port) as peer:
        peer.send(said)
        for name in names:
            assert peer.read().status == 200
            assert peer.read().body == name.encode() * 100
            assert peer.read(is_head=True).headers['logical-size'] == str(len(name) * 100)
            assert peer.read().headers['last-modified'].endswith('00:00:02 GMT')
        for _ in names:
            assert peer.read().headers['content-type'] == 'application/json'
            assert peer.read().body == b'x'
            assert peer.read().status == 200
            assert peer.read().status == 404
