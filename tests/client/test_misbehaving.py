"""Servers that die at each byte, hang at each stage, lie, and come back: old or new."""

from __future__ import annotations

import os
import threading

import pytest

from filetracker.client.client import Client
from filetracker.errors import FiletrackerError
from tests.client.raw_server import RawServer, answer, file_answer, store_at
from tests.client.reading import content, entry
from tests.support import wait_for
from tests.trust import by_form

OLD = b'old' * 100
NEW = b'new' * 300 + os.urandom(1000)
ANSWER = file_answer(NEW, last_modified='Thu, 01 Jan 1970 00:00:06 GMT')


@pytest.fixture
def worker(tmp_path):
    """A client that has ``/a@5`` at ``tmp_path / 'out'`` and in its cache."""
    with RawServer(file_answer(OLD)) as server:
        client = Client(remote_url=server.url, cache_dir=str(tmp_path / 'cache'))
        client.get_file('/a', tmp_path / 'out')
    return client


def asking(client, server, retries=0, silence=20):
    """Turns a client to another server."""
    client.remote_store = store_at(server)
    client.remote_store._server._retries = retries
    client.remote_store._server._transport._timeout = (1, silence)
    return client


def check_old(client, out):
    assert out.read_bytes() == OLD
    assert content(client, '/a@5') == OLD


def check_new(client, out):
    assert out.read_bytes() == NEW
    assert content(client, '/a@6') == NEW
    assert os.stat(entry(client, '/a')).st_mtime_ns == 6 * 10**9


def leftovers(folder):
    return [name for _, _, names in os.walk(folder) for name in names if name.startswith('.')]


def test_a_server_that_dies_at_any_byte_leaves_old_and_then_new(worker, tmp_path):
    out = tmp_path / 'out'
    step = by_form(29, 1)
    for end in [*range(0, len(ANSWER), step), len(ANSWER) - 1]:
        with RawServer(ANSWER[:end]) as server, pytest.raises(FiletrackerError):
            asking(worker, server).get_file('/a', out)
        check_old(worker, out)
        with RawServer(ANSWER[:end]) as server, pytest.raises(FiletrackerError):
            with worker.get_stream('/a', serve_from_cache=True)[0] as stream:
                stream.read()
        check_old(worker, out)
    assert leftovers(tmp_path) == []

    with RawServer(ANSWER) as server:
        asking(worker, server).get_file('/a', out)
    check_new(worker, out)


def test_a_server_that_dies_at_any_byte_and_comes_back_is_not_noticed(worker, tmp_path):
    cuts = [ANSWER[:end] for end in range(0, len(ANSWER), by_form(97, 1))]
    for cut in cuts:
        with RawServer(cut, ANSWER) as server:
            client = asking(worker, server, retries=1)
            client.get_file('/a', tmp_path / 'out')
        check_new(client, tmp_path / 'out')
        client.local_store.delete_file('/a')
    assert leftovers(tmp_path) == []


@pytest.mark.parametrize('stage', [0, 10, ANSWER.index(b'\r\n\r\n') + 4, 600, len(ANSWER) - 1])
def test_a_server_that_hangs_leaves_old_and_then_new(worker, stage, tmp_path):
    done = threading.Event()

    def hang(connection, request):
        connection.sendall(ANSWER[:stage])
        done.wait()

    with RawServer(hang, hang, hang, ANSWER) as server:
        for _ in range(2):
            with pytest.raises(FiletrackerError):
                asking(worker, server, silence=0.2).get_file('/a', tmp_path / 'out')
            check_old(worker, tmp_path / 'out')
        with pytest.raises(FiletrackerError):
            worker.get_stream('/a@6', serve_from_cache=True)
        check_old(worker, tmp_path / 'out')
        # It has heard who gave up already.
        wait_for(lambda: len(server.requests) == 3, 'the last of them')
        done.set()
        asking(worker, server).get_file('/a', tmp_path / 'out')
    check_new(worker, tmp_path / 'out')
    assert leftovers(tmp_path) == []


LIES = {
    'a length too large': {'content_length': 10_000},
    'a length too small': {'content_length': 50},
    'no digest of it': {'sha256_checksum': '0' * 64},
    'a size too large': {'logical_size': len(NEW) + 1},
    'a size too small': {'logical_size': len(NEW) - 1},
    'plain, and is gzip': {'content_encoding': None},
    'an unknown encoding': {'content_encoding': 'br'},
    'no date': {'last_modified': 'soon'},
}


@pytest.mark.parametrize('lie', LIES)
def test_a_server_that_lies_leaves_old_and_then_new(worker, lie, tmp_path):
    said = {'last_modified': 'Thu, 01 Jan 1970 00:00:06 GMT', **LIES[lie]}
    with RawServer(file_answer(NEW, **said)) as server:
        for call in (
            lambda: asking(worker, server).get_file('/a', tmp_path / 'out'),
            lambda: worker.get_file('/a@6', tmp_path / 'out'),
            lambda: worker.get_stream('/a@6', serve_from_cache=True),
        ):
            with pytest.raises(FiletrackerError):
                call()
            check_old(worker, tmp_path / 'out')
    with RawServer(ANSWER) as server:
        asking(worker, server).get_file('/a', tmp_path / 'out')

    check_new(worker, tmp_path / 'out')
    assert leftovers(tmp_path) == []


def test_gzip_that_is_sent_for_plain_has_another_size(worker, tmp_path):
    with RawServer(answer(body=NEW, content_encoding='gzip')) as server:
        with pytest.raises(FiletrackerError):
            asking(worker, server).get_file('/a', tmp_path / 'out')

    check_old(worker, tmp_path / 'out')
