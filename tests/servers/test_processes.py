"""The parent that holds the port and the owner of the store."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
import requests

from filetracker.servers import processes
from filetracker.servers.settings import parse_settings
from filetracker.servers.supervisor import Taken
from tests.support import LiveServer, environment, is_over, wait_for
from tests.wire.raw import Peer, put

SLOW = ['--stop-timeout', '600']


def test_the_parent_knows_neither_gevent_nor_berkeley_db() -> None:
    code = (
        'import sys; import filetracker.servers.run\n'
        'print([name for name in sys.modules if name.split(".")[0] in %r])'
        % (('gevent', 'greenlet', 'bsddb3', 'berkeleydb'),)
    )
    ended = subprocess.run(
        [sys.executable, '-c', code], capture_output=True, text=True, env=environment()
    )

    assert ended.stdout == '[]\n'


def test_the_owner_leaves_when_the_parent_is_killed(server: LiveServer) -> None:
    owner = psutil.Process(server.owner_pid())
    os.kill(server.pid, signal.SIGKILL)

    wait_for(lambda: is_over(owner), 'the owner to leave')
    server.kill()
    server.start()
    assert requests.get(server.url).status_code == 200


def test_the_owner_finishes_its_requests_when_the_parent_is_killed(server: LiveServer) -> None:
    owner = psutil.Process(server.owner_pid())
    with Peer(server.port) as peer:
        sent = put('file')
        peer.send(sent[:-1])
        wait_for(lambda: len(owner.net_connections('tcp')) > 1, 'the connection to be taken')
        os.kill(server.pid, signal.SIGKILL)
        peer.send(sent[-1:])

        assert peer.read().status == 200
    wait_for(lambda: is_over(owner), 'the owner to leave')


def test_an_orphan_waits_for_no_silent_client(server: LiveServer) -> None:
    owner = psutil.Process(server.owner_pid())
    with Peer(server.port) as peer:
        peer.send(put('file')[:-1])
        wait_for(lambda: len(owner.net_connections('tcp')) > 1, 'the connection to be taken')
        os.kill(server.pid, signal.SIGKILL)

        # The client may be silent for 60 s, and a stop by hand waits 30 s for it.
        wait_for(lambda: is_over(owner), 'the owner to leave', 15)


def test_the_owner_is_replaced_when_it_is_asked_to_stop(server: LiveServer) -> None:
    owner = server.owner_pid()
    os.kill(owner, signal.SIGTERM)

    wait_for(lambda: server.owner_pid() != owner, 'another owner')
    assert requests.get(server.url).status_code == 200
    assert server.stop() == 0


def test_the_server_stops_on_ctrl_c(server: LiveServer) -> None:
    """A terminal sends it to both processes."""
    process = psutil.Process(server.pid)
    os.kill(server.owner_pid(), signal.SIGINT)
    os.kill(server.pid, signal.SIGINT)

    wait_for(lambda: is_over(process), 'the server to stop')
    assert server.log().endswith('stopped\n')


def test_a_second_signal_stops_the_server_at_once(tmp_path: Path) -> None:
    with LiveServer(tmp_path / 'store', *SLOW) as server, Peer(server.port) as peer:
        owner = psutil.Process(server.owner_pid())
        peer.send(put('file')[:-1])
        wait_for(lambda: len(owner.net_connections('tcp')) > 1, 'the connection to be taken')
        os.kill(server.pid, signal.SIGTERM)
        wait_for(lambda: _stops_listening(owner), 'the owner to stop')

        # That would wait for the peer.
        assert server.stop() == 0
        assert peer.is_dropped()


def test_an_owner_that_cannot_serve_is_tried_again(server: LiveServer) -> None:
    """Until what stands in the way is gone."""
    owner = server.owner_pid()
    moved = Path('%s.moved' % server.base_dir)
    server.base_dir.rename(moved)
    server.base_dir.touch()
    os.kill(owner, signal.SIGKILL)
    wait_for(lambda: server.log().count('cannot serve: ') >= 2, 'two attempts')

    server.base_dir.unlink()
    moved.rename(server.base_dir)
    assert requests.get(server.url, timeout=20).status_code == 200


def test_the_server_stops_while_its_store_cannot_be_opened(server: LiveServer) -> None:
    moved = Path('%s.moved' % server.base_dir)
    server.base_dir.rename(moved)
    server.base_dir.touch()
    os.kill(server.owner_pid(), signal.SIGKILL)
    wait_for(lambda: 'cannot serve: ' in server.log(), 'an attempt')

    assert server.stop() == 0


def test_an_unusable_store_ends_the_owner(tmp_path: Path) -> None:
    with LiveServer(tmp_path / 'store', module='tests.servers.panic') as server:
        owner = server.owner_pid()
        assert requests.get(server.url + '/files/panic').status_code == 503

        wait_for(lambda: server.owner_pid() != owner, 'another owner')
        assert requests.get(server.url).status_code == 200


def _stops_listening(owner: psutil.Process) -> bool:
    return all(found.status != psutil.CONN_LISTEN for found in owner.net_connections('tcp'))


def test_a_signal_to_stop_may_come_while_the_owner_is_asked_to_leave(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = parse_settings(['-D', '-d', str(tmp_path / 'store')], {})
    parent = processes._Parent(settings, Taken(socket.socket(), False), lambda: None, None)
    told, parent._lifeline = os.pipe()
    close = os.close

    def close_and_signal(descriptor: int) -> None:
        close(descriptor)
        monkeypatch.undo()
        parent._stop()

    monkeypatch.setattr(os, 'close', close_and_signal)
    parent._ask_owner_to_stop()

    with open(told, 'rb') as pipe:
        assert pipe.read() == processes.STOP
