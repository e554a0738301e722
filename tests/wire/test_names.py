"""Promises 1 to 9: names, versions, and what the server speaks."""

from __future__ import annotations

import json

import pytest

from tests.wire.raw import Peer, dated, delete, get, head, http_date, listing, put, request

ODD = 'Zażółć @5 a+b%2F?#;*~!&=\'"<>|\\{}^`[]'


def test_promise_1_a_name_comes_back_as_it_was_put(peer: Peer, name: str) -> None:
    peer.ask(put('%s/%s' % (name, ODD)))

    assert peer.ask(get('%s/%s' % (name, ODD))).status == 200
    assert peer.ask(listing(name)).body == ODD.encode() + b'\n'


def test_promise_1_a_name_is_decoded_once(peer: Peer, name: str) -> None:
    peer.ask(request('PUT', dated('/files/%s%%2Fa+%%252F' % name, 1), b'x'))

    assert peer.ask(listing(name)).body == b'a+%2F\n'


def test_promise_2_slashes_around_the_endpoint_and_at_the_end_do_not_matter(
    peer: Peer, name: str
) -> None:
    peer.ask(put('%s/x' % name))

    for target in ('//files/%s/x', '/files///%s/x', '///files//%s/x', '/files/%s/x/'):
        assert peer.ask(request('GET', target % name)).status == 200, target
    for target in ('//list/%s', '/list//%s', '/list/%s/'):
        assert peer.ask(request('GET', target % name)).body == b'x\n', target


@pytest.mark.parametrize(
    ('target', 'why'),
    [
        ('/files', 'is empty'),
        ('/files/', 'is empty'),
        ('/files/a//b', 'empty component'),
        ('/files/a//', 'empty component'),
        ('/files/./a', 'component "."'),
        ('/files/a/.', 'component "."'),
        ('/files/../a', 'component ".."'),
        ('/files/a/..', 'component ".."'),
        ('/files/a%2F..%2Fb', 'component ".."'),
        ('/files/a%00b', 'control character'),
        ('/files/a%0Ab', 'control character'),
        ('/files/a%7F', 'control character'),
        ('/files/a%C2%85', 'control character'),
        ('/files/' + 'a' * 256, 'longer than 255 bytes'),
        ('/files/' + '%C3%B3' * 128, 'longer than 255 bytes'),
        ('/files/' + 'a' * 255 + ('/' + 'a' * 255) * 12, 'longer than 3072 bytes'),
        ('/files/a%FF', 'not valid UTF-8'),
        ('/files/%ED%A0%80', 'not valid UTF-8'),
    ],
)
def test_promise_3_what_cannot_be_a_name_is_refused(peer: Peer, target: str, why: str) -> None:
    for method in ('GET', 'PUT', 'DELETE'):
        answer = peer.ask(request(method, dated(target, 1)))

        assert answer.status == 400
        assert why in answer.line


@pytest.mark.parametrize('target', ['/list/a//b', '/list/..', '/list/a%00', '/list/%FF'])
def test_promise_3_what_cannot_be_a_directory_is_refused(peer: Peer, target: str) -> None:
    assert peer.ask(request('GET', target)).status == 400


def test_promise_3_the_longest_names_are_stored(peer: Peer) -> None:
    longest = '/'.join(['a' * 255] * 12)[:3000] + '/' + 'b' * 71

    assert len(longest) == 3072
    assert peer.ask(put(longest)).status == 200
    assert peer.ask(get(longest)).status == 200


def test_promise_4_a_file_and_a_directory_cannot_have_one_name(peer: Peer, name: str) -> None:
    for first, second in (('a', 'a/b/c'), ('b/c/d', 'b/c')):
        first, second = '%s/%s' % (name, first), '%s/%s' % (name, second)
        peer.ask(put(first))

        refused = peer.ask(put(second))
        assert refused.status == 409
        assert refused.line
        assert peer.ask(get(second)).status == 404
        assert peer.ask(get(first)).status == 200

        peer.ask(delete(first))
        assert peer.ask(put(second)).status == 200
        assert peer.ask(get(second)).status == 200


@pytest.mark.parametrize(
    'date',
    [
        'Thu, 01 Jan 2026 12:00:00 -0000',
        'Thu, 01 Jan 2026 12:00:00 GMT',
        'Thu, 01 Jan 2026 14:00:00 %2B0200',
        'Thu, 01 Jan 2026 07:30:00 -0430',
        'Thu, 01 Jan 2026 12:00:00',
        '01 Jan 2026 12:00:00 GMT',
        'Thu Jan  1 12:00:00 2026',
        'Thursday, 01-Jan-26 12:00:00 GMT',
    ],
)
def test_promise_5_a_version_is_a_date(peer: Peer, name: str, date: str) -> None:
    target = '/files/%s?last_modified=%s' % (name, date.replace(' ', '%20'))

    assert peer.ask(request('PUT', target, b'x')).headers['last-modified'] == http_date(1767268800)


def test_promise_5_of_two_versions_the_first_counts(peer: Peer, name: str) -> None:
    target = dated('/files/' + name, 1) + '&' + dated('', 2).lstrip('?')

    assert peer.ask(request('PUT', target, b'x')).headers['last-modified'] == http_date(1)


@pytest.mark.parametrize(
    'date',
    [
        'garbage',
        '1234567890',
        '2026-01-01T12:00:00Z',
        'Thu, 41 Jan 2026 12:00:00 GMT',
        'Thu, 01 Jan 2026 25:00:00 GMT',
        'Fri, 13 Dec 1901 20:45:51 GMT',
        'Tue, 10 May 2446 22:38:56 GMT',
        'Thu, 01 Jan 9999 12:00:00 GMT',
        '%FF',
    ],
)
def test_promise_6_what_is_no_version_is_refused(peer: Peer, name: str, date: str) -> None:
    query = '?last_modified=' + date.replace(' ', '%20')

    for method, target in (
        ('PUT', '/files/' + name),
        ('DELETE', '/files/' + name),
        ('GET', '/list'),
    ):
        answer = peer.ask(request(method, target + query))
        assert answer.status == 400
        assert answer.line
    assert peer.ask(get(name)).status == 404


@pytest.mark.parametrize('version', [-(2**31), -1, 0, 2**34 - 2**31 - 1])
def test_promise_6_the_first_and_the_last_versions_are_kept(
    peer: Peer, name: str, version: int
) -> None:
    peer.ask(put(name, version=version))

    assert peer.ask(head(name)).headers['last-modified'] == http_date(version)


@pytest.mark.parametrize('query', ['', '?', '?last_modified=', '?other=1'])
def test_promise_7_a_change_needs_a_version(peer: Peer, name: str, query: str) -> None:
    for method in ('PUT', 'DELETE'):
        answer = peer.ask(request(method, '/files/%s%s' % (name, query), b'x'))

        assert answer.status == 400
        assert 'last_modified' in answer.line


def test_promise_8_dates_of_answers_are_http_dates(peer: Peer, name: str) -> None:
    stored = peer.ask(put(name, version=1767268800))

    assert stored.headers['last-modified'] == 'Thu, 01 Jan 2026 12:00:00 GMT'
    assert peer.ask(get(name)).headers['last-modified'] == 'Thu, 01 Jan 2026 12:00:00 GMT'


def test_promise_9_the_server_says_which_versions_it_speaks(peer: Peer) -> None:
    for target in ('/version', '/version/'):
        answer = peer.ask(request('GET', target))

        assert answer.status == 200
        assert answer.headers['content-type'] == 'application/json'
        assert 2 in json.loads(answer.body)['protocol_versions']
