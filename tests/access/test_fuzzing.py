"""Whatever comes in: who may not read sees nothing, and who may not write changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import unquote_to_bytes

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from tests.access.rules import RULES, bearer, guarded_server
from tests.support import LiveServer
from tests.trust import SOAK, by_form
from tests.trust.conversation import converse, statuses
from tests.trust.fuzz import paths, requests
from tests.wire.raw import Peer, dated, get, put, request

#: What somebody without credentials is told, if it is not that they are needed.
_TOLD = {400, 401, 408, 411, 413, 414, 417, 431, 501, 505}
_SECRET = b'nobody is to see this'

pytestmark = pytest.mark.timeout(3600 if SOAK else 120)
fuzzed = settings(
    max_examples=by_form(100, 20_000),
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(scope='module')
def closed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """A server where nobody may do anything without credentials, with the files of the seeds."""
    folder = tmp_path_factory.mktemp('closed')
    admin = {'authorization': bearer('admin')}
    names = ['fuzz/a', 'fuzz/b', 'fuzz/c', 'kept']
    with guarded_server(folder, RULES) as live:
        owner = live.owner_pid()
        with Peer(live.port) as peer:
            for name in names:
                assert peer.ask(put(name, _SECRET, 10**9, **admin)).status == 200
        yield live
        assert live.owner_pid() == owner, 'the server has died'
        with Peer(live.port) as peer:
            for name in names:
                answer = peer.ask(get(name, **admin))
                assert (answer.status, answer.body) == (200, _SECRET)
            listed = peer.ask(request('GET', '/list', **admin)).body.decode().splitlines()
            assert [name for name in listed if not (name + '/').startswith('in/')] == names


@fuzzed
@given(said=requests())
def test_nobody_without_credentials_sees_anything(closed: LiveServer, said: bytes) -> None:
    heard = converse(closed.port, said)

    for status in statuses(heard):
        assert status in _TOLD or b'protocol_versions' in heard or b'/version' in said, heard
    assert _SECRET not in heard
    assert b'W/"' not in heard and b'Logical-Size' not in heard


@fuzzed
@given(said=requests(), who=st.sampled_from(['read', 'append', 'write']))
def test_no_credentials_reach_beyond_their_prefix(
    closed: LiveServer, said: bytes, who: str
) -> None:
    heard = converse(
        closed.port,
        said.replace(b'Host:', b'Authorization: %b\r\nHost:' % bearer(who).encode()).replace(
            b'host:', b'Authorization: %b\r\nhost:' % bearer(who).encode()
        ),
    )

    assert all(status < 500 or status in (501, 505) for status in statuses(heard)), heard
    assert _SECRET not in heard


@fuzzed
@given(path=paths(), who=st.sampled_from(['append', 'write']))
def test_a_name_is_put_below_the_prefix_alone(closed: LiveServer, path: str, who: str) -> None:
    # The prefix itself belongs to it.
    assume((unquote_to_bytes(path).strip(b'/') + b'/')[:3] != b'in/')
    mine = {'authorization': bearer(who)}
    with Peer(closed.port) as peer:
        anywhere = peer.ask(request('PUT', dated('/files/' + path, 1), b'x', **mine)).status
    with Peer(closed.port) as peer:
        below = peer.ask(request('PUT', dated('/files/in/' + path, 1), b'x', **mine)).status

    assert anywhere in (400, 403, 414)
    assert below in (200, 400, 403, 409, 414)
