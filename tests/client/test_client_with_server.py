"""The client as callers use it, with a server."""

from __future__ import annotations

import errno
import os
import resource
import signal
import subprocess
import sys
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest

from filetracker.client import putting
from filetracker.client.client import Client
from filetracker.client.disk import disk_errors
from filetracker.errors import FiletrackerError, InvalidName, StoreFull
from filetracker.protocol import format_date
from tests.client.raw_server import VERSIONS, RawServer, answer
from tests.client.reading import read
from tests.support import environment


@pytest.fixture
def alone(tmp_path):
    """A client without a server."""
    return Client(cache_dir=str(tmp_path / 'store'))


def test_versions_are_those_of_the_clock(client, file):
    os.utime(file, (1, 1))
    before = int(time.time())
    versioned = client.put_file('/a', file)

    assert before <= client.file_version('/a') <= time.time()
    assert versioned == '/a@%d' % client.file_version('/a')


def test_a_client_without_a_cache_only_streams(other, file, tmp_path):
    versioned = other.put_file('/a', file, to_remote_store=False)

    assert read(other, '/a', serve_from_cache=True) == (b'content', versioned)
    assert other.get_file(versioned, tmp_path / 'out') == versioned
    assert other.list_local_files() == []
    assert other.list_remote_files() == ['a']
    other.delete_file('//a@%d' % other.file_version('/a'))
    assert other.list_remote_files() == []


def test_lists_of_a_server_can_be_cut(other, file):
    for name in ('/A@1', '/B@5', '/C/D@10'):
        other.put_file(name, file)

    assert other.list_remote_files(5) == ['A', 'B']
    assert other.list_remote_files(10, '/C') == ['D']
    assert other.list_remote_files(10, '/C/', True) == ['C/D']
    with pytest.raises(FiletrackerError):
        other.list_remote_files(10, 'C')


def test_a_file_must_go_somewhere(client, file):
    with pytest.raises(ValueError, match='neither'):
        client.put_file('/a', file, to_local_store=False, to_remote_store=False)


def test_a_clock_that_is_behind_does_not_lose_a_file(client, other, file, tmp_path):
    future = int(time.time()) + 10_000
    other.put_file('/a@%d' % future, file)
    file.write_bytes(b'changed')

    assert client.put_file('/a', file) == '/a@%d' % (future + 1)
    assert read(other, '/a') == (b'changed', '/a@%d' % (future + 1))
    assert read(client, '/a@%d' % (future + 1)) == (b'changed', '/a@%d' % (future + 1))


def test_who_comes_second_with_an_older_version_loses(file, monkeypatch):
    # The clock when it chooses the version, and when the answer has come.
    clock = SimpleNamespace(time=iter([1000.0, 1002.0]).__next__)
    monkeypatch.setattr(putting, 'time', clock)

    with RawServer(VERSIONS, answer(last_modified=format_date(1001))) as server:
        slow = Client(remote_url=server.url, local_store=None)
        assert slow.put_file('/a', file) == '/a@1001'

    assert [request.method for request in server.requests] == ['GET', 'PUT']


def test_a_stream_with_a_name_can_be_zipped(client, file, tmp_path):
    versioned = client.put_file('/a', file)

    for stream, _ in (
        client.get_stream('/a'),
        client.get_stream('/a', serve_from_cache=True),
        client.get_stream(versioned),
    ):
        with stream, zipfile.ZipFile(tmp_path / 'zip', 'w') as archive:
            if hasattr(stream, 'name'):
                archive.write(stream.name, 'a')
            else:
                archive.writestr('a', stream.read())
        with zipfile.ZipFile(tmp_path / 'zip') as archive:
            assert archive.read('a') == b'content'


def test_a_new_file_has_the_mode_that_the_umask_leaves(client, file, tmp_path):
    versioned = client.put_file('/a', file)
    before = os.umask(0o027)
    try:
        client.get_file('/a', tmp_path / 'one')
        client.get_file(versioned, tmp_path / 'two')
    finally:
        os.umask(before)

    assert os.stat(tmp_path / 'one').st_mode & 0o777 == 0o640
    assert os.stat(tmp_path / 'two').st_mode & 0o777 == 0o640


def test_a_target_may_be_a_symbolic_link(client, file, tmp_path):
    client.put_file('/a', file)
    (tmp_path / 'real').write_bytes(b'old')
    os.symlink('real', tmp_path / 'link')

    client.get_file('/a', tmp_path / 'link')
    assert os.path.islink(tmp_path / 'link')
    assert (tmp_path / 'real').read_bytes() == b'content'


def test_a_target_may_be_a_pipe_and_stays_one(client, file, tmp_path):
    os.mkfifo(tmp_path / 'pipe')
    versioned = client.put_file('/a', file)
    for name in ('/a', versioned):
        with ThreadPoolExecutor(1) as pool:
            received = pool.submit((tmp_path / 'pipe').read_bytes)
            client.get_file(name, tmp_path / 'pipe')
            assert received.result() == b'content'

    assert (tmp_path / 'pipe').is_fifo()
    assert read(client, versioned)[0] == b'content'


@pytest.mark.parametrize('number', [errno.ENOSPC, errno.EDQUOT])
def test_no_room_is_a_clear_error(number):
    with pytest.raises(StoreFull, match='^no room left for /some/where$'):
        with disk_errors('/some/where'):
            raise OSError(number, os.strerror(number))


def test_a_target_without_room_stays_as_it_was(client, other, tmp_path):
    (tmp_path / 'big').write_bytes(os.urandom(500_000))
    other.put_file('/a@5', tmp_path / 'big')
    (tmp_path / 'folder').mkdir()
    (tmp_path / 'folder' / 'out').write_bytes(b'old')
    code = (
        'import sys, filetracker\n'
        'client = filetracker.Client(remote_url=sys.argv[1], cache_dir=sys.argv[2])\n'
        'client.get_file("/a", sys.argv[3])\n'
    )

    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

    result = subprocess.run(
        [sys.executable, '-c', code, other.remote_store.base_url]
        + [str(tmp_path / 'cache'), str(tmp_path / 'folder' / 'out')],
        env=environment(),
        preexec_fn=limit,
        capture_output=True,
        text=True,
    )
    assert result.stderr.splitlines()[-1].endswith('out: File too large')
    assert (tmp_path / 'folder' / 'out').read_bytes() == b'old'
    assert os.listdir(tmp_path / 'folder') == ['out']
    assert os.listdir(tmp_path / 'cache' / 'files') == []
    assert not (tmp_path / 'cache' / 'incoming').exists()


def test_wrong_names_are_refused_before_anything_is_sent(tmp_path, file):
    with RawServer(VERSIONS) as server:
        client = Client(remote_url=server.url, cache_dir=str(tmp_path / 'cache'))
        for call in (
            lambda: client.get_file('a', tmp_path / 'out'),
            lambda: client.get_stream('/../a'),
            lambda: client.put_file('/a@b', file),
            lambda: client.delete_file('/a@1/b'),
            lambda: client.file_version(''),
            lambda: client.file_size('/a@1@2'),
        ):
            with pytest.raises(InvalidName):
                call()

    assert server.requests == []
