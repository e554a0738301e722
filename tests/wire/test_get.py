"""Promises 10 to 18: what GET and HEAD of a file answer."""

from __future__ import annotations

import gzip
import os
import random
import time

import pytest

from tests.support import LiveServer
from tests.wire.raw import (
    Answer,
    Peer,
    delete,
    digest,
    get,
    head,
    http_date,
    put,
    put_gzip,
    request,
)

PLAIN = b'some plain bytes, some plain bytes\n' * 20
LARGE = random.Random(1).randbytes(3_000_000)


@pytest.mark.parametrize(
    'accepted',
    ['gzip', 'gzip, deflate', 'GZIP', 'x-gzip', '*', 'br;q=1.0, gzip;q=0.1', 'identity, gzip ;q=1'],
)
@pytest.mark.parametrize('content', [PLAIN, LARGE, b''], ids=['small', 'large', 'empty'])
def test_promise_10_gzip_is_sent_to_who_accepts_it(
    peer: Peer, name: str, content: bytes, accepted: str
) -> None:
    sent = put_gzip(name, content)
    peer.ask(sent)

    answer = peer.ask(get(name, accept_encoding=accepted))
    assert answer.status == 200
    assert gzip.decompress(answer.body) == content
    headers = answer.headers
    assert headers['content-encoding'] == 'gzip'
    assert headers['content-length'] == str(len(answer.body))
    assert headers['content-type'] == 'application/octet-stream'
    assert headers['last-modified'] == http_date(1000)
    assert headers['logical-size'] == str(len(content))
    assert headers['sha256-checksum'] == digest(content)


def test_promise_10_the_gzip_stream_that_was_put_is_sent(peer: Peer, name: str) -> None:
    content = name.encode()
    peer.ask(put_gzip(name, content))

    assert peer.ask(get(name, accept_encoding='gzip')).body == gzip.compress(content, mtime=0)


@pytest.mark.parametrize(
    'accepted',
    [None, '', 'identity', 'deflate', 'gzip;q=0', 'gzip; q=0.000, *', '*;q=0', 'gzipped'],
)
@pytest.mark.parametrize('content', [PLAIN, LARGE, b''], ids=['small', 'large', 'empty'])
def test_promise_11_plain_bytes_are_sent_to_who_does_not_accept_gzip(
    peer: Peer, name: str, content: bytes, accepted: str | None
) -> None:
    peer.ask(put_gzip(name, content))

    answer = peer.ask(get(name, accept_encoding=accepted))
    assert answer.status == 200
    assert answer.body == content
    headers = answer.headers
    assert 'content-encoding' not in headers
    assert headers['content-length'] == headers['logical-size'] == str(len(content))
    assert headers['last-modified'] == http_date(1000)
    assert headers['sha256-checksum'] == digest(content)


@pytest.mark.parametrize('accepted', ['gzip', 'identity'])
def test_promise_12_head_is_get_without_the_body(peer: Peer, name: str, accepted: str) -> None:
    peer.ask(put(name, LARGE))

    by_head = peer.ask(head(name, accept_encoding=accepted))
    by_get = peer.ask(get(name, accept_encoding=accepted))
    assert by_head.body == b''
    assert _lasting(by_head) == _lasting(by_get)


def test_promise_12_head_of_what_is_not_there_has_no_body_either(peer: Peer, name: str) -> None:
    for target in ('/files/' + name, '/list/' + name, '/what'):
        by_head = peer.ask(request('HEAD', target))
        assert _lasting(by_head) == _lasting(peer.ask(request('GET', target)))


def _lasting(answer: Answer) -> tuple[int, dict[str, str]]:
    """Status and headers, but not those that each answer has for itself."""
    return answer.status, {**answer.headers, 'date': '', 'x-request-id': ''}


def test_promise_13_what_is_not_there_is_404(peer: Peer, name: str) -> None:
    peer.ask(put(name + '/a'))

    for missing in (name + '/b', name, name + '/a/b', name + '/A'):
        for answer in (peer.ask(get(missing)), peer.ask(head(missing))):
            assert answer.status == 404
        assert peer.ask(get(missing)).line == 'no such file: ' + missing


def test_promise_14_a_known_file_is_not_sent_again(peer: Peer, name: str) -> None:
    peer.ask(put(name, PLAIN, version=1767268800))
    plain, packed = '"%s"' % digest(PLAIN), 'W/"%s"' % digest(PLAIN)

    for accepted, tag in (('identity', plain), ('gzip', packed)):
        answer = peer.ask(head(name, accept_encoding=accepted))
        assert answer.headers['etag'] == tag
        assert answer.headers['vary'] == 'Accept-Encoding'
        for known in (plain, packed, '*', '"other", %s' % plain):
            for method in (get, head):
                answer = peer.ask(method(name, accept_encoding=accepted, if_none_match=known))
                assert answer.status == 304
                assert answer.headers['etag'] == tag
                assert answer.headers['vary'] == 'Accept-Encoding'
                assert answer.headers['last-modified'] == http_date(1767268800)
        assert peer.ask(get(name, accept_encoding=accepted, if_none_match='"other"')).status == 200


def test_promise_14_a_file_that_is_not_newer_is_not_sent_again(peer: Peer, name: str) -> None:
    peer.ask(put(name, version=1000))

    for since, status in ((999, 200), (1000, 304), (1001, 304)):
        assert peer.ask(get(name, if_modified_since=http_date(since))).status == status
    assert peer.ask(get(name, if_modified_since='garbage')).status == 200
    other = get(name, if_none_match='"other"', if_modified_since=http_date(1000))
    assert peer.ask(other).status == 200


def test_promise_15_a_failed_precondition_is_412(peer: Peer, name: str) -> None:
    peer.ask(put(name, PLAIN, version=1000))
    tag = '"%s"' % digest(PLAIN)

    for conditions, status in (
        ({'if_match': tag}, 200),
        ({'if_match': '"other", ' + tag}, 200),
        ({'if_match': '*'}, 200),
        ({'if_match': 'W/' + tag}, 412),
        ({'if_match': '"other"'}, 412),
        ({'if_match': tag, 'accept_encoding': 'gzip'}, 412),
        ({'if_unmodified_since': http_date(1000)}, 200),
        ({'if_unmodified_since': http_date(999)}, 412),
        ({'if_unmodified_since': http_date(999), 'if_match': tag}, 200),
    ):
        assert peer.ask(get(name, **conditions)).status == status, conditions


@pytest.mark.parametrize('content', [PLAIN, LARGE], ids=['small', 'large'])
@pytest.mark.parametrize('accepted', ['identity', 'gzip'])
def test_promise_16_a_range_is_a_part_of_what_would_be_sent(
    peer: Peer, name: str, content: bytes, accepted: str
) -> None:
    peer.ask(put(name, content))
    whole = peer.ask(get(name, accept_encoding=accepted)).body
    size = len(whole)

    for first, last in (
        (0, 0),
        (0, size - 1),
        (5, 25),
        (size // 2, size - 2),
        (size - 1, size - 1),
    ):
        part = peer.ask(get(name, accept_encoding=accepted, range='bytes=%d-%d' % (first, last)))
        assert part.status == 206
        assert part.headers['content-range'] == 'bytes %d-%d/%d' % (first, last, size)
        assert part.body == whole[first : last + 1]
    for asked, first in (
        ('5-', 5),
        ('-5', size - 5),
        ('-%d' % (size + 1), 0),
        ('0-%d' % size, 0),
    ):
        part = peer.ask(get(name, accept_encoding=accepted, range='bytes=' + asked))
        assert part.status == 206
        assert part.headers['content-range'] == 'bytes %d-%d/%d' % (first, size - 1, size)
        assert part.body == whole[first:]
    for asked in ('%d-' % size, '%d-%d' % (size, size + 5), '-0'):
        refused = peer.ask(get(name, accept_encoding=accepted, range='bytes=' + asked))
        assert refused.status == 416
        assert refused.headers['content-range'] == 'bytes */%d' % size
        assert refused.line
    assert peer.ask(get(name)).headers['accept-ranges'] == 'bytes'


@pytest.mark.parametrize(
    'asked', ['bytes=0-1,3-4', 'bytes=5-2', 'bytes=-', 'bytes=a-b', 'bytes=1', 'lines=1-2', '']
)
def test_promise_16_other_ranges_ask_for_the_whole(peer: Peer, name: str, asked: str) -> None:
    peer.ask(put(name, PLAIN))

    answer = peer.ask(get(name, range=asked))
    assert answer.status == 200
    assert answer.body == PLAIN


def test_promise_16_a_range_may_depend_on_the_strong_tag(peer: Peer, name: str) -> None:
    peer.ask(put(name, PLAIN))
    tag = '"%s"' % digest(PLAIN)

    assert peer.ask(get(name, range='bytes=1-2', if_range=tag)).status == 206
    for condition in ('"other"', 'W/' + tag, http_date(1000)):
        assert peer.ask(get(name, range='bytes=1-2', if_range=condition)).status == 200
    for condition in (tag, 'W/' + tag):
        conditional = get(name, range='bytes=1-2', if_range=condition, accept_encoding='gzip')
        assert peer.ask(conditional).status == 200
    assert peer.ask(head(name, range='bytes=1-2')).status == 200


def test_promise_16_an_empty_file_has_no_parts(peer: Peer, name: str) -> None:
    peer.ask(put(name, b''))

    assert peer.ask(get(name, range='bytes=0-')).status == 416
    assert peer.ask(get(name, range='bytes=-1')).status == 200


def test_promise_17_content_of_another_length_is_never_sent(
    shared: LiveServer, peer: Peer, name: str
) -> None:
    peer.ask(put(name, name.encode() * 50))
    _damage(shared, name, lambda blob: blob[:-1])

    for method in (get, head):
        for accepted in ('gzip', 'identity'):
            answer = peer.ask(method(name, accept_encoding=accepted))
            assert answer.status == 500
            assert 'content-encoding' not in answer.headers
    assert 'damaged' in peer.ask(get(name)).line


@pytest.mark.parametrize('accepted', ['identity', 'gzip'])
def test_promise_17_small_damaged_content_is_500(
    shared: LiveServer, peer: Peer, name: str, accepted: str
) -> None:
    peer.ask(put(name, name.encode() * 50))
    _damage(shared, name, lambda blob: blob[:-6] + b'\0\0' + blob[-4:])

    answer = peer.ask(get(name, accept_encoding=accepted))
    assert answer.status == 500
    assert name in answer.line


def test_promise_17_damage_that_was_seen_is_mended_by_the_next_upload(
    shared: LiveServer, peer: Peer, name: str
) -> None:
    content = name.encode() * 50
    peer.ask(put(name, content))
    _damage(shared, name, lambda blob: blob[:-6] + b'\0\0' + blob[-4:])
    os.chmod(os.path.realpath(shared.links / name), 0o444)
    assert peer.ask(get(name)).status == 500

    assert peer.ask(put(name + '-again', content)).status == 200
    for kept in (name, name + '-again'):
        assert gzip.decompress(peer.ask(get(kept, accept_encoding='gzip')).body) == content


def test_content_of_many_empty_members_holds_up_nobody(
    shared: LiveServer, peer: Peer, name: str
) -> None:
    members = gzip.compress(name.encode()) + gzip.compress(b'') * 13_000
    peer.ask(put(name, members, content_encoding='gzip'))

    answer = peer.ask(get(name, accept_encoding='identity'))
    assert answer.status == 200
    assert answer.body == name.encode()


@pytest.mark.parametrize('accepted', ['identity', 'gzip'])
def test_promise_17_damage_that_shows_late_breaks_the_connection(
    shared: LiveServer, name: str, accepted: str
) -> None:
    with Peer(shared.port) as peer:
        peer.ask(put(name, name.encode() + LARGE))
    _damage(shared, name, lambda blob: blob[:-6] + b'\0\0' + blob[-4:])

    for fields in ({}, {'range': 'bytes=1000-'}):
        with Peer(shared.port) as peer:
            peer.send(get(name, accept_encoding=accepted, **fields))
            peer.read_head()
            assert peer.is_reset()


@pytest.mark.parametrize('size', [100_000, 3_000_000])
@pytest.mark.parametrize('ranged', [False, True])
def test_promise_17_damage_of_what_was_read_before_is_seen(
    shared: LiveServer, peer: Peer, name: str, size: int, ranged: bool
) -> None:
    peer.ask(put(name, name.encode() + LARGE[:size]))
    time.sleep(0.2)
    for _ in range(3):
        answer = peer.ask(get(name, accept_encoding='gzip'))
        assert gzip.decompress(answer.body) == name.encode() + LARGE[:size]
    _damage(shared, name, lambda blob: blob[:-6] + b'\0\0' + blob[-4:])

    with Peer(shared.port) as another:
        range_ = 'bytes=10-' if ranged else None
        another.send(get(name, accept_encoding='gzip', range=range_))
        status, _ = another.read_head()
        assert status == 500 or another.is_reset()


def test_promise_17_damage_while_it_is_sent_breaks_the_connection(
    shared: LiveServer, peer: Peer, name: str
) -> None:
    peer.ask(put(name, name.encode() + LARGE * 8))
    time.sleep(0.2)
    for _ in range(2):
        peer.ask(get(name, accept_encoding='gzip'))
    with Peer(shared.port, receive_buffer=4096) as reader:
        reader.send(get(name, accept_encoding='gzip'))
        reader.read_head()
        _damage(shared, name, lambda blob: blob[:-6] + b'\0\0' + blob[-4:])

        assert reader.is_reset()


@pytest.mark.parametrize('size', [1000, 30_000, 100_000, 3_000_000])
def test_promise_18_what_was_read_before_is_read_in_each_way(
    peer: Peer, name: str, size: int
) -> None:
    content = LARGE[:size]
    peer.ask(put(name, content))
    time.sleep(0.2)
    for _ in range(3):
        packed = peer.ask(get(name, accept_encoding='gzip'))
        assert gzip.decompress(packed.body) == content
        part = peer.ask(get(name, accept_encoding='gzip', range='bytes=7-100'))
        assert (part.status, part.body) == (206, packed.body[7:101])
        assert _lasting(peer.ask(head(name, accept_encoding='gzip'))) == _lasting(packed)
        assert peer.ask(get(name)).body == content
        assert peer.ask(get(name, if_none_match='*')).status == 304
    peer.ask(put(name, b'other', 1001))
    assert peer.ask(get(name)).body == b'other'
    peer.ask(delete(name, 1001))
    assert peer.ask(get(name, accept_encoding='gzip')).status == 404


def test_promise_43_who_takes_answers_slowly_gets_all_of_each(
    shared: LiveServer, peer: Peer, name: str
) -> None:
    # As large as what is kept in memory.
    content = LARGE[:60_000]
    peer.ask(put(name, content))
    time.sleep(0.2)
    asked = get(name, accept_encoding='gzip')
    first = peer.ask(asked).body
    with Peer(shared.port, receive_buffer=4096) as reader:
        # More than there is room for on the way.
        reader.send(asked * 100)

        assert all(reader.read().body == first for _ in range(100))
    assert gzip.decompress(first) == content


def test_promise_17_a_missing_blob_is_500(shared: LiveServer, peer: Peer, name: str) -> None:
    peer.ask(put(name, name.encode()))
    os.unlink(os.path.realpath(shared.links / name))

    answer = peer.ask(get(name))
    assert answer.status == 500
    assert answer.line


def _damage(server: LiveServer, name: str, change) -> None:
    blob = os.path.realpath(server.links / name)
    with open(blob, 'rb') as file:
        content = file.read()
    os.chmod(blob, 0o644)
    with open(blob, 'wb') as file:
        file.write(change(content))


@pytest.mark.parametrize('accepted', ['identity', 'gzip'])
def test_promise_18_a_reader_gets_one_version_to_the_end(
    shared: LiveServer, peer: Peer, name: str, accepted: str
) -> None:
    first = name.encode() + LARGE * 5
    peer.ask(put(name, first))
    with Peer(shared.port, receive_buffer=4096) as reader:
        reader.send(get(name, accept_encoding=accepted))
        _, headers = reader.read_head()
        peer.ask(put(name, b'another', version=2000))
        peer.ask(delete(name, version=2000))

        body = reader.read_bytes(int(headers['content-length']))

    assert (gzip.decompress(body) if accepted == 'gzip' else body) == first
    assert headers['sha256-checksum'] == digest(first)
    assert headers['last-modified'] == http_date(1000)
    assert peer.ask(get(name)).status == 404
