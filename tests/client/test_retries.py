"""What the client tries again, and that nobody sees it done twice."""

from __future__ import annotations

import io
import os
import socket
import struct
import threading
import time

import pytest

from filetracker.client import retrying
from filetracker.client.client import Client
from filetracker.client.remote_data_store import RemoteDataStore
from filetracker.errors import BadAnswer, ConnectionFailed, NotFound, ServerError
from tests.client.raw_server import DATE, STORED, RawServer, answer, file_answer, store_at
from tests.support import wait_for

CONTENT = os.urandom(900_000)
GOOD = file_answer(CONTENT)
LATER = 'Thu, 01 Jan 1970 00:00:09 GMT'


def dies(sent=b''):
    """Sends some of an answer, then resets the connection."""

    def act(connection, request):
        connection.sendall(sent)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
        connection.close()

    return act


def methods(server):
    return [request.method for request in server.requests]


@pytest.mark.parametrize(
    'failure',
    [b'', dies(), dies(GOOD[:50]), b'nonsense\r\n\r\n']
    + [answer(status) for status in ('502 Bad', '503 Busy', '504 Slow')],
    ids=['closed', 'reset', 'reset in the head', 'no HTTP', '502', '503', '504'],
)
def test_what_fails_in_passing_is_tried_again(failure, tmp_path):
    with RawServer(failure, failure, GOOD) as server:
        assert store_at(server).get_file('/a', tmp_path / 'out') == '/a@5'
    with RawServer(failure, GOOD) as server:
        assert store_at(server).file_version('/a') == 5
    with RawServer(failure, answer(body=b'a\n')) as server:
        assert store_at(server).list_files() == ['a']
    with RawServer(failure, answer(body=b'{"protocol_versions": [2]}'), STORED) as server:
        assert RemoteDataStore(server.url).add_stream('/a@5', io.BytesIO(b'')) == '/a@5'

    assert (tmp_path / 'out').read_bytes() == CONTENT


def test_it_is_not_tried_for_ever_and_pauses_grow(monkeypatch):
    pauses = []
    monkeypatch.setattr(time, 'sleep', pauses.append)
    monkeypatch.setattr(retrying, 'FIRST_PAUSE', 0.2)
    monkeypatch.setattr('random.uniform', lambda low, high: high)

    with RawServer(answer('503 Busy')) as server, pytest.raises(ServerError, match='HTTP/503'):
        store_at(server).file_version('/a')
    assert len(server.requests) == 5
    assert [round(pause, 3) for pause in pauses] == [0.2, 0.4, 0.8, 1.6]


def test_what_would_fail_again_is_not_tried_again():
    for failure, error in (
        (answer('404 Not Found'), NotFound),
        (answer('400 Bad Request'), ServerError),
        (answer('500 Oops'), ServerError),
        (file_answer(b'a', last_modified='x'), BadAnswer),
    ):
        with RawServer(failure) as server, pytest.raises(error):
            store_at(server).file_version('/a')
        assert len(server.requests) == 1


def test_a_silent_server_costs_its_silence_once():
    done = threading.Event()
    with RawServer(lambda *_: done.wait()) as server:
        with pytest.raises(ConnectionFailed):
            RemoteDataStore(server.url, timeout=(5, 0.3)).file_version('/a')
        wait_for(lambda: server.requests, 'the request')
        done.set()

    assert len(server.requests) == 1


@pytest.mark.parametrize(('asked', 'requests'), [('0', 2), ('31', 1), ('nonsense', 2)])
def test_a_server_may_say_when_to_come_again_within_reason(asked, requests):
    with RawServer(answer('503 Busy', retry_after=asked), answer(last_modified=DATE)) as server:
        if requests == 1:
            with pytest.raises(ServerError) as caught:
                store_at(server).file_version('/a')
            assert caught.value.retry_after == 31
        else:
            store_at(server).file_version('/a')

    assert len(server.requests) == requests


def test_a_download_goes_on_where_it_was(tmp_path):
    cuts = [200, 300_000, 600_000, 899_000]
    answers = [dies(GOOD[:cut]) for cut in cuts] + [GOOD[:500_000], GOOD]
    with RawServer(*answers) as server:
        with store_at(server).get_stream('/a')[0] as stream:
            assert stream.read(10) == CONTENT[:10]
            assert stream.read() == CONTENT[10:]

    assert methods(server) == ['GET'] * 6


@pytest.mark.parametrize(
    'changed',
    [
        file_answer(CONTENT, last_modified=LATER),
        file_answer(CONTENT[::-1]),
        file_answer(CONTENT[:5]),
    ],
    ids=['another version', 'another content', 'a shorter content'],
)
def test_a_download_does_not_go_on_with_another_file(changed):
    with RawServer(GOOD[:600_000], changed) as server:
        with store_at(server).get_stream('/a')[0] as stream:
            with pytest.raises(BadAnswer, match='changed since'):
                stream.read()


def test_a_connection_that_the_server_gave_up_is_replaced(tmp_path):
    """The server closes each connection behind an answer that said it would stay."""
    silent = answer(last_modified=DATE, connection=None)
    with RawServer(silent) as server:
        store = store_at(server)
        for _ in range(5):
            store.add_stream('/a@5', io.BytesIO(b'a'))
            store.file_version('/a')
            store.delete_file('/a@5')

    assert methods(server).count('PUT') == 5
    assert methods(server).count('DELETE') == 5


def test_a_put_that_did_not_arrive_whole_is_repeated_without_asking(tmp_path):
    (tmp_path / 'in').write_bytes(os.urandom(20_000_000))
    with RawServer(STORED) as server:
        real = server._read

        def read(file):
            server._read = real
            file.read(1000)
            # Closes the connection with the rest unread, and so resets it.
            with open(os.devnull) as nothing:
                os.dup2(nothing.fileno(), server._open[-1].fileno())
            raise ConnectionResetError

        server._read = read
        store_at(server).add_file('/a@5', tmp_path / 'in')

    assert methods(server) == ['PUT']


def test_a_put_whose_answer_was_lost_is_not_repeated_if_it_was_done():
    with RawServer(dies(), file_answer(b'mine')) as server:
        assert store_at(server).add_stream('/a@5', io.BytesIO(b'mine')) == '/a@5'
    assert methods(server) == ['PUT', 'HEAD']

    with RawServer(dies(), file_answer(b'newer', last_modified=LATER)) as server:
        assert store_at(server).add_stream('/a@5', io.BytesIO(b'mine')) == '/a@9'
    assert methods(server) == ['PUT', 'HEAD']


def test_a_plain_put_whose_answer_was_lost_is_recognized_too(tmp_path):
    (tmp_path / 'in').write_bytes(CONTENT)
    with RawServer(dies(), GOOD) as server:
        store_at(server).add_file('/a@5', tmp_path / 'in', compress_hint=False)

    assert methods(server) == ['PUT', 'HEAD']


@pytest.mark.parametrize('lost', [dies(), answer('502 Bad Gateway'), answer('504 Slow')])
def test_a_put_that_was_not_done_is_repeated(lost):
    older = file_answer(b'old', last_modified='Thu, 01 Jan 1970 00:00:04 GMT')
    for there in (answer('404 Not Found'), older):
        with RawServer(lost, there, STORED) as server:
            assert store_at(server).add_stream('/a@5', io.BytesIO(b'mine')) == '/a@5'
        assert methods(server) == ['PUT', 'HEAD', 'PUT']
        assert server.requests[0].target == server.requests[2].target
        assert server.requests[0].body == server.requests[2].body


def test_a_put_of_which_nobody_knows_who_came_last_is_an_error():
    with RawServer(dies(), file_answer(b'theirs')) as server:
        with pytest.raises(ConnectionFailed, match='another content') as caught:
            store_at(server).add_stream('/a@5', io.BytesIO(b'mine'))

    assert caught.value.may_be_done
    assert methods(server) == ['PUT', 'HEAD']


@pytest.mark.parametrize('there', [answer('404 Not Found'), file_answer(b'', last_modified=LATER)])
def test_a_removal_whose_answer_was_lost_is_not_repeated_if_it_was_done(there):
    with RawServer(dies(), there) as server:
        store_at(server).delete_file('/a@5')

    assert methods(server) == ['DELETE', 'HEAD']


def test_a_removal_that_was_not_done_is_repeated_and_may_then_find_nothing():
    for last in (answer(), answer('404 Not Found')):
        with RawServer(dies(), file_answer(b''), last) as server:
            store_at(server).delete_file('/a@5')
        assert methods(server) == ['DELETE', 'HEAD', 'DELETE']


def test_a_removal_of_what_is_missing_is_an_error_when_nothing_was_lost():
    with RawServer(answer('404 Not Found')) as server, pytest.raises(NotFound):
        store_at(server).delete_file('/a@5')


def test_a_server_that_comes_back_is_waited_for(monkeypatch, server, tmp_path):
    monkeypatch.setattr(retrying, 'FIRST_PAUSE', 1.0)
    (tmp_path / 'in').write_bytes(CONTENT)
    client = Client(remote_url=server.url, cache_dir=str(tmp_path / 'cache'))
    versioned = client.put_file('/a', tmp_path / 'in')
    stream, _ = client.get_stream('/a')
    with stream:
        stream.read(10)
        server.kill()
        server.start()
        assert stream.read() == CONTENT[10:]
        assert client.put_file('/b@5', tmp_path / 'in') == '/b@5'
        assert client.get_file('/a', tmp_path / 'out') == versioned
