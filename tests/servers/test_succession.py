"""The server becomes what is installed now, and nobody notices."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from tests.access.encrypted import Certified, TlsPeer
from tests.access.rules import RULES, bearer
from tests.servers.command import run
from tests.servers.steady import Steady
from tests.support import PATIENCE, ROOT, LiveServer, environment, is_over, wait_for
from tests.wire.raw import Peer, get, put

SERVING = 'filetracker-server: serving '


def replace(pid: int, log: Callable[[], str]) -> None:
    """Has a server replaced, and waits until the next one serves."""
    before = log().count(SERVING)
    os.kill(pid, signal.SIGUSR2)
    wait_for(lambda: log().count(SERVING) > before, 'the next one to serve')


def replace_under_load(steady: Steady, pid: int, log: Callable[[], str], times: int) -> None:
    with steady:
        for _ in range(times):
            count = steady.count()
            wait_for(lambda count=count: steady.count() > count + 20, 'some load')
            replace(pid, log)
        count = steady.count()
        wait_for(lambda: steady.count() > count + 20, 'some load')
    steady.check()


def test_nobody_is_refused_while_it_is_replaced_again_and_again(server: LiveServer) -> None:
    owner = server.owner_pid()
    replace_under_load(Steady(lambda: Peer(server.port)), server.pid, server.log, 3)

    assert server.owner_pid() != owner
    assert server.stop() == 0
    assert server.log().endswith('stopped\n')


def test_nobody_is_refused_with_tls_and_access_control(tmp_path: Path) -> None:
    certified = Certified(tmp_path / 'certified')
    rules = tmp_path / 'access.toml'
    rules.write_text(RULES)
    flags = *certified.flags, '--access', str(rules)
    with LiveServer(tmp_path / 'store', *flags) as server:
        steady = Steady(
            lambda: TlsPeer(server.port, certified.context()), authorization=bearer('admin')
        )
        replace_under_load(steady, server.pid, server.log, 2)


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Path]:
    """The store of a server in the background, which was told by a path that is not absolute."""
    ended = run('-d', 'store', '-p', '0', cwd=str(tmp_path))
    assert ended.returncode == 0, ended
    store = tmp_path / 'store'
    process = psutil.Process(int((store / 'filetracker-server.pid').read_text()))
    yield store
    process.terminate()
    wait_for(lambda: is_over(process), 'the daemon to end')
    assert not (store / 'filetracker-server.pid').exists()


def test_nobody_is_refused_by_a_server_in_the_background(daemon: Path) -> None:
    pid_file = daemon / 'filetracker-server.pid'
    pid = int(pid_file.read_text())
    log = (daemon / 'filetracker-server.log').read_text
    port = int(log().partition(SERVING)[2].splitlines()[0].rpartition(':')[2])
    replace_under_load(Steady(lambda: Peer(port)), pid, log, 2)

    assert int(pid_file.read_text()) == pid


@pytest.fixture
def patient(tmp_path: Path) -> Iterator[LiveServer]:
    """A server that waits for who has just connected longer than a test may take."""
    with LiveServer(tmp_path / 'store', module='tests.servers.patient') as live:
        yield live


def test_who_has_just_connected_is_answered_by_the_one_that_leaves(patient: LiveServer) -> None:
    owner = psutil.Process(patient.owner_pid())
    with Peer(patient.port) as peer:
        wait_for(lambda: len(owner.net_connections('tcp')) > 1, 'the connection to be taken')
        os.kill(patient.pid, signal.SIGUSR2)
        wait_for(
            lambda: all(each.status != psutil.CONN_LISTEN for each in owner.net_connections('tcp')),
            'the owner to stop',
        )

        assert peer.ask(put('file')).status == 200
    wait_for(lambda: patient.log().count(SERVING) == 2, 'the next one to serve')


def test_it_goes_on_where_what_is_installed_now_is_broken(tmp_path: Path) -> None:
    """The program is a copy, of which a file is damaged, and then mended.

    At last it is installed once more; a process that dies is not replaced by one of two versions.
    """
    shutil.copytree(ROOT / 'filetracker', tmp_path / 'lib' / 'filetracker')
    log = tmp_path / 'log'
    arguments = ['-d', str(tmp_path / 'store'), '-p', '0', '-D', '-L', str(log)]
    with subprocess.Popen(
        [sys.executable, '-m', 'filetracker.servers.run', *arguments],
        env=environment(PYTHONPATH=str(tmp_path / 'lib')),
        cwd=tmp_path,
    ) as process:
        try:
            wait_for(lambda: log.exists() and SERVING in log.read_text(), 'the server')
            port = int(log.read_text().partition(SERVING)[2].split('\n')[0].rpartition(':')[2])
            module = tmp_path / 'lib/filetracker/servers/owner.py'
            good = module.read_text()
            module.write_text(good + 'import no_such_module\n')
            process.send_signal(signal.SIGUSR2)
            wait_for(lambda: 'cannot take over: ' in log.read_text(), 'the reason')

            with Peer(port) as peer:
                assert peer.ask(put('file')).status == 200
                module.write_text(good)
                replace(process.pid, log.read_text)
            with Peer(port) as peer:
                assert peer.ask(get('file')).status == 200
        finally:
            process.terminate()
            process.wait(PATIENCE)
    assert (
        "cannot take over: filetracker-server: No module named 'no_such_module'" in log.read_text()
    )


def test_it_is_replaced_though_its_working_directory_was_made_anew(tmp_path: Path) -> None:
    directory, log = tmp_path / 'work', tmp_path / 'log'
    directory.mkdir()
    arguments = ['-d', str(tmp_path / 'store'), '-p', '0', '-D', '-L', str(log)]
    with subprocess.Popen(
        [sys.executable, '-m', 'filetracker.servers.run', *arguments],
        env=environment(),
        cwd=directory,
    ) as process:
        try:
            wait_for(lambda: log.exists() and SERVING in log.read_text(), 'the server')
            directory.rmdir()
            directory.mkdir()
            replace(process.pid, log.read_text)
        finally:
            process.terminate()
            assert process.wait(PATIENCE) == 0


def test_signals_wait_while_it_becomes_another(server: LiveServer) -> None:
    """Those that would end a process that does not know them yet."""

    def is_replaced_meanwhile(before: int) -> bool:
        os.kill(server.pid, signal.SIGUSR1)
        os.kill(server.pid, signal.SIGHUP)
        return server.log().count(SERVING) > before

    for _ in range(2):
        before = server.log().count(SERVING)
        os.kill(server.pid, signal.SIGUSR2)
        wait_for(lambda before=before: is_replaced_meanwhile(before), 'the next one to serve')

    with Peer(server.port) as peer:
        assert peer.ask(put('file')).status == 200
    assert server.stop() == 0


def test_a_successor_whose_store_cannot_be_opened_goes_on_trying(patient: LiveServer) -> None:
    moved = Path('%s.moved' % patient.base_dir)
    # The connection that has asked for nothing keeps the owner until the store is away.
    with Peer(patient.port):
        wait_for(lambda: len(psutil.Process(patient.owner_pid()).net_connections('tcp')) > 1)
        os.kill(patient.pid, signal.SIGUSR2)
        wait_for(lambda: 'takes over' in patient.log(), 'the owner to be asked to leave')
        patient.base_dir.rename(moved)
        patient.base_dir.touch()
    wait_for(lambda: patient.log().count('cannot serve: ') >= 2, 'two attempts')
    patient.base_dir.unlink()
    moved.rename(patient.base_dir)

    with Peer(patient.port) as peer:
        assert peer.ask(put('file')).status == 200


def test_a_socket_that_is_handed_over_is_served(tmp_path: Path) -> None:
    """As systemd does it, which also wants to be told when it serves, and to stay its parent."""
    told = tmp_path / 'notify'
    with (
        socket.create_server(('127.0.0.1', 0)) as listener,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as supervisor,
    ):
        supervisor.bind(str(told))
        supervisor.settimeout(PATIENCE)
        with subprocess.Popen(
            [sys.executable, '-m', 'tests.servers.activator', str(listener.fileno())]
            + ['-d', str(tmp_path / 'store')],
            pass_fds=[listener.fileno()],
            env=environment(NOTIFY_SOCKET=str(told)),
            stdout=subprocess.DEVNULL,
        ) as process:
            try:
                assert supervisor.recv(100) == b'READY=1'
                with Peer(listener.getsockname()[1]) as peer:
                    assert peer.ask(put('file')).status == 200
                process.send_signal(signal.SIGUSR2)
                assert supervisor.recv(100).startswith(b'RELOADING=1\nMONOTONIC_USEC=')
                assert supervisor.recv(100) == b'READY=1'
                with Peer(listener.getsockname()[1]) as peer:
                    assert peer.ask(get('file')).status == 200
            finally:
                process.terminate()
                process.wait(PATIENCE)
        assert supervisor.recv(100) == b'STOPPING=1'
    assert process.returncode == 0


@pytest.mark.parametrize(
    ('kind', 'said'),
    [
        ('file', 'no socket was handed over: '),
        ('datagram', 'what was handed over is no socket that listens for TCP'),
        ('connected', 'what was handed over is no socket that listens for TCP'),
    ],
)
def test_what_is_no_listening_socket_is_refused(tmp_path: Path, kind: str, said: str) -> None:
    with (
        open(os.devnull) as file,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagram,
        socket.socket() as connected,
    ):
        given = {'file': file, 'datagram': datagram, 'connected': connected}[kind].fileno()
        ended = subprocess.run(
            [sys.executable, '-m', 'tests.servers.activator', str(given)]
            + ['-d', str(tmp_path / 'store'), '-D'],
            pass_fds=[given],
            env=environment(),
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )

    assert ended.returncode == 1
    assert ended.stderr.startswith('filetracker-server: ' + said)
    assert ended.stderr.count('\n') == 1


def test_a_socket_for_another_process_is_not_taken(tmp_path: Path) -> None:
    with LiveServer(tmp_path / 'store') as server:
        assert (
            run(
                '-d',
                str(tmp_path / 'b'),
                '-p',
                str(server.port),
                '-D',
                LISTEN_FDS='1',
                LISTEN_PID='1',
            ).returncode
            == 1
        )
