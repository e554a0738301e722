"""Files of one server on their way to another."""

from __future__ import annotations

import gzip
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from filetracker.protocol import MAX_VERSION, MIN_VERSION
from tests.client.raw_server import RawServer, answer
from tests.migration.stores import State, migrate, put, raw, served, started
from tests.old_tree import OldTree
from tests.support import LiveServer

STATE: State = {
    'a': (MIN_VERSION, b'old'),
    'b/c/d': (MAX_VERSION, b'of the far future'),
    'empty': (5, b''),
    'żółć/a b%41?#+;~': (-5, b'odd'),
    'no client asks for this@5': (5, b'but it is a name'),
    'large': (6, random.Random(1).randbytes(3_000_000)),
    'text': (7, b'again and again\n' * 100_000),
}


@pytest.fixture(scope='module')
def source(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """A server that has the files."""
    with LiveServer(tmp_path_factory.mktemp('source') / 'store') as live:
        put(live.url, STATE)
        yield live


def test_all_files_of_a_server_are_copied_with_their_versions(
    source: LiveServer, server: LiveServer, capsys
):
    ended = migrate(capsys, source.url + '/', server.url)

    assert ended == (0, ['%d files copied, 0 already there' % len(STATE)], [])
    assert served(server.url) == STATE
    again = migrate(capsys, source.url, server.url)
    assert again == (0, ['0 files copied, %d already there' % len(STATE)], [])


def test_packed_bytes_are_passed_on_as_they_are(source: LiveServer, server: LiveServer, capsys):
    migrate(capsys, source.url, server.url)

    for name in STATE:
        assert raw(server.url, name) == raw(source.url, name)


def test_what_is_newer_at_the_target_stays(source: LiveServer, server: LiveServer, capsys):
    put(server.url, {'a': (MIN_VERSION + 1, b'newer'), 'text': (6, b'older'), 'other': (1, b'x')})

    assert migrate(capsys, source.url, server.url).status == 0
    expected = {**STATE, 'a': (MIN_VERSION + 1, b'newer'), 'other': (1, b'x')}
    assert served(server.url) == expected


def test_a_damaged_file_is_told_and_the_rest_is_copied(tmp_path: Path, server: LiveServer, capsys):
    with LiveServer(tmp_path / 'source') as source:
        put(source.url, {'good': (5, b'good'), 'bad': (5, b'bad' * 100)})
        (blob,) = {(source.links / 'bad').resolve()}
        blob.chmod(0o600)
        blob.write_bytes(blob.read_bytes()[:-9] + b'x' * 9)
        ended = migrate(capsys, source.url, server.url)

    assert ended.status == 1
    assert ended.err == [
        'bad: HTTP/500: the stored content of bad is damaged',
        'filetracker-migrate: 1 files were not copied',
    ]
    assert served(server.url) == {'good': (5, b'good')}


def test_a_server_that_lies_about_the_digest_is_found_out(server: LiveServer, capsys):
    lie = _answer_of(b'content', sha256_checksum='0' * 64)
    with RawServer(answer(body=b'a\n'), lie) as source:
        ended = migrate(capsys, source.url, server.url)

    assert ended.status == 1
    assert ended.err[0].startswith('a: HTTP/400: the content does not have the announced SHA-256')
    assert served(server.url) == {}


def test_a_source_that_breaks_off_stores_nothing(server: LiveServer, capsys):
    whole = _answer_of(b'content')
    with RawServer(answer(body=b'a\n'), whole[:-5], whole[:-5], whole) as source:
        ended = migrate(capsys, source.url, server.url)

    # It was tried again.
    assert ended == (0, ['1 files copied, 0 already there'], [])
    assert served(server.url) == {'a': (5, b'content')}


def test_a_server_that_tells_no_digest_will_do(server: LiveServer, capsys):
    with RawServer(answer(body=b'a\n'), _answer_of(b'content')) as source:
        assert migrate(capsys, source.url, server.url).status == 0

    assert source.requests[0].target.startswith('/list?last_modified=')
    assert served(server.url) == {'a': (5, b'content')}


def test_a_server_that_takes_no_cut_off_will_do(server: LiveServer, capsys):
    listed = answer(body=b'a\n')
    with RawServer(answer('500 Oops'), listed, _answer_of(b'content')) as source:
        assert migrate(capsys, source.url, server.url).status == 0

    assert [request.target for request in source.requests][1:] == ['/list', '/files/a']


def test_names_that_the_server_has_mangled_are_restored(server: LiveServer, capsys):
    mangled = 'żół'.encode().decode('latin-1').encode()
    missing = answer('404 Not Found')
    with RawServer(answer(body=mangled + b'\n'), missing, _answer_of(b'content')) as source:
        assert migrate(capsys, source.url, server.url).status == 0

    assert source.requests[2].target == '/files/%C5%BC%C3%B3%C5%82'
    assert served(server.url) == {'żół': (5, b'content')}


def test_a_list_that_is_cut_off_is_an_error(server: LiveServer, capsys):
    with RawServer(answer(body=b'a\nb')) as source:
        url = source.url
        ended = migrate(capsys, url, server.url)

    assert ended.status == 1
    assert ended.err == ['filetracker-migrate: the list of files is cut off: %s/list' % url]


def test_a_server_without_a_list_is_one_line_and_1(server: LiveServer, tmp_path: Path, capsys):
    with OldTree(tmp_path) as old:
        ended = migrate(capsys, old.url, server.url)

    assert ended.status == 1
    assert ended.err == [
        'filetracker-migrate: %s does not list its files: HTTP/404; '
        'if it is a 1.x server, give its directory' % old.url
    ]


def test_memory_stays_flat(tmp_path: Path, server: LiveServer):
    size = 100 << 20
    with LiveServer(tmp_path / 'source') as source:
        # Not compressed, but in gzip: so many bytes are stored and sent.
        packed = gzip.compress(bytes(size), compresslevel=0)
        put(source.url, {'large': (5, packed)}, {'Content-Encoding': 'gzip'})
        peak = 0
        with started(source.url, server.url) as process:
            while process.poll() is None:
                peak = max(peak, _resident(process.pid))
    said = requests.head(server.url + '/files/large')

    assert process.returncode == 0
    assert said.headers['Logical-Size'] == str(size)
    assert 0 < peak < 80 << 20


def _resident(pid: int) -> int:
    try:
        with open('/proc/%d/statm' % pid) as file:
            return int(file.read().split()[1]) * 4096
    except (FileNotFoundError, ProcessLookupError):
        return 0


def _answer_of(content: bytes, **headers: str) -> bytes:
    """Returns a file as filetracker 2.3.3 gives it."""
    return answer(
        body=gzip.compress(content),
        content_encoding='gzip',
        last_modified='Thu, 01 Jan 1970 00:00:05 -0000',
        logical_size=len(content),
        **headers,
    )
