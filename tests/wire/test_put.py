"""Promises 19 to 29: what a PUT of a file takes, and what it refuses."""

from __future__ import annotations

import gzip
import random
import socket
import struct
import zlib

import pytest

from tests.support import LiveServer, wait_for
from tests.wire.raw import Peer, digest, get, head, http_date, listing, put, put_gzip

PLAIN = b'some plain bytes\n' * 30
LARGE = random.Random(2).randbytes(2_000_000)
PACKED = gzip.compress(PLAIN)
OTHER = digest(b'other')


@pytest.mark.parametrize(
    'content', [b'', b'x', PLAIN, LARGE], ids=['none', 'one', 'small', 'large']
)
@pytest.mark.parametrize('form', [put, put_gzip])
def test_promise_19_a_file_is_stored(peer: Peer, name: str, content: bytes, form) -> None:
    answer = peer.ask(form(name + '/in/new/directories', content))

    assert answer.status == 200
    assert answer.headers['last-modified'] == http_date(1000)
    assert answer.body == b''
    assert peer.ask(get(name + '/in/new/directories')).body == content


@pytest.mark.parametrize('size', [(1 << 18) - 1, 1 << 18, (1 << 18) + 1, 1 << 19])
def test_promise_19_files_around_the_size_of_a_piece_are_stored(
    peer: Peer, name: str, size: int
) -> None:
    peer.ask(put(name, LARGE[:size]))

    assert peer.ask(get(name)).body == LARGE[:size]


def test_promise_20_a_newer_version_stays(peer: Peer, name: str) -> None:
    peer.ask(put(name, b'newer', version=2000))

    for older in (b'older', LARGE):
        answer = peer.ask(put(name, older, version=1999))
        assert answer.status == 200
        assert answer.headers['last-modified'] == http_date(2000)
    assert peer.ask(get(name)).body == b'newer'


def test_promise_21_the_same_version_is_replaced(peer: Peer, name: str) -> None:
    peer.ask(put(name, b'first', version=1000))
    answer = peer.ask(put(name, b'second', version=1000))

    assert answer.headers['last-modified'] == http_date(1000)
    assert peer.ask(get(name)).body == b'second'


@pytest.mark.parametrize('content', [b'', PLAIN, LARGE], ids=['empty', 'small', 'large'])
@pytest.mark.parametrize('chunk', [1000, 1 << 20])
def test_promise_22_a_body_may_be_chunked(
    peer: Peer, name: str, content: bytes, chunk: int
) -> None:
    peer.send(put(name, content_length=None, transfer_encoding='Chunked').removesuffix(b'content'))
    for start in range(0, len(content), chunk):
        piece = content[start : start + chunk]
        peer.send(b'%X;name="a value"\r\n%b\r\n' % (len(piece), piece))
    answer = peer.ask(b'00\r\nTrailer: dropped\r\n\r\n')

    assert answer.status == 200
    assert peer.ask(get(name)).body == content


def test_promise_22_a_chunked_body_that_comes_byte_by_byte_is_stored(peer: Peer, name: str) -> None:
    sent = put(name, b'', content_length=None, transfer_encoding='chunked')
    for byte in sent + b'3\r\nabc\r\nA\r\n0123456789\r\n0\r\nA: b\r\n\r\n':
        peer.send(bytes([byte]))

    assert peer.read().status == 200
    assert peer.ask(get(name)).body == b'abc0123456789'


def test_promise_23_a_body_needs_a_length(shared: LiveServer, peer: Peer, name: str) -> None:
    answer = peer.ask(put(name, b'', content_length=None))

    assert answer.status == 411
    assert answer.line
    assert peer.is_ended()
    with Peer(shared.port) as other:
        assert other.ask(get(name)).status == 404


@pytest.mark.parametrize('body', [b'', b'x' * 99, LARGE], ids=['none', 'short', 'large'])
def test_promise_24_a_short_body_stores_nothing(
    shared: LiveServer, peer: Peer, name: str, body: bytes
) -> None:
    peer.ask(put(name, b'before', version=1))
    with Peer(shared.port) as broken:
        broken.send(put(name, body, content_length=str(len(body) + 1)))
        broken.socket.shutdown(socket.SHUT_WR)

        answer = broken.read()

    assert answer.status == 400
    assert 'the body ended early' in answer.line
    assert answer.headers['connection'] == 'close'
    assert peer.ask(get(name)).body == b'before'


@pytest.mark.parametrize('sent', [b'', b'5', b'5\r\nab', b'5\r\nabcde', b'5\r\nabcde\r\n0\r\n'])
def test_promise_24_a_short_chunked_body_stores_nothing(
    shared: LiveServer, peer: Peer, name: str, sent: bytes
) -> None:
    with Peer(shared.port) as broken:
        broken.send(put(name, b'', content_length=None, transfer_encoding='chunked') + sent)
        broken.socket.shutdown(socket.SHUT_WR)

        assert broken.read().status == 400

    assert peer.ask(get(name)).status == 404


def test_promise_24_a_lost_connection_stores_nothing(
    shared: LiveServer, peer: Peer, name: str
) -> None:
    with Peer(shared.port) as broken:
        broken.send(put(name, LARGE, content_length=str(len(LARGE) + 1)))
        # What is closed so is reset.
        broken.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))

    wait_for(lambda: '%s?' % name in shared.log(), 'the end of the request')
    assert peer.ask(get(name)).status == 404
    assert peer.ask(listing(name)).status == 404


@pytest.mark.parametrize('said', [digest(PLAIN), digest(PLAIN).upper()])
@pytest.mark.parametrize(
    ('body', 'encoding'), [(PLAIN, None), (PACKED, 'gzip')], ids=['plain', 'gzip']
)
def test_promise_25_the_digest_may_be_in_either_case(
    peer: Peer, name: str, body: bytes, encoding: str | None, said: str
) -> None:
    stored = peer.ask(put(name, body, content_encoding=encoding, sha256_checksum=said))

    assert stored.status == 200
    assert peer.ask(head(name)).headers['sha256-checksum'] == digest(PLAIN)


@pytest.mark.parametrize(
    'said', [OTHER, OTHER.upper(), '', 'x', OTHER[:-1], OTHER + '0', 'g' * 64, '../' * 21 + 'a']
)
@pytest.mark.parametrize('content', [PLAIN, LARGE], ids=['small', 'large'])
def test_promise_25_a_wrong_digest_is_refused(
    shared: LiveServer, peer: Peer, name: str, content: bytes, said: str
) -> None:
    answer = peer.ask(put(name, content, sha256_checksum=said))

    assert answer.status == 400
    assert 'SHA' in answer.line
    with Peer(shared.port) as another:
        assert another.ask(get(name)).status == 404


@pytest.mark.parametrize('said', ['511', '509', '0', '-510', '+510', '510.0', '0x1fe', 'x', ''])
def test_promise_26_a_wrong_size_is_refused(peer: Peer, name: str, said: str) -> None:
    assert len(PLAIN) == 510
    for body, encoding in ((PLAIN, 'identity'), (PACKED, 'gzip')):
        answer = peer.ask(put(name, body, logical_size=said, content_encoding=encoding))

        assert answer.status == 400
        assert answer.line
        assert peer.ask(get(name)).status == 404


NO_GZIP = {
    'empty': b'',
    'plain': PLAIN,
    'zlib': zlib.compress(PLAIN),
    'one byte short': PACKED[:-1],
    'without trailer': PACKED[:-8],
    'half a header': PACKED[:5],
    'a zero behind': PACKED + b'\0',
    'garbage behind': PACKED + b'garbage',
    'a short second stream': PACKED + PACKED[:-1],
    'wrong checksum': PACKED[:-8] + struct.pack('<II', zlib.crc32(PLAIN) ^ 1, len(PLAIN)),
    'wrong length': PACKED[:-8] + struct.pack('<II', zlib.crc32(PLAIN), len(PLAIN) + 1),
    'large and one byte short': gzip.compress(LARGE)[:-1],
}


@pytest.mark.parametrize('kind', NO_GZIP)
def test_promise_27_what_is_not_gzip_is_refused(peer: Peer, name: str, kind: str) -> None:
    answer = peer.ask(put(name, NO_GZIP[kind], content_encoding='gzip'))

    assert answer.status == 400
    assert 'gzip' in answer.line
    assert peer.ask(get(name)).status == 404


def test_promise_27_several_gzip_streams_are_one(peer: Peer, name: str) -> None:
    body = PACKED + gzip.compress(b'') + PACKED
    said = digest(PLAIN * 2)
    answer = peer.ask(put(name, body, content_encoding='gzip', sha256_checksum=said))

    assert answer.status == 200
    assert peer.ask(get(name)).body == PLAIN * 2
    assert peer.ask(get(name, accept_encoding='gzip')).body == body


def test_promise_27_a_stream_that_is_much_larger_than_its_content_is_refused(
    shared: LiveServer, peer: Peer, name: str
) -> None:
    empty = gzip.compress(b'')
    padded = empty * 50_000 + PACKED
    with Peer(shared.port) as other:
        answer = other.ask(put(name, padded, content_encoding='gzip'))

    assert answer.status == 400
    assert answer.line == 'the gzip stream is much larger than its content'
    assert peer.ask(put(name, empty * 5000 + PACKED, content_encoding='gzip')).status == 200


@pytest.mark.parametrize('encoding', ['gzip', 'GZIP', 'Gzip', 'x-gzip', 'X-GZip'])
def test_promise_28_gzip_may_be_spelled_in_other_ways(peer: Peer, name: str, encoding: str) -> None:
    peer.ask(put(name, PACKED, content_encoding=encoding))

    assert peer.ask(get(name)).body == PLAIN


@pytest.mark.parametrize('encoding', ['identity', 'Identity', ''])
def test_promise_28_no_encoding_may_be_said(peer: Peer, name: str, encoding: str) -> None:
    peer.ask(put(name, PACKED, content_encoding=encoding))

    assert peer.ask(get(name)).body == PACKED


@pytest.mark.parametrize('encoding', ['deflate', 'br', 'gzip, gzip', 'gzip;q=1', 'none'])
def test_promise_28_an_unknown_encoding_is_refused(peer: Peer, name: str, encoding: str) -> None:
    answer = peer.ask(put(name, PACKED, content_encoding=encoding))

    assert answer.status == 415
    assert answer.line
    assert peer.ask(get(name)).status == 404


def test_promise_29_a_part_cannot_be_put(peer: Peer, name: str) -> None:
    assert peer.ask(put(name, content_range='bytes 0-6/100')).status == 400
    assert peer.ask(get(name)).status == 404
