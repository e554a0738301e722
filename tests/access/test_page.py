"""The pages show what may be read, and tell of the server to admins alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.access.rules import RULES, bearer, credential, guarded_server
from tests.page.html import Html
from tests.support import LiveServer, wait_for
from tests.wire.raw import Answer, Peer, put, request

EXTRA = """
[anonymous]
role = "read"
prefixes = ["/public/deep", "/top"]
"""
FILES = ('a/one', 'a-b/two', 'in/x/1', 'in/x/2', 'inn/hidden', 'public/deep/p', 'public/q', 'top')


@pytest.fixture(scope='module')
def busy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    folder = tmp_path_factory.mktemp('pages')
    several = credential('several', 'append', 'prefixes = ["/inn/hidden", "/a", "/gone"]')
    with guarded_server(folder, RULES + several + EXTRA) as live:
        with Peer(live.port) as peer:
            for name in FILES:
                whole = put(name, name.encode(), authorization=bearer('admin'))
                assert peer.ask(whole).status == 200
        yield live


@pytest.fixture
def visitor(busy: LiveServer) -> Iterator[Peer]:
    with Peer(busy.port) as connection:
        yield connection


def ask(peer: Peer, target: str, who: str | None) -> Answer:
    authorization = who and bearer(who)
    return peer.ask(request('GET', target, accept='text/html', authorization=authorization))


def names(peer: Peer, target: str, who: str | None) -> list[str]:
    return Html(ask(peer, target, who), target).names()


def test_directories_have_what_may_be_read(visitor: Peer) -> None:
    everything = ['a-b/', 'a/', 'in/', 'inn/', 'public/', 'top']

    for root in ('/', '/browse'):
        assert names(visitor, root, 'admin') == everything
        assert names(visitor, root, 'read') == ['in/']
        assert names(visitor, root, 'several') == ['a/', 'inn/']
        assert names(visitor, root, None) == ['public/', 'top']
    assert names(visitor, '/browse/public', None) == ['deep/']
    assert names(visitor, '/browse/public/deep', None) == ['p']
    assert names(visitor, '/browse/inn', 'several') == ['hidden']
    assert names(visitor, '/browse/in', 'read') == ['x/']


@pytest.mark.parametrize('query', ['q=i', 'q=/', 'q=/i', 'q=n', 'after=a', 'q=/inn/h&after=in/x'])
def test_searches_find_what_may_be_read(visitor: Peer, query: str) -> None:
    for who, prefixes in (
        ('read', ['in/']),
        ('several', ['a/', 'inn/hidden']),
        (None, ['public/deep/', 'top']),
    ):
        for directory in ('', '/in', '/a', '/public', '/inn'):
            answer = ask(visitor, '/browse%s?%s' % (directory, query), who)
            if answer.status == 200 and query.startswith('q'):
                for name in Html(answer).names():
                    assert any(name.startswith(prefix) for prefix in prefixes)
    assert names(visitor, '/browse?q=/i', 'several') == ['inn/hidden']
    assert names(visitor, '/browse?q=i', 'read') == ['in/x/1', 'in/x/2']


def test_no_page_tells_whether_there_is_what_may_not_be_seen(visitor: Peer) -> None:
    for who in ('read', 'several', 'unknown'):
        told = set()
        for directory in ('public', 'public/q', 'absent', 'public/absent', 'top', 'a-b'):
            for query in ('', '?q=q', '?after=a', '?q=/public/q'):
                answer = ask(visitor, '/browse/%s%s' % (directory, query), who)
                headers = {**answer.headers, 'date': '', 'x-request-id': ''}
                told.add((answer.status, answer.body, str(headers)))

        assert len(told) == 1
        assert {status for status, _, _ in told} == {401 if who == 'unknown' else 403}


def test_admins_alone_are_told_of_the_server(visitor: Peer) -> None:
    def root(who: str | None) -> Html:
        return Html(ask(visitor, '/', who))

    html = wait_for(lambda: (seen := root('admin')) and 'files with' in seen.text and seen)
    assert 'Who is busy' in html.text and 'Requests' in html.text and 'up for' in html.text
    for who in ('read', 'append', 'write', 'several', None):
        html = root(who)
        assert [heading.text for heading in html.all('h2')] == ['Files']
        assert not html.all('svg')
        assert 'up for' not in html.text and '2.4' not in html.text
        assert ('You are %s.' % who in html.text) == (who is not None)


def test_who_may_read_nothing_sees_no_page(tmp_path: Path) -> None:
    with guarded_server(tmp_path, RULES) as live:
        with Peer(live.port) as peer:
            answers = [ask(peer, target, None) for target in ('/', '/browse', '/browse/in?q=x')]

    assert [answer.status for answer in answers] == [401] * 3
    assert all('Basic' in answer.headers['www-authenticate'] for answer in answers)
