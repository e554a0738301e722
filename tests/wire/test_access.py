"""Promises of PROTOCOL.md: access control and limits."""

from __future__ import annotations

import base64
from collections.abc import Iterator

import pytest

from tests.access.rules import RULES, TOKENS, bearer, by, credential, guarded_server
from tests.support import LiveServer
from tests.wire.raw import Answer, Peer, delete, digest, get, listing, put, request

MORE = '\n'.join(
    [
        credential('slow', 'read', 'requests_per_second = 0.01'),
        credential('single', 'write', 'requests_in_flight = 1'),
        credential('short', 'write', 'max_body = 10'),
        credential('watcher', 'watch'),
        '[quotas]',
        '"/in/full" = 10',
    ]
)


@pytest.fixture(scope='module')
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """A server with access rules, which anonymous peers may not use."""
    folder = tmp_path_factory.mktemp('guarded')
    with guarded_server(folder, RULES + MORE) as live:
        with Peer(live.port) as peer:
            for name in ('in/there', 'out/there'):
                assert peer.ask(put(name, authorization=bearer('admin'))).status == 200
        yield live


@pytest.fixture
def peer(guarded: LiveServer) -> Iterator[Peer]:
    with Peer(guarded.port) as connection:
        yield connection


def test_promise_60_credentials_are_a_bearer_token_or_a_name_and_a_token(peer: Peer) -> None:
    basic = base64.b64encode(('read:' + TOKENS['read']).encode()).decode()

    assert peer.ask(get('in/there', authorization='Bearer ' + TOKENS['read'])).status == 200
    assert peer.ask(get('in/there', authorization='Basic ' + basic)).status == 200
    assert peer.ask(get('in/there')).status == 401


def _told(answer: Answer) -> object:
    return answer.status, answer.body, answer.headers.get('www-authenticate')


def test_promise_61_who_is_not_known_and_who_may_not_are_told_apart(peer: Peer) -> None:
    for raw in (get, put, delete, listing):
        outside = [peer.ask(by('write', raw(name))) for name in ('out/there', 'out/not', 'x')]
        unknown = [peer.ask(by('unknown', raw(name))) for name in ('in/there', 'out/there', 'x')]
        nobody = [peer.ask(raw(name)) for name in ('in/there', 'out/there', 'x')]

        assert [answer.status for answer in outside] == [403] * 3
        assert [answer.status for answer in unknown + nobody] == [401] * 6
        for answers in (outside, unknown, nobody):
            assert len({_told(answer) for answer in answers}) == 1
    assert peer.ask(by('expired', get('in/there'))).status == 401
    assert 'Basic' in nobody[0].headers['www-authenticate']
    assert peer.ask(by('read', put('in/there'))).status == 403


def test_promise_62_everybody_is_told_what_the_server_speaks_and_whether_it_works(
    peer: Peer,
) -> None:
    for endpoint in ('/version', '/health', '/ready'):
        assert peer.ask(request('GET', endpoint)).status == 200
        assert peer.ask(by('unknown', request('GET', endpoint + '/'))).status == 200


def test_promise_62_who_watches_and_admins_are_told_numbers(peer: Peer) -> None:
    for endpoint in ('/status', '/metrics'):
        assert peer.ask(request('GET', endpoint)).status == 401
        assert peer.ask(by('write', request('GET', endpoint))).status == 403
        assert peer.ask(by('admin', request('GET', endpoint))).status == 200
        assert peer.ask(by('watcher', request('GET', endpoint))).status == 200
    assert peer.ask(by('watcher', get('in/there'))).status == 403


def test_promise_63_a_list_has_what_may_be_read_and_only_that(peer: Peer) -> None:
    everything = peer.ask(by('admin', listing())).body.splitlines()

    assert b'out/there' in everything
    visible = [name for name in everything if name.startswith(b'in/')]
    assert peer.ask(by('read', listing())).body.splitlines() == visible
    assert peer.ask(by('read', listing('in'))).body.splitlines() == [name[3:] for name in visible]
    assert peer.ask(by('read', listing('out'))).status == 403


def test_promise_64_who_may_append_puts_new_names(peer: Peer) -> None:
    first = peer.ask(by('append', put('in/new', b'one', 1000)))
    taken = [
        peer.ask(by('append', put('in/new', b'two', version))) for version in (999, 1000, 1001)
    ]
    again = peer.ask(by('append', put('in/new', b'one', 1000)))

    assert (first.status, again.status) == (200, 200)
    assert [answer.status for answer in taken] == [403, 403, 403]
    assert peer.ask(by('append', get('in/new'))).body == b'one'


def test_promise_65_a_digest_stands_for_no_content(peer: Peer) -> None:
    assert peer.ask(by('admin', put('out/known', b'known'))).status == 200
    for body in (b'', b'k', b'other'):
        raw = put('in/guess', body, sha256_checksum=digest(b'known'), logical_size='5')
        assert peer.ask(by('write', raw)).status == 400
    assert peer.ask(by('write', get('in/guess'))).status == 404


def test_promise_66_too_many_requests_are_refused_for_a_while(
    guarded: LiveServer, peer: Peer
) -> None:
    answers = [peer.ask(by('slow', get('in/there'))) for _ in range(3)]
    assert [answer.status for answer in answers] == [200, 429, 429]
    assert 0 < int(answers[2].headers['retry-after']) <= 100

    whole = by('single', put('in/single', expect='100-continue'))
    with Peer(guarded.port) as other:
        other.send(whole[:-1])
        assert other.read().status == 100
        assert peer.ask(by('single', get('in/there'))).status == 429
        other.send(whole[-1:])
        assert other.read().status == 200
    assert peer.ask(by('single', get('in/there'))).status == 200


def test_promise_67_a_body_that_is_too_long_for_its_sender_is_refused(peer: Peer) -> None:
    assert peer.ask(by('short', put('in/short', bytes(10)))).status == 200
    assert peer.ask(by('short', put('in/short', bytes(11)))).status == 413


def test_promise_68_a_quota_is_not_exceeded(peer: Peer) -> None:
    statuses = [
        peer.ask(by('write', put('in/full/' + name, bytes(size)))).status
        for name, size in (('a', 6), ('b', 5), ('b', 4), ('a', 7), ('a', 5), ('b', 5), ('c', 1))
    ]

    assert statuses == [200, 507, 200, 507, 200, 200, 507]
    assert peer.ask(by('write', get('in/full/b'))).headers['content-length'] == '5'
