"""What an upload says of itself is checked; what is not true changes nothing."""

from __future__ import annotations

import hashlib
import os
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import LiveServer
from tests.trust import by_form
from tests.trust.books import check_books
from tests.trust.client import Client
from tests.trust.contents import content
from tests.trust.lies import tell_lies
from tests.wire.raw import dated


@pytest.fixture(scope='module')
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    directory: Path = tmp_path_factory.mktemp('lies')
    with LiveServer(directory / 'store') as live:
        yield live
        check_books(live)


def test_a_lie_changes_nothing_and_the_truth_stays_possible(shared: LiveServer) -> None:
    tally = tell_lies(shared.port)

    print(tally)
    assert tally.is_clean, tally


@pytest.mark.parametrize(
    'path',
    [
        '../../../../outside',
        '/outside',
        '..%2f..%2foutside',
        'ab/../../../outside',
        '\\..\\outside',
    ],
)
def test_a_digest_is_never_a_path(shared: LiveServer, path: str) -> None:
    root = shared.base_dir.parent
    before = _files(root)
    with Client(shared.port) as client:
        for digest in (path, path.rjust(64, 'a'), path.ljust(64, '/')):
            answer = client.ask(
                'PUT',
                dated('/files/path', 1),
                content('path').gzipped,
                Content_Encoding='gzip',
                SHA256_Checksum=digest,
            )
            assert answer.status == 400

    assert _files(root) == before


def test_what_is_true_in_another_spelling_is_taken(shared: LiveServer) -> None:
    what = content('spelling', 2000)
    halves = content('first').gzipped + content('second').gzipped
    with Client(shared.port) as client:
        for coding, body, digest, plain in (
            ('GZIP', what.gzipped, what.digest.upper(), what.plain),
            ('x-gzip', what.gzipped, what.digest, what.plain),
            ('gzip', halves, None, content('first').plain + content('second').plain),
            ('identity', what.plain, what.digest, what.plain),
        ):
            fields = {'Content_Encoding': coding}
            if digest:
                fields['SHA256_Checksum'] = digest
            target = dated('/files/spelling/' + coding, 1)
            assert client.ask('PUT', target, body, **fields).status == 200
            answer = client.get_plain('spelling/' + coding)
            assert answer.body == plain
            assert answer.headers['sha256-checksum'] == hashlib.sha256(plain).hexdigest()


def test_a_changed_bit_never_passes(shared: LiveServer) -> None:
    """Any bit of a gzip stream: it is refused, or it made no difference."""
    what = content('bits', 60)
    fields = {'Content_Encoding': 'gzip'}
    with Client(shared.port) as client:
        for bit in range(0, len(what.gzipped) * 8, by_form(3, 1)):
            body = bytearray(what.gzipped)
            body[bit // 8] ^= 1 << bit % 8
            name = 'bits/%d' % bit
            status = client.ask('PUT', dated('/files/' + name, 1), bytes(body), **fields).status
            try:
                makes_no_difference = zlib.decompress(body, 31) == what.plain
            except zlib.error:
                makes_no_difference = False
            assert status == (200 if makes_no_difference else 400), bit
            if status == 200:
                assert client.get_plain(name).body == what.plain


def _files(folder: Path) -> set[str]:
    return {
        os.path.join(where, name)
        for where, _, names in os.walk(folder)
        for name in names
        if not name.startswith(('log.', 'store.log', '__db'))
    }
