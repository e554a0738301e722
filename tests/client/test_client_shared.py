"""One client, or one cache, for many threads and processes."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from filetracker.client.client import Client
from filetracker.errors import FiletrackerError, NotFound
from tests.client.raw_server import VERSIONS, RawServer, answer
from tests.client.reading import read


def test_threads_share_a_client(client, tmp_path):
    def round_trip(number):
        source = tmp_path / ('in%d' % number)
        source.write_bytes(b'%d' % number * 10_000)
        versioned = client.put_file('/%d' % (number % 5), source)
        try:
            stream, _ = client.get_stream(versioned, serve_from_cache=True)
        except NotFound:
            return True
        with stream:
            text = stream.read()
        return len(set(text.split(text[:2]))) == 1

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(round_trip, range(10, 60)))


def test_processes_share_a_cache(client, other, tmp_path):
    """Every file that is read is whole and of one version, whatever others do at the time."""
    children = []
    for number in range(4):
        child = os.fork()
        if not child:
            status = 1
            try:
                status = _work(client, number, tmp_path)
            finally:
                os._exit(status)
        children.append(child)

    statuses = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    assert statuses == [0] * 4
    assert os.listdir(tmp_path / 'cache' / 'incoming') == []


def _work(client, number, tmp_path):
    source, target = tmp_path / ('in%d' % number), tmp_path / ('out%d' % number)
    failures = []

    def hammer(thread):
        for turn in range(15):
            name = '/dir%d/%d' % (turn % 2, (turn + thread) % 3)
            try:
                if turn % 5 == 4:
                    client.delete_file(name)
                elif turn % 2:
                    path = '%s-%d' % (source, thread)
                    with open(path, 'wb') as file:
                        file.write(b'%d' % (number * 2 + thread) * 200_000)
                    client.put_file(name, path)
                else:
                    path = '%s-%d' % (target, thread)
                    client.get_file(client.get_stream(name, serve_from_cache=True)[1], path)
                    with open(path, 'rb') as file:
                        text = file.read()
                    if len(text) != 200_000 or len(set(text)) != 1:
                        failures.append(name)
            except NotFound:
                pass

    threads = [threading.Thread(target=hammer, args=(thread,)) for thread in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return len(failures)


def test_a_client_works_after_a_fork(client, file):
    versioned = client.put_file('/a', file)
    child = os.fork()
    if not child:
        os._exit(0 if read(client, '/a') == (b'content', versioned) else 1)

    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert read(client, '/a') == (b'content', versioned)


def test_an_answer_without_sense_is_no_success(tmp_path, file):
    with RawServer(VERSIONS, answer(last_modified='nonsense')) as server:
        client = Client(remote_url=server.url, cache_dir=str(tmp_path / 'cache'))
        with pytest.raises(FiletrackerError):
            client.put_file('/a@5', file)

    assert client.list_local_files() == []
