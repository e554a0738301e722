"""The server in the background."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import requests

from tests.servers.command import failure, run
from tests.support import PATIENCE, environment, is_over, left_behind, wait_for


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Path]:
    """A directory; the daemon that serves it is stopped in the end."""
    directory = tmp_path / 'store'
    yield directory
    for process, line in left_behind().items():
        if 'filetracker.servers.daemon' in line:
            process.kill()
            wait_for(lambda process=process: is_over(process), 'the daemon to end')


def test_the_command_returns_when_the_daemon_serves(store: Path) -> None:
    ended = run('-d', str(store), '-p', '0')

    assert (ended.returncode, ended.stdout, ended.stderr) == (0, '', '')
    assert requests.get(_url(store)).status_code == 200


def test_the_daemon_stops_by_its_pid_file(store: Path) -> None:
    run('-d', str(store), '-p', '0')
    pid_file = store / 'filetracker-server.pid'
    daemon = psutil.Process(int(pid_file.read_text()))
    daemon.send_signal(signal.SIGTERM)

    wait_for(lambda: is_over(daemon), 'the daemon to end')
    assert not pid_file.exists()


def test_the_pid_file_and_the_log_may_be_elsewhere(store: Path, tmp_path: Path) -> None:
    pid_file, log = tmp_path / 'pid', tmp_path / 'log'
    ended = run('-d', 'store', '-p', '0', '--pid-file', 'pid', '-L', 'log', cwd=str(tmp_path))

    assert ended.returncode == 0
    daemon = psutil.Process(int(pid_file.read_text()))
    assert 'serving %s on' % store in log.read_text()
    daemon.send_signal(signal.SIGTERM)
    wait_for(lambda: is_over(daemon), 'the daemon to end')


def test_the_daemon_has_nothing_of_its_starter(store: Path) -> None:
    run('-d', str(store), '-p', '0')
    daemon = psutil.Process(int((store / 'filetracker-server.pid').read_text()))

    assert daemon.ppid() != os.getpid()
    assert os.getsid(daemon.pid) != os.getsid(0)
    assert daemon.cwd() == '/'
    assert daemon.terminal() is None


def test_a_daemon_that_cannot_serve_is_one_line_and_1(store: Path) -> None:
    run('-d', str(store), '-p', '0')
    pid_file = store / 'filetracker-server.pid'
    first = pid_file.read_text()

    assert failure('-d', str(store), '-p', '0') == (
        'another process is using the store in %s' % store
    )
    assert pid_file.read_text() == first
    assert requests.get(_url(store)).status_code == 200


def test_a_daemon_without_a_directory_is_one_line_and_1(tmp_path: Path) -> None:
    (tmp_path / 'file').touch()

    line = failure('-d', str(tmp_path / 'file' / 'store'), '-p', '0')
    assert line == 'cannot use %s as a store: Not a directory' % (tmp_path / 'file' / 'store')


def test_a_daemon_says_why_it_cannot_serve_where_its_log_has_no_room(store: Path) -> None:
    store.mkdir()
    (store / 'blobs').touch()
    (store / 'filetracker-server.log').symlink_to('/dev/full')

    assert failure('-d', str(store), '-p', '0').startswith('cannot use %s as a store: ' % store)


def test_main_daemonizes_and_returns(store: Path) -> None:
    code = (
        'from filetracker.servers.run import main; main(["-l", "127.0.0.1", "-p", "0"]); print(1)'
    )
    ended = subprocess.run(
        [sys.executable, '-c', code],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        env=environment(FILETRACKER_DIR=str(store)),
    )
    pid = int((store / 'filetracker-server.pid').read_text())
    answered = requests.get(_url(store)).status_code
    os.kill(pid, signal.SIGTERM)

    assert (ended.stdout, ended.stderr) == ('1\n', '')
    assert answered == 200
    wait_for(lambda: not psutil.pid_exists(pid) or is_over(psutil.Process(pid)), 'its end')


def _url(store: Path) -> str:
    log = (store / 'filetracker-server.log').read_text()
    return re.findall(r'serving .* on (\S+)', log)[-1]
