"""What a client makes of answers that do not hold together, and of those that do."""

from __future__ import annotations

import gzip
import hashlib
import os
import socket
import struct

import pytest

from filetracker.client.client import Client
from filetracker.client.remote_data_store import RemoteDataStore
from filetracker.errors import BadAnswer, ConnectionFailed, NotFound, ServerError
from tests.client.raw_server import RawServer, answer, file_answer

CONTENT = os.urandom(700_000)
PACKED = gzip.compress(CONTENT)
DATE = 'Thu, 01 Jan 1970 00:00:05 GMT'


def cut(sent, size):
    """An answer with no more than ``size`` bytes of its body."""
    return sent[: sent.index(b'\r\n\r\n') + 4 + size]


def chunked(body, size=100_000):
    parts = [body[start : start + size] for start in range(0, len(body), size)]
    return b''.join(b'%x\r\n%s\r\n' % (len(part), part) for part in [*parts, b''])


def with_body(body, **headers):
    return answer(body=body, last_modified=DATE, **headers)


def dies_after(sent):
    """Sends some of an answer, then resets the connection."""

    def act(connection, request):
        connection.sendall(sent)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
        connection.close()

    return act


def flipped(content, place):
    return content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]


GOOD = file_answer(CONTENT)
BAD_CRC = with_body(flipped(PACKED, len(PACKED) - 8), content_encoding='gzip')
BAD_LENGTH = with_body(flipped(PACKED, len(PACKED) - 1), content_encoding='gzip')

BROKEN = {
    'ends before the body': (cut(GOOD, 0), BadAnswer),
    'ends within the gzip header': (cut(GOOD, 5), BadAnswer),
    'ends early': (cut(GOOD, 300_000), BadAnswer),
    'ends one byte early': (cut(GOOD, len(PACKED) - 1), BadAnswer),
    'plain, ends early': (cut(with_body(CONTENT), 300_000), BadAnswer),
    'chunks end early': (
        with_body(
            chunked(PACKED)[:-5],
            content_encoding='gzip',
            content_length=None,
            transfer_encoding='chunked',
        ),
        BadAnswer,
    ),
    'plain chunks end early': (
        with_body(chunked(CONTENT)[:-7], content_length=None, transfer_encoding='chunked'),
        BadAnswer,
    ),
    'ends early, without a length': (cut(file_answer(CONTENT, content_length=None), 99), BadAnswer),
    'nothing tells where it ends': (with_body(CONTENT, content_length=None), BadAnswer),
    'truncated gzip': (with_body(PACKED[:-9], content_encoding='gzip'), BadAnswer),
    'gzip without its trailer': (with_body(PACKED[:-8], content_encoding='gzip'), BadAnswer),
    'empty gzip': (with_body(b'', content_encoding='gzip'), BadAnswer),
    'wrong checksum in the trailer': (BAD_CRC, BadAnswer),
    'wrong length in the trailer': (BAD_LENGTH, BadAnswer),
    'no gzip': (with_body(CONTENT, content_encoding='gzip'), BadAnswer),
    'something behind gzip': (with_body(PACKED + b'more', content_encoding='gzip'), BadAnswer),
    'unknown encoding': (with_body(CONTENT, content_encoding='br'), BadAnswer),
    'size too small': (file_answer(CONTENT, logical_size=len(CONTENT) - 1), BadAnswer),
    'size too large': (file_answer(CONTENT, logical_size=len(CONTENT) + 1), BadAnswer),
    'size that is no number': (file_answer(CONTENT, logical_size='many'), BadAnswer),
    'plain, wrong size': (with_body(CONTENT, logical_size=5), BadAnswer),
    'wrong digest': (file_answer(CONTENT, sha256_checksum='0' * 64), BadAnswer),
    'digest that is none': (file_answer(CONTENT, sha256_checksum='abc'), BadAnswer),
    'plain, wrong digest': (with_body(CONTENT, sha256_checksum='0' * 64), BadAnswer),
    'another content': (
        file_answer(CONTENT[:-1] + b'!', sha256_checksum='%064x' % 5),
        BadAnswer,
    ),
    'no date': (file_answer(CONTENT, last_modified=None), BadAnswer),
    'garbage for a date': (file_answer(CONTENT, last_modified='yesterday'), BadAnswer),
    'a number for a date': (file_answer(CONTENT, last_modified='1234567890'), BadAnswer),
    'garbage for a length': (
        file_answer(CONTENT, content_length='long'),
        (BadAnswer, ConnectionFailed),
    ),
    'dies at once': (dies_after(b''), ConnectionFailed),
    'dies within the header': (dies_after(b'HTTP/1.1 200 OK\r\nLast-Mod'), ConnectionFailed),
    'dies midway': (dies_after(cut(GOOD, 300_000)), ConnectionFailed),
    'no HTTP': (b'hello\r\n\r\n', ConnectionFailed),
    'closes without a word': (b'', ConnectionFailed),
    'internal error': (answer('500 Oops', b'what'), ServerError),
    'no content': (answer('204 No Content', content_length=None, last_modified=DATE), ServerError),
    'part of it': (file_answer(CONTENT).replace(b'200 OK', b'206 Partial'), ServerError),
    'redirects for ever': (answer('307 Elsewhere', location='/files/a'), BadAnswer),
    'redirects to nowhere': (answer('307 Elsewhere'), ServerError),
    'not there': (answer('404 Not Found', x_exception='no such file: a'), NotFound),
}


@pytest.fixture(params=BROKEN)
def broken(request):
    """A server whose answer is broken, and what that is called."""
    sent, error = BROKEN[request.param]
    with RawServer(sent) as server:
        yield server, error


def check(caught):
    """Errors are of filetracker, in one line."""
    assert type(caught.value).__module__ == 'filetracker.errors'
    assert str(caught.value) and '\n' not in str(caught.value)


def files_below(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob('*') if path.is_file())


def test_a_broken_answer_leaves_the_target_as_it_was(broken, tmp_path):
    server, error = broken
    folder = tmp_path / 'folder'
    folder.mkdir()
    (folder / 'target').write_bytes(b'old')

    with pytest.raises(error) as caught:
        RemoteDataStore(server.url).get_file('/a', folder / 'target')
    check(caught)
    with pytest.raises(error):
        RemoteDataStore(server.url).get_file('/a', folder / 'new')
    assert (folder / 'target').read_bytes() == b'old'
    assert os.listdir(folder) == ['target']


def test_a_broken_answer_leaves_the_cache_as_it_was(broken, tmp_path):
    server, error = broken
    client = Client(remote_url=server.url, cache_dir=str(tmp_path / 'cache'))
    (tmp_path / 'target').write_bytes(b'old')

    with pytest.raises(error):
        client.get_file('/a', tmp_path / 'target')
    with pytest.raises(error):
        client.get_file('/a@5', tmp_path / 'target')
    with pytest.raises(error):
        client.get_stream('/a@5', serve_from_cache=True)[0].read()
    assert (tmp_path / 'target').read_bytes() == b'old'
    assert files_below(tmp_path) == ['cache/locks/tree.lock', 'target']


def test_a_broken_answer_leaves_an_entry_as_it_was(broken, tmp_path):
    server, error = broken
    with RawServer(file_answer(b'old')) as good:
        Client(remote_url=good.url, cache_dir=str(tmp_path)).get_file('/a', tmp_path / 'x')
    client = Client(remote_url=server.url, cache_dir=str(tmp_path))

    with pytest.raises(error):
        client.get_file('/a', tmp_path / 'x')
    with pytest.raises(error):
        client.get_file('/a@5', tmp_path / 'x', force_refresh=True)
    assert client.get_file('/a@5', tmp_path / 'y') == '/a@5'
    assert (tmp_path / 'y').read_bytes() == b'old'


def test_a_stream_of_a_broken_answer_never_looks_complete(broken):
    server, error = broken
    received = []

    def read():
        stream, _ = RemoteDataStore(server.url).get_stream('/a')
        with stream:
            try:
                while piece := stream.read(50_000):
                    received.append(piece)
            except error:
                # Who reads on must not take that for the end.
                stream.read(1)

    with pytest.raises(error) as caught:
        read()
    check(caught)
    assert len(b''.join(received)) < len(CONTENT)


GOOD_ANSWERS = {
    'as ours': GOOD,
    'gzip and a date': with_body(PACKED, content_encoding='gzip'),
    'x-gzip': with_body(PACKED, content_encoding='X-GZip'),
    'two members': with_body(
        gzip.compress(CONTENT[:9]) + gzip.compress(CONTENT[9:]), content_encoding='gzip'
    ),
    'plain': with_body(CONTENT),
    'identity': with_body(CONTENT, content_encoding='identity', logical_size=len(CONTENT)),
    'chunked': with_body(
        chunked(PACKED), content_encoding='gzip', content_length=None, transfer_encoding='chunked'
    ),
    'plain and chunked': with_body(
        chunked(CONTENT), content_length=None, transfer_encoding='chunked'
    ),
    'gzip until it closes': file_answer(CONTENT, content_length=None),
    'plain until it closes, with a size': with_body(
        CONTENT, content_length=None, logical_size=len(CONTENT)
    ),
    'digest in capitals': file_answer(
        CONTENT, sha256_checksum=hashlib.sha256(CONTENT).hexdigest().upper()
    ),
    'date of the original': file_answer(CONTENT, last_modified='Thu, 01 Jan 1970 00:00:05 -0000'),
}


@pytest.mark.parametrize('name', GOOD_ANSWERS)
def test_a_sound_answer_is_taken_in_every_form(name, tmp_path):
    with RawServer(GOOD_ANSWERS[name]) as server:
        store = RemoteDataStore(server.url)

        assert store.get_file('/a', tmp_path / 'out') == '/a@5'
        assert (tmp_path / 'out').read_bytes() == CONTENT
        with store.get_stream('/a@5')[0] as stream:
            assert stream.read() == CONTENT


@pytest.mark.parametrize('read', [0, 1, 300_000, len(CONTENT)])
def test_what_is_left_of_a_stream_comes_in_pieces(read):
    with RawServer(GOOD) as server, RemoteDataStore(server.url).get_stream('/a')[0] as stream:
        assert stream.read(read) == CONTENT[:read]

        assert b''.join(stream.pieces()) == CONTENT[read:]
        assert stream.read() == b''


def test_a_stream_from_a_server_has_no_name_and_cannot_seek():
    with RawServer(GOOD) as server:
        stream, _ = RemoteDataStore(server.url).get_stream('/a')

        with stream:
            assert not hasattr(stream, 'name')
            assert not stream.seekable()


def test_a_redirection_is_followed(tmp_path):
    with RawServer(GOOD) as fallback:
        location = fallback.url + '/files/a%20b'
        with RawServer(answer('307 Temporary Redirect', location=location)) as server:
            store = RemoteDataStore(server.url)

            assert store.get_file('/a b', tmp_path / 'out') == '/a b@5'
            assert store.file_version('/a b') == 5
            assert (tmp_path / 'out').read_bytes() == CONTENT
    assert [request.method for request in fallback.requests] == ['GET', 'HEAD']
    assert fallback.requests[0].target == '/files/a%20b'


def test_closing_a_stream_early_leaves_the_store_usable():
    with RawServer(GOOD) as server:
        store = RemoteDataStore(server.url)

        with store.get_stream('/a')[0] as stream:
            assert stream.read(10) == CONTENT[:10]
        with store.get_stream('/a')[0] as stream:
            assert stream.read() == CONTENT


def test_a_small_file_is_checked_before_its_first_byte_is_seen():
    with RawServer(file_answer(b'small', sha256_checksum='0' * 64)) as server:
        stream, _ = RemoteDataStore(server.url).get_stream('/a')

        with stream, pytest.raises(BadAnswer, match='digest'):
            stream.read(1)
