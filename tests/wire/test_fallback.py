"""Promises 56 to 59: a server that sends clients to another one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.old_tree import OldTree
from tests.support import LiveServer
from tests.wire.raw import Peer, delete, get, head, http_date, listing, put, put_gzip


@pytest.fixture(scope='module')
def old(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OldTree]:
    with OldTree(tmp_path_factory.mktemp('old')) as tree:
        yield tree


@pytest.fixture(scope='module')
def live(tmp_path_factory: pytest.TempPathFactory, old: OldTree) -> Iterator[LiveServer]:
    store = tmp_path_factory.mktemp('falling') / 'store'
    with LiveServer(store, '--fallback-url', old.url) as server:
        yield server


@pytest.fixture
def falling(live: LiveServer) -> Iterator[Peer]:
    """A connection to a server with a fallback."""
    with Peer(live.port) as connection:
        yield connection


def test_promise_58_a_put_after_a_delete_is_refused(falling: Peer, name: str) -> None:
    falling.ask(put(name, version=1000))
    falling.ask(delete(name, version=2000))

    answer = falling.ask(put(name, b'copy', 1500, if_unmodified_since=http_date(1499)))
    assert answer.status == 412
    assert answer.line == 'the file was deleted since'
    assert falling.ask(get(name)).status == 404
    assert falling.ask(put(name, b'new', 500)).status == 200
    answer = falling.ask(put(name, b'copy', 1500, if_unmodified_since=http_date(1499)))
    assert answer.status == 412
    assert falling.ask(get(name)).body == b'new'


def test_promise_56_a_name_that_is_not_there_is_redirected(
    falling: Peer, old: OldTree, name: str
) -> None:
    for ask in (get, head):
        answer = falling.ask(ask(name + '/a b%ż'))

        assert answer.status == 307
        assert answer.headers['location'] == '%s/files/%s/a%%20b%%25%%C5%%BC' % (old.url, name)
        assert answer.body == b''


def test_promise_56_a_name_that_was_deleted_is_not_redirected(falling: Peer, name: str) -> None:
    falling.ask(put(name))
    assert falling.ask(get(name)).status == 200
    falling.ask(delete(name))

    assert falling.ask(get(name)).status == 404
    assert falling.ask(head(name)).status == 404
    falling.ask(put_gzip(name, b'again'))
    assert falling.ask(get(name)).body == b'again'


def test_promise_56_names_that_are_none_are_refused_as_ever(falling: Peer) -> None:
    assert falling.ask(get('a//b')).status == 400
    assert falling.ask(get('../a')).status == 400


def test_promise_57_a_delete_goes_by_the_version_in_the_fallback(
    falling: Peer, old: OldTree, name: str
) -> None:
    old.put(name, 1000, b'old')
    kept = falling.ask(delete(name, version=999))

    assert (kept.status, kept.headers['last-modified']) == (200, http_date(1000))
    assert falling.ask(get(name)).status == 307
    gone = falling.ask(delete(name, version=1000))
    assert (gone.status, 'last-modified' in gone.headers) == (200, False)
    assert falling.ask(get(name)).status == 404
    assert falling.ask(delete(name, version=1000)).status == 404


def test_promise_57_a_delete_may_depend_on_the_state_of_the_file(falling: Peer, name: str) -> None:
    falling.ask(put(name, version=1000))
    refused = falling.ask(delete(name, version=2000, if_unmodified_since=http_date(999)))
    gone = falling.ask(delete(name, version=2000, if_unmodified_since=http_date(1000)))

    assert (refused.status, gone.status) == (412, 200)
    assert falling.ask(get(name)).status == 404
    falling.ask(put(name, version=3000))
    later = delete(name, version=3000, if_unmodified_since=http_date(1999))
    assert falling.ask(later).line == 'the file was deleted since'
    tagged = delete(name, version=3000, if_match=falling.ask(get(name)).headers['etag'])
    assert falling.ask(tagged).status == 200


def test_promise_57_a_delete_of_what_is_nowhere_is_404(falling: Peer, name: str) -> None:
    assert falling.ask(delete(name)).status == 404
    assert falling.ask(get(name)).status == 307


def test_promise_57_a_delete_waits_for_a_fallback_that_answers(tmp_path, name: str) -> None:
    url = 'http://127.0.0.1:1'
    with LiveServer(tmp_path / 'store', '--fallback-url', url) as live, Peer(live.port) as peer:
        answer = peer.ask(delete(name))

        assert answer.status == 503
        assert answer.line == 'the fallback cannot be asked; try again'
        assert peer.ask(get(name)).status == 307


def test_promise_59_lists_and_the_fallback_stay_as_they_are(
    falling: Peer, old: OldTree, name: str
) -> None:
    old.put(name + '/old', 1000, b'old')
    falling.ask(put(name + '/new', b'new', version=2000))
    falling.ask(delete(name + '/old', version=2000))

    assert falling.ask(listing(name)).body == b'new\n'
    assert (old.root / 'files' / name / 'old').read_bytes() == b'old'
    assert not (old.root / 'files' / name / 'new').exists()
