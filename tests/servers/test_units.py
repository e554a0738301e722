"""The units for systemd, as far as that can be tried without being the first process."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from filetracker.servers.settings import TABLE
from tests.access.encrypted import Certified, TlsPeer
from tests.access.rules import RULES, bearer
from tests.servers.sandboxed import UNIT
from tests.support import LiveServer, wait_for
from tests.wire.raw import delete, get, put, request

UNITS = UNIT.parent
COMMAND = '/opt/filetracker/bin/filetracker-server'


@pytest.fixture
def service(tmp_path: Path) -> Path:
    """The service, beside its socket, with a program that exists."""
    for path in UNITS.iterdir():
        text = path.read_text()
        assert path.suffix != '.service' or COMMAND + ' --no-daemon\n' in text
        (tmp_path / path.name).write_text(text.replace(COMMAND, '/bin/true'))
    return tmp_path / 'filetracker.service'


def analyze(*arguments: object) -> subprocess.CompletedProcess[str]:
    program = shutil.which('systemd-analyze')
    assert program, 'systemd-analyze is needed: sudo apt-get install systemd'
    return subprocess.run([program, *map(str, arguments)], capture_output=True, text=True)


def test_systemd_understands_every_line(service: Path) -> None:
    done = analyze('verify', service, service.with_suffix('.socket'))

    assert (done.returncode, done.stdout, done.stderr) == (0, '', '')


def test_systemd_finds_little_that_the_service_could_harm(service: Path) -> None:
    """By its own measure, from 0 to 100; without a sandbox it is 92 to 96."""
    done = analyze('security', '--offline=true', '--threshold=13', '--no-pager', service)

    assert done.returncode == 0, done.stdout


def test_a_line_that_is_taken_away_is_missed(service: Path) -> None:
    text = service.read_text()
    service.write_text(text.replace('ProtectSystem=strict\n', 'ProtectSystem=no\nStrict=yes\n'))

    assert analyze('security', '--offline=true', '--threshold=13', service).returncode != 0
    assert 'Strict' in analyze('verify', service).stderr


def test_each_variable_of_the_service_is_a_setting() -> None:
    lines = UNIT.read_text().splitlines()
    variables = {line.split('=')[1] for line in lines if line.startswith('Environment=')}

    assert variables and variables <= {each.variable for each in TABLE}


def test_the_server_needs_no_more_system_calls_than_the_service_allows(tmp_path: Path) -> None:
    """Nor memory that can be both written and executed."""
    certified = Certified(tmp_path / 'certified')
    rules = tmp_path / 'access.toml'
    rules.write_text(RULES)
    log = tmp_path / 'store.log'
    flags = *certified.flags, '--access', str(rules), '-L', str(log)
    admin = {'authorization': bearer('admin')}
    with LiveServer(tmp_path / 'store', *flags, module='tests.servers.sandboxed') as server:
        for sign in (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGKILL):
            with TlsPeer(server.port, certified.context()) as peer:
                asked = [put('a', **admin), get('a', **admin), put('b', b'x' * 100_000, **admin)]
                asked += [request('GET', '/list', **admin), request('HEAD', '/files/b', **admin)]
                asked += [get('b', accept_encoding='gzip', **admin), delete('a', **admin)]
                assert [peer.ask(each).status for each in asked] == [200] * len(asked)
            owner = server.owner_pid()
            os.kill(owner if sign == signal.SIGKILL else server.pid, sign)
            if sign in (signal.SIGUSR2, signal.SIGKILL):
                wait_for(lambda owner=owner: server.owner_pid() != owner, 'another process')
        seen = Path('/proc/%d/status' % server.pid).read_text()
        assert 'Seccomp:\t2\n' in seen
        assert server.stop() == 0

    errors = [line for line in log.read_text().splitlines() if ' ERROR ' in line]
    assert [line.partition(' the process ')[2] for line in errors] == [
        'that owned the store was killed by signal 9; starting another'
    ]
    assert 'not permitted' not in log.read_text()
