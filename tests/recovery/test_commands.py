"""The commands on stores: one line where something is wrong, and the status that goes with it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
import struct
import subprocess
import sys
import termios

import pytest

from filetracker.errors import StoreUnusable
from filetracker.scripts.outcome import status_of
from filetracker.servers.storage.control import ask
from tests.recovery.damaged import make_damaged_store
from tests.recovery.holdings import files
from tests.support import environment


def command(name, *arguments):
    return subprocess.run(
        [sys.executable, '-m', 'filetracker.scripts.' + name, *map(str, arguments)],
        env=environment(),
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize('flags', [[], ['--dry-run'], ['--purge'], ['--full']])
def test_recover_refuses_a_store_that_is_served(server, flags):
    ended = command('recover', *flags, server.base_dir)

    assert (ended.returncode, ended.stdout) == (1, '')
    assert ended.stderr == (
        'filetracker-recover: another process is using the store in %s\n' % server.base_dir
    )


def test_recover_refuses_what_is_no_store(tmp_path):
    (tmp_path / 'letter').write_text('dear all')
    ended = command('recover', tmp_path)

    assert ended.returncode == 1
    assert ended.stderr.startswith('filetracker-recover: ')
    assert ended.stderr.count('\n') == 1
    assert set(files(tmp_path)) == {b'letter'}


def test_a_store_that_knows_no_names_is_not_taken_for_one_that_lost_them(tmp_path):
    (tmp_path / 'blobs').mkdir()

    assert command('recover', tmp_path).returncode == 1


@pytest.mark.parametrize('arguments', [[], ['a', 'b'], ['--dry-run', '--purge', 'a'], ['--what']])
def test_recover_does_not_guess(arguments):
    ended = command('recover', *arguments)

    assert (ended.returncode, ended.stdout) == (2, '')


def test_recover_ends_with_the_line_that_it_always_ended_with(tmp_path):
    make_damaged_store(tmp_path / 'store')
    ended = command('recover', tmp_path / 'store')

    assert (ended.returncode, ended.stderr) == (0, '')
    last = ended.stdout.splitlines()[-1]
    assert last == 'Completed, 6 broken links and 4 stray blobs found.'


@pytest.mark.parametrize('name', ['recover', 'check'])
def test_what_the_system_says_is_one_line_without_numbers(tmp_path, name):
    (tmp_path / 'store').mkdir()
    (tmp_path / 'store' / 'blobs').mkdir()
    (tmp_path / 'store' / 'links').write_text('a file')
    (tmp_path / 'store' / 'spool').write_text('a file')
    ended = command(name, tmp_path / 'store')

    assert ended.returncode == 1
    assert ended.stderr.count('\n') == 1
    assert 'Errno' not in ended.stderr


def test_what_recover_leaves_belongs_to_the_owner_of_the_store(tmp_path):
    """Only root sees more than that it ends well."""
    make_damaged_store(tmp_path / 'store')
    owner = 65534 if os.geteuid() == 0 else os.geteuid()
    os.chown(tmp_path / 'store', owner, -1)
    ended = command('recover', tmp_path / 'store')

    assert ended.returncode == 0
    assert (tmp_path / 'store' / 'lost+found' / 'list').exists()
    assert {path.lstat().st_uid for path in (tmp_path / 'store').rglob('*')} == {owner}


def test_an_interrupt_is_130(capsys):
    def interrupted():
        raise KeyboardInterrupt

    assert status_of('filetracker-check', interrupted) == 130
    assert capsys.readouterr().err == 'filetracker-check: interrupted; run it again to go on\n'


def test_the_door_for_commands_is_shut_when_the_server_stops(server):
    assert (server.base_dir / 'spool/control').is_socket()
    assert stat.S_IMODE((server.base_dir / 'spool/control').stat().st_mode) == 0o600
    assert server.stop() == 0
    assert not (server.base_dir / 'spool/control').exists()


def test_a_server_stops_though_somebody_looks_at_its_store(server):
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(ask(str(server.base_dir)))
        assert os.listdir(folder) == ['db']
        assert server.stop() == 0
        assert not os.path.exists(folder)

        with pytest.raises(StoreUnusable, match='the server stopped meanwhile'):
            stack.close()


def test_on_a_terminal_there_are_bars(tmp_path):
    make_damaged_store(tmp_path / 'store')
    master, slave = os.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack('4H', 24, 80, 0, 0))
    with subprocess.Popen(
        [sys.executable, '-m', 'filetracker.scripts.recover', '--full', str(tmp_path / 'store')],
        env=environment(TERM='xterm'),
        stdout=subprocess.DEVNULL,
        stderr=slave,
    ) as process:
        os.close(slave)
        shown = b''
        # The end of a terminal is an error.
        with contextlib.suppress(OSError):
            while piece := os.read(master, 4096):
                shown += piece
        os.close(master)

    assert process.returncode == 0
    for what in (b'inspecting blobs: 100%', b'checking names', b'checking links'):
        assert what in shown
