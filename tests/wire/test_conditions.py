"""Promises 53 and 54: changes that depend on the state of a file."""

from __future__ import annotations

import threading

import pytest

from tests.support import LiveServer
from tests.wire.raw import Peer, dated, digest, get, http_date, put, request

OLD = digest(b'old')
_WRITERS = 8


@pytest.mark.parametrize(
    ('conditions', 'may_create', 'may_change'),
    [
        ({'if_none_match': '*'}, True, False),
        ({'if_none_match': '"%s"' % OLD}, True, False),
        ({'if_none_match': '"other", W/"%s"' % OLD}, True, False),
        ({'if_none_match': '"other"'}, True, True),
        ({'if_match': '*'}, False, True),
        ({'if_match': '"other", "%s"' % OLD}, False, True),
        ({'if_match': 'W/"%s"' % OLD}, False, False),
        ({'if_match': '"other"'}, False, False),
        ({'if_match': '"other"', 'if_unmodified_since': http_date(1000)}, False, False),
        ({'if_match': '*', 'if_none_match': '"%s"' % OLD}, False, False),
        ({'if_unmodified_since': http_date(1000)}, True, True),
        ({'if_unmodified_since': http_date(999)}, True, False),
        ({'if_unmodified_since': 'some day'}, True, True),
        ({'if_modified_since': http_date(1000)}, True, True),
    ],
)
def test_promise_53_a_change_is_made_only_where_its_conditions_hold(
    shared: LiveServer,
    peer: Peer,
    name: str,
    conditions: dict[str, str],
    may_create: bool,
    may_change: bool,
) -> None:
    def status(content: bytes, version: int = 1001) -> int:
        with Peer(shared.port) as another:
            answer = another.ask(put(name, content, version, **conditions))
        assert answer.status == 200 or answer.line
        return answer.status

    def delete() -> int:
        target = dated('/files/' + name, 1001)
        return peer.ask(request('DELETE', target, **conditions)).status

    assert status(b'new') == (200 if may_create else 412)
    assert peer.ask(get(name)).status == (200 if may_create else 404)
    peer.ask(request('DELETE', dated('/files/' + name, 1001)))
    assert delete() == (404 if may_create else 412)
    for content in (b'new', bytes(1_000_000)):
        for version in (999, 1001):
            peer.ask(put(name, b'old', 1000))
            assert status(content, version) == (200 if may_change else 412)
            is_new = may_change and version == 1001
            assert peer.ask(get(name)).body == (content if is_new else b'old')
            peer.ask(request('DELETE', dated('/files/' + name, 1001)))
    peer.ask(put(name, b'old', 1000))
    assert delete() == (200 if may_change else 412)
    assert peer.ask(get(name)).status == (404 if may_change else 200)


def test_promise_53_one_of_those_who_create_a_name_at_once_does(
    shared: LiveServer, name: str
) -> None:
    for round_ in range(20):
        statuses = []
        together = threading.Barrier(_WRITERS)
        target = '%s/%d' % (name, round_)

        def create(number: int, target: str, together: threading.Barrier, said: list[int]) -> None:
            with Peer(shared.port) as peer:
                sent = put(target, b'%d' % number, 1000 + number, if_none_match='*')
                peer.send(sent[:-1])
                together.wait()
                said.append(peer.ask(sent[-1:]).status)

        threads = [
            threading.Thread(target=create, args=(number, target, together, statuses))
            for number in range(_WRITERS)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert sorted(statuses) == [200] + [412] * (_WRITERS - 1)


def test_promise_53_a_condition_is_looked_at_before_the_body_comes(peer: Peer, name: str) -> None:
    peer.ask(put(name))
    sent = put(name, bytes(1000), 2000, if_none_match='*', expect='100-continue')

    assert peer.ask(sent[:-1000]).status == 412


@pytest.mark.parametrize('tags', ['', 'abc', '"abc', '"a" b', '* "a"', 'W/abc', ', ,'])
@pytest.mark.parametrize('field', ['if_match', 'if_none_match'])
def test_promise_54_conditions_that_cannot_be_read_are_refused(
    peer: Peer, name: str, field: str, tags: str
) -> None:
    for method in ('PUT', 'DELETE'):
        answer = peer.ask(request(method, dated('/files/' + name, 1000), **{field: tags}))

        assert answer.status == 400
        assert answer.line
    assert peer.ask(get(name)).status == 404
