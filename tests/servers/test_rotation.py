"""The files of the log are moved away while requests come, and no line is lost."""

from __future__ import annotations

import grp
import gzip
import json
import os
import pwd
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from tests.servers.command import run
from tests.support import PATIENCE, ROOT, LiveServer, environment, is_over, wait_for
from tests.wire.raw import Peer, request

LOGROTATE = ROOT / 'contrib' / 'logrotate' / 'filetracker'


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[psutil.Process]:
    """A server in the background."""
    store = tmp_path / 'store'
    ended = run('-d', str(store), '-p', '0')
    assert ended.returncode == 0, ended
    process = psutil.Process(int((store / 'filetracker-server.pid').read_text()))
    yield process
    process.terminate()
    wait_for(lambda: is_over(process), 'the daemon to end')


def port_in(log: Path) -> int:
    serving = next(line for line in log.read_text().splitlines() if ' serving ' in line)
    return int(serving.rpartition(':')[2])


def asked_while(port: int, rotate: Callable[[], None], times: int) -> list[str]:
    """Calls ``rotate`` while requests come; returns the name of each request."""
    over = threading.Event()
    names: list[str] = []

    def ask() -> None:
        with Peer(port) as peer:
            while not over.is_set():
                name = 'request-%d.' % len(names)
                assert peer.ask(request('GET', '/version', x_request_id=name)).status == 200
                names.append(name)

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        for _ in range(times):
            count = len(names)
            wait_for(lambda count=count: len(names) > count + 50, 'some load')
            rotate()
    finally:
        over.set()
        asking.join()
    return names


def lines_in(folder: Path, name: str) -> str:
    """Returns what the log says, in all files that there are of it."""
    said = ''
    for path in folder.glob(name + '*'):
        raw = path.read_bytes()
        said += (gzip.decompress(raw) if path.suffix == '.gz' else raw).decode()
    return said


def check_all_said_once(folder: Path, name: str, names: list[str]) -> None:
    wait_for(lambda: names[-1] in lines_in(folder, name), 'the last line')
    said = lines_in(folder, name)

    assert [each for each in names if said.count(' %s\n' % each) != 1] == []


def test_no_line_is_lost_by_moving_files_away(tmp_path: Path) -> None:
    log = tmp_path / 'store.log'
    with LiveServer(tmp_path / 'store', '-L', str(log)) as server:
        moved = iter(range(100))

        def rotate() -> None:
            log.rename('%s.%d' % (log, next(moved)))
            os.kill(server.pid, signal.SIGUSR1)
            wait_for(log.exists, 'the next file')

        names = asked_while(port_in(log), rotate, 5)
        check_all_said_once(tmp_path, 'store.log', names)


def test_no_line_is_lost_by_logrotate(tmp_path: Path) -> None:
    log, pid_file = tmp_path / 'store.log', tmp_path / 'pid'
    text = LOGROTATE.read_text()
    assert '/var/log/filetracker/*.log' in text
    assert '/run/filetracker/filetracker-server.pid' in text
    assert 'su filetracker filetracker\n' in text
    me = pwd.getpwuid(os.geteuid()).pw_name, grp.getgrgid(os.getegid()).gr_name
    text = text.replace('su filetracker filetracker', 'su %s %s' % me)
    text = text.replace('/var/log/filetracker', str(tmp_path))
    settings = tmp_path / 'logrotate.conf'
    settings.write_text(text.replace('/run/filetracker/filetracker-server.pid', str(pid_file)))
    settings.chmod(0o600)
    program = shutil.which('logrotate', path=os.environ['PATH'] + ':/usr/sbin')
    assert program, 'logrotate is needed: sudo apt-get install logrotate'

    def rotate() -> None:
        # An empty one is left alone.
        wait_for(lambda: log.exists() and log.stat().st_size, 'lines')
        ended = subprocess.run(
            [program, '--force', '--state', tmp_path / 'state', settings],
            capture_output=True,
            text=True,
        )
        assert (ended.returncode, ended.stderr) == (0, '')

    with LiveServer(tmp_path / 'store', '-L', str(log), '--pid-file', str(pid_file)):
        names = asked_while(port_in(log), rotate, 4)
        check_all_said_once(tmp_path, 'store.log', names)

    assert sorted(path.name for path in tmp_path.glob('store.log*')) == [
        'store.log',
        'store.log.1',
        *('store.log.%d.gz' % number for number in (2, 3, 4)),
    ]


def test_the_log_of_a_server_in_the_background_is_begun_anew(
    daemon: psutil.Process, tmp_path: Path
) -> None:
    """All that its processes write to: also what is no line of the log, as the last words are."""
    store = tmp_path / 'store'
    log = store / 'filetracker-server.log'
    moved = store / 'filetracker-server.log.1'
    log.rename(moved)
    daemon.send_signal(signal.SIGUSR1)

    def outputs() -> set[str]:
        family = [daemon, *daemon.children()]
        return {
            os.readlink('/proc/%d/fd/%d' % (process.pid, descriptor))
            for process in family
            for descriptor in (1, 2)
        }

    wait_for(lambda: outputs() == {str(log)}, 'the other file')
    names = asked_while(port_in(moved), lambda: None, 1)
    check_all_said_once(store, log.name, names)
    assert names[0] not in moved.read_text()


def test_a_log_that_is_set_up_by_json_is_begun_anew(tmp_path: Path) -> None:
    log, moved, config = tmp_path / 'store.log', tmp_path / 'store.log.1', tmp_path / 'log.json'
    config.write_text(
        '{"version": 1, "handlers": {"file": {"class": "logging.FileHandler", "filename": "%s"}},'
        ' "root": {"level": "INFO", "handlers": ["file"]}}' % log
    )
    with LiveServer(tmp_path / 'store', '--log-config', str(config)) as server:
        log.rename(moved)
        os.kill(server.pid, signal.SIGUSR1)
        wait_for(lambda: asked(server.port) and log.exists(), 'another file')

        asked(server.port, 'last.')
        wait_for(lambda: 'last.' in log.read_text(), 'the line')
    assert 'last.' not in moved.read_text()


def asked(port: int, name: str = 'one.') -> bool:
    with Peer(port) as peer:
        return peer.ask(request('GET', '/version', x_request_id=name)).status == 200


@pytest.mark.parametrize('handler', ['WatchedFileHandler', 'FileHandler'])
def test_the_server_outlives_the_directory_of_its_log(tmp_path: Path, handler: str) -> None:
    folder = tmp_path / 'logs'
    log = folder / 'server.log'
    folder.mkdir()
    module = 'logging.handlers' if handler.startswith('Watched') else 'logging'
    made = {'class': '%s.%s' % (module, handler), 'filename': str(log)}
    told = {'version': 1, 'handlers': {'x': made}, 'root': {'level': 'INFO', 'handlers': ['x']}}
    config = tmp_path / 'log.json'
    config.write_text(json.dumps(told))
    server = subprocess.Popen(
        [sys.executable, '-m', 'filetracker.servers.run', '-D', '-d', str(tmp_path / 'store')]
        + ['-p', '0', '--log-config', str(config)],
        env=environment(),
    )
    try:
        wait_for(lambda: log.exists() and ' serving ' in log.read_text(), 'the server')
        port = port_in(log)
        owner = psutil.Process(server.pid).children()[0]
        shutil.rmtree(folder)
        server.send_signal(signal.SIGUSR1)
        with Peer(port) as peer:
            peer.ask(request('GET', '/version'))
        owner.kill()
        wait_for(lambda: is_over(owner), 'the owner to end')
        with Peer(port) as peer:
            assert peer.ask(request('GET', '/version')).status == 200
        folder.mkdir()

        def is_told() -> bool:
            with Peer(port) as peer:
                peer.ask(request('GET', '/version', x_request_id='told'))
            return log.exists() and ' told' in log.read_text()

        wait_for(is_told, 'a line of the log')
    finally:
        server.terminate()
        assert server.wait(PATIENCE) == 0
