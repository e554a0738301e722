"""What may not be read is neither listed nor told of by any answer."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.access.rules import RULES, by, credential, guarded_server
from tests.support import LiveServer
from tests.wire.raw import Answer, Peer, dated, delete, get, listing, put, request

EXTRA = """
[anonymous]
role = "read"
prefixes = ["/public", "/top"]
"""
FILES = (
    'a/one',
    'a-b/two',
    'a.txt',
    'in/x/1',
    'in/x/2',
    'inn/hidden',
    'public/p',
    'secret/inside/s',
    'top',
)


@pytest.fixture(scope='module')
def busy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """A server with many files, some of which each credential may read."""
    folder = tmp_path_factory.mktemp('busy')
    several = credential('several', 'read', 'prefixes = ["/secret/inside", "/a", "/a.txt", "/a-b"]')
    with guarded_server(folder, RULES + several + EXTRA) as live:
        with Peer(live.port) as peer:
            for version, name in enumerate(FILES):
                assert peer.ask(by('admin', put(name, name.encode(), version))).status == 200
        yield live


@pytest.fixture
def visitor(busy: LiveServer) -> Iterator[Peer]:
    """A connection to the server with many files."""
    with Peer(busy.port) as connection:
        yield connection


def test_a_list_shows_what_may_be_read(visitor: Peer) -> None:
    def listed(who: str, directory: str = '', version: int | None = None) -> list[str]:
        answer = visitor.ask(by(who, listing(directory, version)))
        assert answer.status == 200
        return answer.body.decode().splitlines()

    assert listed('admin') == sorted(FILES)
    assert listed('read') == ['in/x/1', 'in/x/2']
    assert listed('read', 'in') == ['x/1', 'x/2']
    assert listed('read', 'in/x') == ['1', '2']
    assert listed('read', '', 3) == ['in/x/1']
    assert listed('several') == ['a-b/two', 'a.txt', 'a/one', 'secret/inside/s']
    assert listed('several', '', 1) == ['a-b/two', 'a/one']
    assert listed('several', 'secret') == ['inside/s']
    assert visitor.ask(listing()).body == b'public/p\ntop\n'


def test_a_directory_is_there_if_something_in_it_may_be_read(visitor: Peer) -> None:
    visitor.ask(by('admin', put('secret/else', b'x', 5)))
    visitor.ask(by('admin', delete('secret/inside/s', 9999)))
    gone = visitor.ask(by('several', listing('secret')))
    visitor.ask(by('admin', put('secret/inside/s', b'x', 7)))

    assert gone.status == 404
    assert visitor.ask(by('several', listing('secret'))).body == b'inside/s\n'


def test_wrong_credentials_are_refused_also_where_none_are_needed(visitor: Peer) -> None:
    assert visitor.ask(get('public/p')).status == 200
    assert visitor.ask(by('read', get('public/p'))).status == 403
    assert visitor.ask(by('unknown', get('public/p'))).status == 401
    assert visitor.ask(get('public/p', authorization='Digest x')).status == 401


def _told(answer: Answer) -> object:
    each_its_own = 'date', 'x-request-id'
    headers = {key: value for key, value in answer.headers.items() if key not in each_its_own}
    return answer.status, headers, answer.body


def _questions(name: str) -> list[bytes]:
    digest = hashlib.sha256(b'inn/hidden').hexdigest()
    return [
        get(name),
        get(name, if_none_match='"%s"' % digest),
        get(name, if_match='"%s"' % digest),
        get(name, if_modified_since='Thu, 01 Jan 2026 00:00:00 GMT'),
        get(name, range='bytes=0-0'),
        get(name, range='bytes=99-'),
        get(name, accept_encoding='gzip'),
        put(name, b'x', 0),
        put(name, b'x', 10**9),
        put(name, b'inn/hidden', 5, sha256_checksum=digest),
        put(name, b'x', 5, sha256_checksum=digest),
        put(name, b'x', 5, if_none_match='*'),
        delete(name, 0),
        delete(name, 10**9),
        listing(name),
        listing(name, 0),
        request('PUT', '/files/' + name, b'x'),
        request('PUT', dated('/files/' + name, 5), content_length=None),
        request('POST', '/files/' + name, b'x'),
    ]


@pytest.mark.parametrize('who', ['read', 'append', 'write', 'several', 'unknown'])
def test_no_answer_tells_whether_a_name_is_there_that_may_not_be_seen(
    busy: LiveServer, who: str
) -> None:
    heard = []
    for name in ('inn/hidden', 'inn/absent', 'inn', 'absent', 'inn/hidden/below'):
        heard.append([])
        for question in _questions(name):
            with Peer(busy.port) as peer:
                heard[-1].append(_told(peer.ask(by(who, question))))

    assert heard[1:] == heard[:-1]
    statuses = {status for status, *_ in heard[0]}
    assert statuses == {401} if who == 'unknown' else {403}
    with Peer(busy.port) as peer:
        assert peer.ask(by('admin', get('inn/hidden'))).body == b'inn/hidden'


def test_a_content_is_not_to_be_had_by_its_digest(visitor: Peer) -> None:
    digest = hashlib.sha256(b'inn/hidden').hexdigest()
    empty = gzip.compress(b'')

    plain = visitor.ask(by('write', put('in/mine', b'', 5, sha256_checksum=digest)))
    packed = visitor.ask(
        by(
            'write',
            put(
                'in/mine',
                empty,
                5,
                sha256_checksum=digest,
                logical_size=str(len('inn/hidden')),
                content_encoding='gzip',
            ),
        )
    )
    unknown = visitor.ask(by('write', put('in/mine', b'', 5, sha256_checksum='1' * 64)))

    assert (plain.status, packed.status, unknown.status) == (400, 400, 400)
    assert plain.line.replace(digest, '') == unknown.line.replace('1' * 64, '')
    assert visitor.ask(by('write', get('in/mine'))).status == 404


def test_credentials_are_in_no_log(tmp_path: Path) -> None:
    with guarded_server(tmp_path, RULES, '--log-level', 'DEBUG') as live:
        with Peer(live.port) as peer:
            for who in ('write', 'unknown', 'expired'):
                peer.ask(by(who, put('in/x')))
                peer.ask(by(who, put('out/x')))
        live.stop()
        said = live.log()

    assert 'in/x' in said
    assert 'ftk_' not in said and 'secret-of' not in said
