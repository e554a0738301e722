"""Promises 43 to 50: connections, and requests that are no good HTTP."""

from __future__ import annotations

import random
import socket
import threading
import time

import pytest

from tests.support import LiveServer, wait_for
from tests.wire.raw import Peer, get, head, http_date, listing, put, request

LARGE = random.Random(3).randbytes(20_000_000)
MARK = b'PUT /files/smuggled?last_modified=Thu,%2001%20Jan%202026%2012:00:00%20GMT HTTP/1.1\r\n'
SMUGGLED = MARK + b'Host: x\r\nContent-Length: 1\r\n\r\nx'


def test_promise_43_a_connection_serves_many_requests(peer: Peer, name: str) -> None:
    for _ in range(3):
        assert peer.ask(put(name)).status == 200
        assert peer.ask(get(name)).body == b'content'
        assert peer.ask(head(name)).status == 200
        assert peer.ask(listing()).status == 200
        assert peer.ask(get(name + '/missing')).status == 404
        assert peer.ask(put(name, sha256_checksum='x')).status == 400


def test_promise_43_a_connection_is_closed_where_that_is_asked_for(peer: Peer, name: str) -> None:
    answer = peer.ask(get(name, connection='Keep-Alive, Close'))

    assert answer.headers['connection'] == 'close'
    assert peer.is_ended()


def test_promise_43_requests_need_not_wait_for_answers(peer: Peer, name: str) -> None:
    names = ['%s/%d' % (name, number) for number in range(50)]
    peer.send(b''.join(put(one, one.encode()) + get(one) + head(one) + b'\r\n' for one in names))

    for one in names:
        assert peer.read().status == 200
        assert peer.read().body == one.encode()
        assert peer.read(is_head=True).status == 200


def test_promise_43_old_http_is_spoken(shared: LiveServer, peer: Peer, name: str) -> None:
    peer.ask(put(name))

    for fields in ('', 'Connection: close\r\n'):
        with Peer(shared.port) as old:
            answer = old.ask(b'GET /files/%b HTTP/1.0\r\n%b\r\n' % (name.encode(), fields.encode()))
            assert answer.body == b'content'
            assert old.is_ended()
    with Peer(shared.port) as old:
        for _ in range(2):
            kept = b'GET /files/%b HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n' % name.encode()
            answer = old.ask(kept)
            assert answer.headers['connection'] == 'keep-alive'
            assert answer.body == b'content'
        # A body of unknown length ends with the connection there.
        answer = old.ask(b'GET /list/ HTTP/1.0\r\nConnection: keep-alive\r\n\r\n')
        assert answer.headers['connection'] == 'close'
        assert b'%b\n' % name.encode() in answer.body


@pytest.mark.parametrize('target', ['http://somewhere/files/%s', 'HTTPS://somewhere:99/files/%s'])
def test_promise_43_a_target_may_be_a_whole_url(peer: Peer, name: str, target: str) -> None:
    peer.ask(put(name))

    assert peer.ask(request('GET', target % name)).body == b'content'
    assert peer.ask(request('GET', 'http://somewhere')).status == 200


def test_promise_44_a_body_is_asked_for(peer: Peer, name: str) -> None:
    sent = put(name, expect='100-Continue')
    announced, body = sent[: -len(b'content')], b'content'

    assert peer.ask(announced).status == 100
    assert peer.ask(body).status == 200
    assert peer.ask(get(name)).body == b'content'


def test_promise_44_a_body_that_is_not_wanted_is_not_asked_for(peer: Peer, name: str) -> None:
    sent = put(name, expect='100-continue', sha256_checksum='x')

    answer = peer.ask(sent[: -len(b'content')])
    assert answer.status == 400
    assert answer.headers['connection'] == 'close'


def test_promise_44_a_body_that_would_change_nothing_is_not_asked_for(
    peer: Peer, name: str
) -> None:
    peer.ask(put(name, version=2000))
    sent = put(name, version=1999, expect='100-continue')

    answer = peer.ask(sent[: -len(b'content')])
    assert answer.status == 200
    assert answer.headers['last-modified'] == http_date(2000)
    assert answer.headers['connection'] == 'close'


@pytest.mark.parametrize('size', [16 << 10, 100 << 10])
@pytest.mark.parametrize('end', ['', ' HTTP/1.1\r\nHost: x\r\n\r\n'], ids=['open', 'whole'])
def test_promise_45_a_long_request_line_is_414(peer: Peer, size: int, end: str) -> None:
    peer.send(b'GET /files/%b%b' % (b'a' * size, end.encode()))

    answer = peer.read()
    assert answer.status == 414
    assert answer.line
    assert peer.is_ended()


@pytest.mark.parametrize(
    'fields',
    [
        b'A: b\r\n' * 100,
        b'A: %b\r\n' % (b'b' * (64 << 10)),
        b'A: %b' % (b'b' * (100 << 10)),
        b'A%d: b\r\n' * (16 << 10),
    ],
    ids=['many', 'long', 'endless', 'many and long'],
)
def test_promise_45_a_long_head_is_431(peer: Peer, fields: bytes) -> None:
    peer.send(b'GET /version HTTP/1.1\r\nHost: x\r\n%b\r\n\r\n' % fields)

    answer = peer.read()
    assert answer.status == 431
    assert answer.line
    assert peer.is_ended()


def test_promise_45_a_head_may_be_almost_as_long(peer: Peer) -> None:
    fields = {'field-%d' % number: 'a' * 650 for number in range(95)}

    assert peer.ask(request('GET', '/version', **fields)).status == 200


_TWO_WAYS = {
    'length and coding': b'Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    'coding and length': b'Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n',
    'two lengths': b'Content-Length: 0\r\nContent-Length: 5\r\n\r\n',
    'the same length twice': b'Content-Length: 0\r\nContent-Length: 0\r\n\r\n',
    'a list of lengths': b'Content-Length: 0, 0\r\n\r\n',
    'a signed length': b'Content-Length: +0\r\n\r\n',
    'a negative length': b'Content-Length: -1\r\n\r\n',
    'a length in hex': b'Content-Length: 0x0\r\n\r\n',
    'an empty length': b'Content-Length:\r\n\r\n',
    'a long length': b'Content-Length: 99999999999999999999\r\n\r\n',
    'a length of other digits': b'Content-Length: \xb2\r\n\r\n',
    'two codings': b'Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    'a folded line': b'Content-Length: 0\r\n folded: x\r\n\r\n',
    'a folded length': b'Content-Length:\r\n 0\r\n\r\n',
    'a space in front of a colon': b'Content-Length : 0\r\n\r\n',
    'a field without a colon': b'Content-Length 0\r\n\r\n',
    'a field without a name': b': 0\r\n\r\n',
    'a space in a name': b'Content Length: 0\r\n\r\n',
    'a bare line feed': b'A: b\nContent-Length: 0\r\n\r\n',
    'a bare carriage return': b'A: b\rContent-Length: 0\r\n\r\n',
    'an end of line feeds': b'A: b\n\n',
    'a NUL': b'A: b\0c\r\n\r\n',
    'a control character': b'A: b\x0bc\r\n\r\n',
    'a second host': b'Host: y\r\n\r\n',
}


@pytest.mark.parametrize('kind', _TWO_WAYS)
def test_promise_46_an_ambiguous_request_is_refused(
    shared: LiveServer, peer: Peer, name: str, kind: str
) -> None:
    line = b'PUT /files/%b?last_modified=x HTTP/1.1\r\nHost: x\r\n' % name.encode()
    peer.send(line + _TWO_WAYS[kind] + SMUGGLED)

    answer = peer.read()
    assert answer.status == 400
    assert answer.line
    assert answer.headers['connection'] == 'close'
    assert peer.is_ended()
    with Peer(shared.port) as another:
        assert another.ask(get('smuggled')).status == 404


@pytest.mark.parametrize(
    'line',
    [
        b'GET /version',
        b'GET /version HTTP/1.1 ',
        b' GET /version HTTP/1.1',
        b'GET  /version HTTP/1.1',
        b'GET\t/version HTTP/1.1',
        b'GET /version HTTP/1',
        b'GET /version HTTP/1.10',
        b'GET /version http/1.1',
        b'GET /ver sion HTTP/1.1',
        b'GET /version#x HTTP/1.1',
        b'GET /ver\0sion HTTP/1.1',
        b'GET version HTTP/1.1',
        b'G(T /version HTTP/1.1',
        b'GET /version HTTP/1.1\r\n',
        b'\0',
    ],
)
def test_promise_46_a_malformed_request_line_is_refused(peer: Peer, line: bytes) -> None:
    peer.send(line + b'\r\nHost: x\r\n\r\n' + SMUGGLED)

    if line.endswith(b'\r\n'):
        # That was a whole request, without a host, and then something else.
        assert b'host' in peer.read().body
    else:
        assert peer.read().status == 400
    assert peer.is_ended()


_NO_CHUNKS = {
    'no size': b'\r\n',
    'no hex': b'x\r\n',
    'a signed size': b'+1\r\na\r\n',
    'a negative size': b'-1\r\na\r\n',
    'a size with 0x': b'0x1\r\na\r\n',
    'a size with a space': b'1 \r\na\r\n',
    'a large size': b'10000000000000000\r\n',
    'a bare line feed': b'1\na\r\n',
    'a bare line feed in an extension': b'1;a\nb\r\na\r\n',
    'a chunk that is too long': b'1\r\nab\r\n',
    'a line feed behind a chunk': b'1\r\na\n0\r\n\r\n',
    'a long extension': b'1;' + b'a' * 10_000 + b'\r\na\r\n',
    'a malformed trailer': b'0\r\nno trailer\r\n\r\n',
    'many trailers': b'0\r\n' + b'a: b\r\n' * 200 + b'\r\n',
}


@pytest.mark.parametrize('kind', _NO_CHUNKS)
def test_promise_46_malformed_chunks_are_refused(
    shared: LiveServer, peer: Peer, name: str, kind: str
) -> None:
    begun = put(name, b'', content_length=None, transfer_encoding='chunked')
    peer.send(begun + _NO_CHUNKS[kind] + b'0\r\n\r\n' + SMUGGLED)

    answer = peer.read()
    assert answer.status == 400
    assert answer.line
    assert peer.is_ended()
    with Peer(shared.port) as another:
        assert another.ask(get(name)).status == 404
        assert another.ask(get('smuggled')).status == 404


def test_promise_46_a_request_without_a_host_is_refused(peer: Peer) -> None:
    assert peer.ask(request('GET', '/version', host=None)).status == 400
    assert peer.is_ended()


@pytest.mark.parametrize(
    ('head', 'status'),
    [
        (b'GET /version HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n', 501),
        (b'GET /version HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: identity\r\n\r\n', 501),
        (b'GET /version HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n', 501),
        (b'GET /version HTTP/1.1\r\nHost: x\r\nTransfer-Encoding:\r\n\r\n', 501),
        (b'GET /version HTTP/1.1\r\nHost: x\r\nExpect: the unexpected\r\n\r\n', 417),
        (b'GET /version HTTP/2.0\r\nHost: x\r\n\r\n', 505),
        (b'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 505),
        (b'GET /version HTTP/0.9\r\nHost: x\r\n\r\n', 505),
    ],
)
def test_promise_47_what_is_not_known_is_refused(peer: Peer, head: bytes, status: int) -> None:
    answer = peer.ask(head)

    assert answer.status == status
    assert answer.line
    assert peer.is_ended()


@pytest.mark.parametrize('sent', [b'G', b'GET /version HTTP/1.1\r\nHost: x\r\n'])
def test_promise_48_a_head_that_stops_coming_is_408(hasty: LiveServer, sent: bytes) -> None:
    with Peer(hasty.port) as peer:
        assert peer.ask(sent).status == 408
        assert peer.is_ended()


def test_promise_48_a_head_that_drips_is_408(hasty: LiveServer) -> None:
    with Peer(hasty.port) as peer:
        peer.socket.settimeout(0.05)
        begun = time.monotonic()
        peer.send(b'GET /version HTTP/1.1\r\nA: ')
        while time.monotonic() < begun + 10:
            try:
                answer = peer.socket.recv(1000)
                break
            except TimeoutError:
                peer.send(b'a')

    assert answer.startswith(b'HTTP/1.1 408 ')


@pytest.mark.parametrize('sent', [b'', b'abc', LARGE[:1_000_000]], ids=['none', 'some', 'much'])
def test_promise_48_a_body_that_stops_coming_is_408(
    hasty: LiveServer, name: str, sent: bytes
) -> None:
    with Peer(hasty.port) as peer:
        answer = peer.ask(put(name, sent, content_length=str(len(sent) + 1)))
        assert answer.status == 408
        assert answer.line
        assert peer.is_ended()

    with Peer(hasty.port) as peer:
        assert peer.ask(get(name)).status == 404


def test_promise_48_a_chunked_body_that_stops_coming_is_408(hasty: LiveServer, name: str) -> None:
    with Peer(hasty.port) as peer:
        sent = put(name, b'', content_length=None, transfer_encoding='chunked')
        assert peer.ask(sent + b'5\r\nab').status == 408


def test_promise_48_a_peer_that_takes_nothing_is_cut_off(hasty: LiveServer, name: str) -> None:
    with Peer(hasty.port, receive_buffer=4096) as peer:
        peer.ask(put(name, LARGE))
        peer.send(get(name))
        wait_for(lambda: '"GET /files/%s"' % name in hasty.log(), 'the end of the answer')

        assert peer.is_reset()


def test_promise_49_an_idle_connection_is_closed(hasty: LiveServer) -> None:
    with Peer(hasty.port) as peer:
        assert peer.is_ended()
    with Peer(hasty.port) as peer:
        assert peer.ask(request('GET', '/version')).status == 200
        assert peer.is_ended()


def test_promise_50_an_early_answer_reaches_a_peer_that_is_still_sending(
    peer: Peer, name: str
) -> None:
    peer.send(put(name, LARGE, sha256_checksum='x'))

    answer = peer.read()
    assert answer.status == 400
    assert answer.headers['connection'] == 'close'
    peer.socket.shutdown(socket.SHUT_WR)
    assert peer.is_ended()


def test_promise_50_a_short_body_that_is_not_wanted_is_skipped(peer: Peer, name: str) -> None:
    for body in (b'x', LARGE[: 64 << 10]):
        assert peer.ask(put(name, body, sha256_checksum='x')).status == 400
        assert peer.ask(request('POST', '/list', body)).status == 405
        assert peer.ask(request('GET', '/version', body)).status == 200


def test_promise_50_a_refused_upload_of_any_length_is_told_why(
    shared: LiveServer, name: str
) -> None:
    """As a client does it that sends on and on before it reads."""
    with Peer(shared.port) as peer:
        peer.send(put(name, b'', content_length=str(10 * len(LARGE)), sha256_checksum='x'))
        sending = threading.Thread(target=lambda: [peer.send(LARGE) for _ in range(10)])
        sending.start()
        sending.join()

        assert peer.read().status == 400
