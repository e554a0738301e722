"""The command as people run it: on a terminal, interrupted, with servers that come and go."""

from __future__ import annotations

import fcntl
import itertools
import os
import pty
import random
import signal
import struct
import subprocess
import sys
import termios
import threading
from functools import partial
from pathlib import Path

import pytest
import requests

from filetracker.client.migration.copying import Copying
from filetracker.scripts.migrate import main
from tests.client.raw_server import VERSIONS, RawServer, answer
from tests.migration.stores import State, migrate, served, started, write
from tests.old_tree import OldTree
from tests.support import PATIENCE, LiveServer, environment, wait_for
from tests.trust import SOAK

MANY: State = {
    'd%d/f%d' % (number % 7, number): (number, b'%d\n' % number * 500) for number in range(400)
}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    write(tmp_path / 'tree', MANY)
    return tmp_path / 'tree'


def _has(url: str, count: int) -> bool:
    return requests.get(url + '/list').text.count('\n') > count


@pytest.mark.parametrize('nth', range(20 if SOAK else 3))
def test_killed_at_any_moment_and_run_again_it_comes_to_the_same(
    nth: int, server: LiveServer, tree: Path, capsys
):
    enough = random.Random().randrange(300)
    with started(tree, server.url) as process:
        wait_for(partial(_has, server.url, enough), 'some files')
        process.kill()
    again = migrate(capsys, tree, server.url)

    assert (again.status, again.err) == (0, [])
    assert served(server.url) == MANY
    assert migrate(capsys, tree, server.url).out == ['0 files copied, 400 already there']


def test_a_server_that_dies_and_comes_back_is_waited_for(
    server: LiveServer, tree: Path, tmp_path: Path
):
    with started(tree, server.url) as process:
        for enough in (0, 100, 200):
            wait_for(partial(_has, server.url, enough), 'some files')
            os.kill(server.owner_pid(), signal.SIGKILL)
        out, err = process.communicate(timeout=3 * PATIENCE)

    assert (process.returncode, err) == (0, b'')
    assert served(server.url) == MANY


def test_a_server_that_goes_away_ends_it(server: LiveServer, tree: Path, monkeypatch, capsys):
    monkeypatch.setattr('filetracker.client.migration.copying._PAUSES', (0, 0.1))
    begun, treat = itertools.count(), Copying._treat

    def treat_or_kill(copying, item):
        if next(begun) == 50:
            server.kill()
        treat(copying, item)

    monkeypatch.setattr(Copying, '_treat', treat_or_kill)
    ended = migrate(capsys, tree, server.url)

    assert ended.status == 1
    assert ended.err[-1] == (
        'filetracker-migrate: cannot reach %s: Connection refused' % server.url
    )


def test_a_server_that_is_not_there_is_one_line_and_1(tree: Path, capsys):
    ended = migrate(capsys, tree, 'http://127.0.0.1:1')

    assert ended.status == 1
    assert ended.err == ['filetracker-migrate: cannot reach http://127.0.0.1:1: Connection refused']


@pytest.mark.parametrize('said', [answer(body=b'[]'), answer(body=b'x'), answer('404 Not Found')])
def test_a_server_that_is_another_one_is_one_line_and_1(said: bytes, tree: Path, capsys):
    with RawServer(said) as other:
        url = other.url
        ended = migrate(capsys, tree, url)

    assert ended.status == 1
    assert ended.err == ['filetracker-migrate: %s is no server of filetracker 2.x' % url]


def test_an_answer_that_is_none_is_told_of_the_file(tree: Path, tmp_path: Path, capsys):
    write(tmp_path / 'one', {'a': (5, b'content')})
    with RawServer(VERSIONS, answer(body=b''), answer()) as other:
        ended = migrate(capsys, tmp_path / 'one', other.url)

    assert ended.status == 1
    assert ended.err[0].endswith('/a: the server does not tell the version that it stored')


def test_a_static_server_is_no_target(tree: Path, tmp_path: Path, capsys):
    with OldTree(tmp_path) as old:
        assert migrate(capsys, tree, old.url).status == 1


@pytest.mark.parametrize(
    'arguments',
    [
        [],
        ['.'],
        ['.', 'localhost:9999'],
        ['.', 'ftp://localhost'],
        ['.', 'http://localhost:port'],
        ['.', 'http://'],
        ['--root', '.', 'http://localhost', 'http://localhost'],
        ['--fast', '.', 'http://localhost'],
    ],
)
def test_a_usage_error_is_2(arguments: list[str], capsys):
    with pytest.raises(SystemExit) as ended:
        main(arguments)

    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith('usage: filetracker-migrate ')


def test_interrupting_says_how_to_go_on(tree: Path):
    stored, over = answer(last_modified='Mon, 01 Jan 2001 00:00:00 GMT'), threading.Event()

    def take_some(connection, request):
        if len(server.requests) > 20:
            over.wait()
        connection.sendall(stored)

    with RawServer(VERSIONS, answer(), take_some) as server:
        with started(tree, server.url) as process:
            wait_for(lambda: len(server.requests) > 20, 'some files')
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=PATIENCE)
        over.set()

    assert process.returncode == 130
    assert (out, err) == (b'', b'filetracker-migrate: interrupted; run it again to go on\n')


def test_a_bar_is_drawn_on_a_terminal(server: LiveServer, tree: Path):
    os.symlink('nowhere', tree / 'dangling')
    shown = _on_a_terminal(str(tree), server.url)

    assert '401 of 401 files: 100%' in shown
    assert 'B/s' in shown
    assert '%s/dangling: a link to a file that is not there\r\n' % tree in shown
    assert shown.endswith('filetracker-migrate: 1 files were not copied\r\n')


def test_no_bar_is_drawn_on_a_terminal_for_who_wants_none(server: LiveServer, tree: Path):
    assert _on_a_terminal('-s', str(tree), server.url) == ''


def _on_a_terminal(*arguments: str) -> str:
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack('HHHH', 24, 200, 0, 0))
    process = subprocess.Popen(
        [sys.executable, '-m', 'filetracker.scripts.migrate', *arguments],
        stdin=theirs,
        stdout=subprocess.DEVNULL,
        stderr=theirs,
        env=environment(),
    )
    os.close(theirs)
    shown = b''
    try:
        while piece := os.read(ours, 1 << 16):
            shown += piece
    except OSError:
        # The end of a terminal.
        pass
    os.close(ours)
    process.wait(PATIENCE)
    return shown.decode()


def test_a_server_that_is_full_ends_it_in_one_line(tree: Path, capsys):
    version, nothing = answer(body=b'{"protocol_versions": [2]}'), answer(body=b'')
    full = answer('507 Insufficient Storage', x_exception='no room left in the store')
    with RawServer(version, nothing, full) as server:
        ended = migrate(capsys, tree, server.url)

    assert (ended.status, ended.out, len(ended.err)) == (1, [], 1)
    assert ended.err[0].endswith(
        'HTTP/507: no room left in the store; run it again when there is room'
    )


def test_a_standard_output_that_is_full_is_one_line(server: LiveServer, tree: Path):
    with open('/dev/full', 'wb') as full:
        ended = subprocess.run(
            [sys.executable, '-m', 'filetracker.scripts.migrate', str(tree), server.url],
            stdout=full,
            stderr=subprocess.PIPE,
            env=environment(),
        )

    assert ended.returncode == 1
    assert ended.stderr == (
        b'filetracker-migrate: cannot say what was done: No space left on device\n'
    )
