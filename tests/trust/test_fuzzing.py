"""Whatever comes in, an answer that makes sense goes out, and the books balance in the end."""

from __future__ import annotations

import gzip
import hashlib
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote_to_bytes

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support import LiveServer
from tests.trust import SOAK, by_form
from tests.trust.books import check_books
from tests.trust.client import Client
from tests.trust.contents import content
from tests.trust.conversation import converse, statuses
from tests.trust.fuzz import SEEDS, paths, requests, streams
from tests.wire.raw import Peer, dated, get, listing, request

#: What a server may say of itself; other faults of the server are its fault.
_ALLOWED = {501, 505, 507}

pytestmark = [
    pytest.mark.timeout(3600 if SOAK else 120),
    pytest.mark.filterwarnings('ignore:Generating overly large repr'),
]

fuzzed = settings(
    max_examples=by_form(500, 20_000),
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(scope='module')
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    directory: Path = tmp_path_factory.mktemp('fuzzing')
    with LiveServer(directory / 'store') as live:
        with Client(live.port) as client:
            client.put('kept', 1, content('kept'))
        owner = live.owner_pid()
        yield live
        assert live.owner_pid() == owner, 'the server has died'
        with Client(live.port) as client:
            assert client.get('kept').body == content('kept').gzipped
        check_books(live)


@fuzzed
@given(said=requests())
def test_changed_requests_are_answered_with_sense(shared: LiveServer, said: bytes) -> None:
    _check(shared, converse(shared.port, said))


@fuzzed
@given(said=st.binary(max_size=400))
def test_any_bytes_are_answered_with_sense(shared: LiveServer, said: bytes) -> None:
    _check(shared, converse(shared.port, said))


@fuzzed
@given(stream=streams())
def test_a_changed_stream_is_stored_as_a_whole_or_refused(
    shared: LiveServer, stream: bytes
) -> None:
    try:
        plain = gzip.decompress(stream)
    except (OSError, EOFError, zlib.error):
        plain = None
    with Client(shared.port) as client:
        client.delete('stream', 10**6)
        target = dated('/files/stream', 1)
        status = client.ask('PUT', target, stream, Content_Encoding='gzip').status

        if status == 200:
            answer = client.get_plain('stream')
            assert answer.body == plain
            assert answer.headers['sha256-checksum'] == hashlib.sha256(plain).hexdigest()
        else:
            assert status == 400
            assert client.get('stream').status == 404


@fuzzed
@given(path=paths())
def test_a_name_is_taken_and_comes_back_or_is_refused(shared: LiveServer, path: str) -> None:
    with Peer(shared.port) as peer:
        stored = peer.ask(request('PUT', dated('/files/' + path, 1), b'named'))
    with Peer(shared.port) as peer:
        answer = peer.ask(request('GET', '/files/' + path))
        if stored.status != 200:
            assert stored.status in (400, 409, 414)
            assert stored.line
            assert answer.status in ((404,) if stored.status == 409 else (400, 414))
            return
        assert (answer.status, answer.body) == (200, b'named')
        name = unquote_to_bytes(path).lstrip(b'/').removesuffix(b'/')
        assert name in peer.ask(listing()).body.split(b'\n')
        assert peer.ask(request('DELETE', dated('/files/' + path, 1))).status == 200
        assert peer.ask(request('GET', '/files/' + path)).status == 404


@pytest.mark.parametrize(
    'said',
    [seed for seed in SEEDS if not seed.startswith(b'DELETE')],
    ids=lambda said: str(said[:20]),
)
def test_in_which_parts_a_request_comes_makes_no_difference(
    shared: LiveServer, said: bytes
) -> None:
    def answers(sends: list[bytes]) -> list[tuple[int, bytes]]:
        with Peer(shared.port) as peer:
            for part in sends:
                peer.send(part)
            peer.send(get('kept', connection='close'))
            heard = []
            while not heard or heard[-1].status == 100:
                heard.append(peer.read(is_head=said.startswith(b'HEAD')))
            heard.append(peer.read())
            assert peer.is_ended()
            return [(answer.status, answer.body) for answer in heard]

    at_once = answers([said])

    assert answers([said[index : index + 1] for index in range(len(said))]) == at_once
    assert answers([said[:-1], said[-1:]]) == at_once


@fuzzed
@given(
    name=st.sampled_from(
        ['Range', 'If-Range', 'If-Match', 'If-None-Match', 'If-Modified-Since', 'Accept-Encoding']
    ),
    value=st.one_of(
        st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=40),
        st.from_regex(r'(bytes|BYTES|b)= ?-?[0-9]{0,20}(-[0-9]{0,20})?(,-?1)?', fullmatch=True),
        st.from_regex(r'(W/)?"?[0-9a-f]{0,3}"?(, \*)?', fullmatch=True),
        st.from_regex(r'(\*|x-)?(gzip)?(;q=[0-9.]{0,4})?(,identity;q=0)?', fullmatch=True),
    ),
)
def test_any_wish_of_a_reader_is_answered_with_bytes_of_the_file(
    shared: LiveServer, name: str, value: str
) -> None:
    kept = content('kept')
    with Peer(shared.port) as peer:
        answer = peer.ask(get('kept', **{name: value}))

    whole = kept.gzipped if answer.headers.get('content-encoding') == 'gzip' else kept.plain
    if answer.status == 200:
        assert answer.body == whole
    elif answer.status == 206:
        first, last = re.match(r'bytes (\d+)-(\d+)/', answer.headers['content-range']).groups()
        assert answer.body == whole[int(first) : int(last) + 1]
        assert answer.body
    else:
        assert answer.status in (304, 412, 416)


def _check(server: LiveServer, heard: bytes) -> None:
    for status in statuses(heard):
        assert status < 500 or status in _ALLOWED, heard
    assert b'Traceback' not in heard
    assert b'.py' not in heard
    assert bytes(server.base_dir) not in heard
