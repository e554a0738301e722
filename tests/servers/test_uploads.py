"""An upload on its way from the connection to the store."""

from __future__ import annotations

import gzip
import io
from typing import Any

import pytest

from filetracker.errors import BadUpload
from filetracker.servers.storage import Upload
from filetracker.servers.uploads import Incoming, begin_writing, written


def upload() -> Upload:
    return Upload(io.BytesIO(), True, None, None, None, lambda: None)


class _Arriving(io.BytesIO):
    """A body of which all has arrived."""

    def read_now(self, least: int, most: int) -> bytes:
        return self.read(min(most, 1000))


def incoming(body: bytes) -> Incoming:
    environ: dict[str, Any] = {'wsgi.input': _Arriving(body), 'CONTENT_LENGTH': str(len(body))}
    return Incoming(environ)


def test_what_inflates_to_nothing_is_a_step_for_each_piece() -> None:
    empty = gzip.compress(b'') * 500
    arriving = incoming(empty)

    assert len(list(written(upload(), arriving, arriving.now()))) >= len(empty) / 1000
    assert arriving.ended


def test_all_that_has_arrived_is_written_in_one_go() -> None:
    plain = bytes(range(256)) * 100
    body = gzip.compress(plain)
    arriving = incoming(body * 20)
    some = upload()

    for _ in written(some, arriving, arriving.now()):
        pass

    assert arriving.ended and some.size == 20 * len(plain)


def test_an_upload_whose_first_piece_is_refused_is_closed() -> None:
    some = upload()

    with pytest.raises(BadUpload):
        begin_writing(lambda: some, incoming(b''), b'no gzip')

    assert some.file.closed
