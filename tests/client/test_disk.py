"""Where files of this machine are written to, and how they are copied."""

from __future__ import annotations

import errno
import fcntl
import io
import os
import subprocess
import sys
import threading
import time

import pytest

from filetracker.client import disk
from filetracker.client.local_data_store import LocalDataStore
from filetracker.durable import PREFIX, Aside
from filetracker.errors import StoreFull
from tests.support import environment

CONTENT = os.urandom(1_000_000)


@pytest.fixture
def store(tmp_path):
    """A store of its own, with a file."""
    store = LocalDataStore(tmp_path / 'store')
    store.add_stream('/a@5', io.BytesIO(b'content\n'))
    return store


def run(store, redirection, folder, target='/dev/stdout'):
    code = 'import sys; from filetracker.client import Client; '
    code += 'Client(cache_dir=sys.argv[1]).get_file("/a", "%s")' % target
    command = '(echo before; "$0" -c "$1" "$2"; echo after) %s' % redirection
    subprocess.run(
        ['/bin/sh', '-c', command, sys.executable, code, os.path.dirname(store.dir)],
        cwd=folder,
        env=environment(),
        check=True,
    )


@pytest.mark.parametrize('target', ['/dev/stdout', '/proc/self/fd/1', '/dev/fd/1'])
def test_what_this_process_has_open_is_written_into_where_it_stands(store, target, tmp_path):
    (tmp_path / 'out').write_bytes(b'first\n')
    run(store, '>> out', tmp_path, target)
    run(store, '> new', tmp_path, target)
    run(store, '| cat > piped', tmp_path, target)

    assert (tmp_path / 'out').read_bytes() == b'first\nbefore\ncontent\nafter\n'
    assert (tmp_path / 'new').read_bytes() == b'before\ncontent\nafter\n'
    assert (tmp_path / 'piped').read_bytes() == b'before\ncontent\nafter\n'


def broken(*arguments):
    raise OSError(95, 'Operation not supported')


@pytest.mark.parametrize('without', [(), ('clone',), ('clone', 'range')])
def test_all_is_copied_whatever_the_system_can_do(without, tmp_path, monkeypatch):
    if 'clone' in without:
        monkeypatch.setattr(fcntl, 'ioctl', broken)
    if 'range' in without:
        monkeypatch.setattr(os, 'copy_file_range', broken)
    (tmp_path / 'in').write_bytes(CONTENT)
    for read in (0, 10):
        with open(tmp_path / 'in', 'rb') as source, open(tmp_path / 'out', 'w+b') as file:
            file.write(source.read(read))
            assert disk.copy(source, file, 'out') == len(CONTENT) - read
            assert source.read() == b''
            file.write(b'more')
        assert (tmp_path / 'out').read_bytes() == CONTENT + b'more'


def test_a_clone_shares_its_blocks_and_moves_on_to_the_end(tmp_path, monkeypatch):
    """As a file system answers that can do it."""
    asked = []

    def clone(descriptor, request, source):
        asked.append(request)
        os.pwrite(descriptor, os.pread(source, len(CONTENT), 0), 0)

    monkeypatch.setattr(fcntl, 'ioctl', clone)
    (tmp_path / 'in').write_bytes(CONTENT)
    with open(tmp_path / 'in', 'rb') as source, open(tmp_path / 'out', 'w+b') as file:
        assert disk.copy(source, file, 'out') == len(CONTENT)
        file.seek(0)
        assert file.read() == CONTENT
    assert asked == [0x40049409]


def test_a_target_is_no_file_that_anybody_else_has(store, tmp_path):
    (tmp_path / 'in').write_bytes(b'in')
    store.add_file('/b@5', tmp_path / 'in')
    store.get_file('/b', tmp_path / 'out')

    for path in (tmp_path / 'in', tmp_path / 'out', tmp_path / 'store/files/b'):
        assert os.stat(path).st_nlink == 1


def test_what_a_killed_process_left_is_swept_when_it_is_old(tmp_path, monkeypatch):
    for name in ('old', 'locked', 'new'):
        (tmp_path / (PREFIX + name)).write_bytes(b'')
    (tmp_path / 'file').write_bytes(b'')
    with open(tmp_path / (PREFIX + 'locked')) as locked:
        fcntl.flock(locked, fcntl.LOCK_EX)
        disk.sweep(str(tmp_path))
        assert len(os.listdir(tmp_path)) == 4

        # Nobody can make a file older than it is.
        now = time.time() + 2 * 60 * 60
        monkeypatch.setattr(time, 'time', lambda: now)
        os.unlink(tmp_path / (PREFIX + 'new'))
        disk.sweep(str(tmp_path))
    assert sorted(os.listdir(tmp_path)) == [PREFIX + 'locked', 'file']


def test_a_killed_process_leaves_nothing_on_its_way(tmp_path):
    code = 'import os, sys, time; from filetracker.client.local_data_store import *\n'
    code += 'class Slow:\n    def read(self, size):\n'
    code += '        print("reading", flush=True); time.sleep(60)\n'
    code += 'LocalDataStore(sys.argv[1]).add_stream("/a", Slow())'
    command = [sys.executable, '-c', code, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment()) as process:
        assert process.stdout.readline() == b'reading\n'
        process.kill()

    assert os.listdir(tmp_path / 'incoming') == os.listdir(tmp_path / 'files') == []


class Recorded(Aside):
    """A file that notes which threads write to it, and is full behind ``room`` bytes."""

    def __init__(self, path, room=1 << 40):
        super().__init__(os.open(path, os.O_RDWR | os.O_CREAT), str(path))
        self.threads = set()
        self.room = room

    def write(self, piece):
        self.threads.add(threading.current_thread())
        self.room -= len(piece)
        if self.room < 0:
            raise OSError(errno.ENOSPC, 'No space left on device')
        return super().write(piece)


def test_a_large_stream_is_written_beside_reading_it(tmp_path):
    told = []
    with Recorded(tmp_path / 'out') as file:
        count = disk.copy(io.BytesIO(CONTENT * 3), file, 'out', lambda *said: told.append(said))

        assert count == len(CONTENT) * 3
        assert file.threads - {threading.current_thread()}
    assert (tmp_path / 'out').read_bytes() == CONTENT * 3
    assert told[-1] == (count, count)


def test_a_disk_that_is_full_is_told_wherever_it_is_written_to(tmp_path):
    for room in (0, 1_500_000, len(CONTENT) * 3 - 1):
        with Recorded(tmp_path / 'out', room) as file:
            with pytest.raises(StoreFull, match='out'):
                disk.copy(io.BytesIO(CONTENT * 3), file, 'out')
            file.truncate(0)


def test_what_is_no_regular_file_is_written_to_without_a_thread():
    class Pipe(io.BytesIO):
        def write(self, piece):
            threads.add(threading.current_thread())
            return super().write(piece)

    threads = set()
    pipe = Pipe()
    disk.copy(io.BytesIO(CONTENT * 3), pipe, 'pipe')

    assert pipe.getvalue() == CONTENT * 3
    assert threads == {threading.current_thread()}
