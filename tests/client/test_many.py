"""Many files at once."""

from __future__ import annotations

import os
import threading

import pytest

from filetracker.client.client import Client
from filetracker.client.dummy import DummyClient
from filetracker.errors import InvalidName, LocalFileError, NotFound, ServerError
from tests.client.raw_server import RawServer, file_answer
from tests.client.reading import content, names_below
from tests.support import PATIENCE, wait_for


@pytest.fixture(params=['with a server', 'alone', 'dummy'])
def any_client(request, tmp_path):
    if request.param == 'with a server':
        return request.getfixturevalue('client')
    return DummyClient() if request.param == 'dummy' else Client(cache_dir=str(tmp_path / 'store'))


@pytest.fixture
def files(tmp_path):
    """Pairs of a name and a file."""
    pairs = []
    for number in range(30):
        path = tmp_path / ('in%d' % number)
        path.write_bytes(b'%d' % number * number)
        pairs.append(('/many/%d@5' % number, path))
    return pairs


def test_many_files_go_and_come(any_client, files, tmp_path):
    put = any_client.put_files(files)
    got = any_client.get_files(
        ((name, tmp_path / 'out' / path.name) for name, path in files), parallel=3
    )

    assert [(done.name, done.path) for done in put] == files
    assert [done.versioned for done in put] == [name for name, _ in files]
    assert [done.versioned for done in got] == [name for name, _ in files]
    assert {done.error for done in put + got} == {None}
    for _, path in files:
        assert (tmp_path / 'out' / path.name).read_bytes() == path.read_bytes()
    assert any_client.list_files('/many') == sorted(name[:-2] for name, _ in files)


def test_one_that_fails_does_not_stop_the_others(any_client, files, tmp_path):
    put = any_client.put_files([('/a@@', files[0][1]), ('/b', tmp_path / 'no'), *files])
    got = any_client.get_files([('/missing', tmp_path / 'x'), (files[9][0], tmp_path / 'y')])

    assert [type(done.error) for done in put[:2]] == [InvalidName, LocalFileError]
    assert all(done.versioned for done in put[2:])
    assert isinstance(got[0].error, NotFound) and got[0].versioned is None
    assert got[1].versioned == files[9][0]
    assert not (tmp_path / 'x').exists()


def test_progress_is_told_of_each_file_by_one_at_a_time(any_client, files, tmp_path):
    inside = threading.Lock()
    last: dict[str, tuple[int, int | None]] = {}

    def progress(name, done, total):
        assert inside.acquire(blocking=False)
        last[name] = (done, total)
        inside.release()

    any_client.put_files(files, progress=progress)
    sizes = {name: (path.stat().st_size,) * 2 for name, path in files}
    assert last == sizes
    last.clear()
    any_client.get_files(
        [(name, tmp_path / 'out' / name[1:]) for name, _ in files], progress=progress
    )
    assert last == sizes


def test_an_interrupt_ends_all_and_leaves_no_trace(client, other, files, tmp_path):
    big = tmp_path / 'big'
    big.write_bytes(os.urandom(3_000_000))
    for number in range(8):
        other.put_file('/big%d@5' % number, big)

    def interrupt(name, done, total):
        if done:
            raise KeyboardInterrupt

    pairs = [('/big%d' % number, tmp_path / 'got' / str(number)) for number in range(8)]
    with pytest.raises(KeyboardInterrupt):
        client.get_files(pairs, progress=interrupt)
    assert names_below(tmp_path / 'got') == []
    assert client.list_local_files() == []


def test_no_file_at_a_time_is_refused(client):
    with pytest.raises(ValueError, match='at least one'):
        client.get_files([], parallel=0)
    assert client.get_files([]) == client.put_files([]) == []


def test_they_are_really_on_their_way_together(tmp_path):
    together = threading.Barrier(4)

    def meet(connection, request):
        together.wait(PATIENCE)
        connection.sendall(file_answer(b'content'))

    with RawServer(meet) as server:
        client = Client(remote_url=server.url, local_store=None)
        got = client.get_files([('/%d' % n, tmp_path / str(n)) for n in range(8)], parallel=4)

    assert all(done.versioned for done in got)


def test_exists_and_stat_look_into_the_cache_for_a_version(fetched, other, file):
    assert fetched.exists('/a@5') and not fetched.exists('/a') and not fetched.exists('/a@6')
    assert fetched.stat('/a@5')[:3] == ('/a@5', 5, 4)
    with pytest.raises(NotFound):
        fetched.stat('/a')
    other.put_file('/a@6', file)
    assert fetched.exists('/a') and fetched.exists('/a@6') and fetched.exists('/a@5')
    assert fetched.stat('/a') == other.stat('/a@6')
    assert fetched.list_files(remote=False) == fetched.list_files() == ['/a']


def test_exists_is_no_answer_where_there_is_an_error(tmp_path):
    with RawServer(b'HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n') as server:
        client = Client(remote_url=server.url, local_store=None)
        with pytest.raises(ServerError, match='HTTP/500'):
            client.exists('/a')


@pytest.mark.parametrize(
    ('said', 'seconds'), [('7', (5, 7)), ('0.5', (0.5, 0.5)), ('', (5, 60)), (None, (5, 60))]
)
def test_timeouts_come_from_the_environment(monkeypatch, said, seconds):
    if said is not None:
        monkeypatch.setenv('FILETRACKER_TIMEOUT', said)
    client = Client(remote_url='http://x', local_store=None)

    assert client.remote_store._server._transport._timeout == seconds
    client = Client(remote_url='http://x', local_store=None, timeout=(1, 2))
    assert client.remote_store._server._transport._timeout == (1, 2)


@pytest.mark.parametrize('timeout', [0, -1, float('nan'), float('inf'), (5, 0)])
def test_timeouts_without_sense_are_refused(timeout, monkeypatch):
    with pytest.raises(ValueError, match='timeout'):
        Client(remote_url='http://x', local_store=None, timeout=timeout)
    monkeypatch.setenv('FILETRACKER_TIMEOUT', 'soon')
    with pytest.raises(ValueError, match='FILETRACKER_TIMEOUT'):
        Client(remote_url='http://x', local_store=None)


def test_who_waits_for_a_slow_neighbour_goes_on_alone(tmp_path):
    """The other gives up the lock, and not the file."""
    done = threading.Event()

    def slow(connection, request):
        done.wait()
        connection.sendall(file_answer(b'content'))

    with RawServer(slow, file_answer(b'content')) as server:
        first = Client(remote_url=server.url, cache_dir=str(tmp_path / 'c'), timeout=60)
        second = Client(remote_url=server.url, cache_dir=str(tmp_path / 'c'), timeout=1)
        thread = threading.Thread(target=first.get_file, args=('/a@5', tmp_path / 'first'))
        thread.start()
        wait_for(lambda: server.requests, 'the request')
        second.get_file('/a@5', tmp_path / 'second')
        assert (tmp_path / 'second').read_bytes() == b'content'
        assert thread.is_alive()
        done.set()
        thread.join()

    assert (tmp_path / 'first').read_bytes() == b'content'
    assert content(first, '/a@5') == b'content'
