"""The command on a terminal: bars, interrupts, and completion of words."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import signal
import struct
import subprocess
import sys
import termios
import threading

import pytest

from filetracker.client.exits import INTERRUPTED
from filetracker.client.shell import main
from tests.client.commands import command, done, is_saving
from tests.client.raw_server import RawServer, file_answer
from tests.support import PATIENCE, environment, wait_for

TEXT = os.urandom(1_000_000)


class Terminal:
    """A command on a terminal of its own; ``shown`` is what was drawn there so far."""

    def __init__(self, command) -> None:
        self.shown = b''
        self._end, other = pty.openpty()
        fcntl.ioctl(other, termios.TIOCSWINSZ, struct.pack('HHHH', 24, 80, 0, 0))
        self.process = subprocess.Popen(
            command, stdin=other, stdout=other, stderr=other, env=environment()
        )
        os.close(other)
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def finish(self) -> int:
        status = self.process.wait(60)
        self._reader.join()
        os.close(self._end)
        return status

    def _read(self) -> None:
        # Reading from a terminal that nobody has open any more is an error.
        with contextlib.suppress(OSError):
            while piece := os.read(self._end, 65536):
                self.shown += piece


@contextlib.contextmanager
def stopping(seconds):
    """Yields a server that stops in the middle of a file, for so long; ``reached`` is set then."""
    reached, over = threading.Event(), threading.Event()

    def answer(connection, request):
        whole = file_answer(TEXT)
        half = len(whole) // 2
        for start in range(0, half, 10_000):
            connection.sendall(whole[start : min(start + 10_000, half)])
        reached.set()
        if over.wait(seconds):
            return
        with contextlib.suppress(OSError):
            connection.sendall(whole[half:])

    with RawServer(answer) as server:
        server.reached, server.over = reached, over
        try:
            yield server
        finally:
            over.set()


@pytest.fixture
def slow():
    with stopping(1.2) as server:
        yield server


@pytest.fixture
def stuck():
    with stopping(None) as server:
        yield server


def test_what_takes_longer_than_a_second_is_drawn_and_wiped_away(slow, tmp_path):
    terminal = Terminal(
        command('-r', slow.url, '-c', tmp_path / 'cache', 'get', '/d/large', tmp_path / 'o')
    )

    assert terminal.finish() == 0
    assert (tmp_path / 'o').read_bytes() == TEXT
    assert b'large: ' in terminal.shown
    assert b'k/977k' in terminal.shown
    assert b'\n' not in terminal.shown
    assert terminal.shown.endswith(b'\r')


def test_into_a_pipe_nothing_is_drawn(slow, tmp_path):
    result = subprocess.run(
        command('-r', slow.url, '-c', tmp_path / 'cache', 'get', '/large', tmp_path / 'o'),
        capture_output=True,
        env=environment(),
    )

    assert (result.returncode, result.stdout, result.stderr) == (0, b'', b'')


def test_what_is_quick_is_not_drawn(live, remote, file, tmp_path):
    # However slow the machine is.
    quick = 'from filetracker.client.shell import bars, main; bars._LONG = 60; main()'
    arguments = ['-r', live.url, '-c', str(tmp_path / 'cache'), 'put', str(file), '/a@5']
    terminal = Terminal([sys.executable, '-c', quick, *arguments])

    assert terminal.finish() == 0
    assert terminal.shown == b'/a@5\r\n'


def test_many_files_are_counted(slow, tmp_path):
    names = ['/d/%d' % number for number in range(3)]
    terminal = Terminal(
        command('-r', slow.url, '-c', tmp_path / 'c', 'get', '-t', tmp_path / 'o', *names)
    )

    assert terminal.finish() == 0
    assert sorted(os.listdir(tmp_path / 'o')) == ['0', '1', '2']
    assert b'/3.00 ' in terminal.shown
    assert b' files' in terminal.shown


@pytest.mark.parametrize(
    ('names', 'number', 'status'),
    [
        (['/a'], signal.SIGINT, INTERRUPTED),
        (['/a', '/b', '/c'], signal.SIGINT, INTERRUPTED),
        (['/a'], signal.SIGTERM, 128 + signal.SIGTERM),
    ],
)
def test_who_is_ended_leaves_what_was_there(stuck, tmp_path, names, number, status):
    (tmp_path / 'o').mkdir()
    (tmp_path / 'o' / 'a').write_text('old')
    terminal = Terminal(
        command('-r', stuck.url, '-c', tmp_path / 'cache', 'get', *names, tmp_path / 'o')
    )
    assert stuck.reached.wait(PATIENCE)
    wait_for(lambda: is_saving(terminal.process, tmp_path / 'o'), 'the download')

    terminal.process.send_signal(number)
    if len(names) > 1:
        # Threads hear of it when their connections say something; the rest never comes.
        stuck.over.set()
    assert terminal.finish() == status
    assert os.listdir(tmp_path / 'o') == ['a']
    assert (tmp_path / 'o' / 'a').read_text() == 'old'
    assert os.listdir(tmp_path / 'cache' / 'files') == []
    assert os.listdir(tmp_path / 'cache' / 'locks') == ['tree.lock']
    assert b'Traceback' not in terminal.shown
    assert b'filetracker' not in terminal.shown


def test_a_list_that_nobody_reads_on_is_no_reason_to_complain(run, remote, file, live, tmp_path):
    for number in range(30):
        remote.add_file('/%s%d@5' % ('x' * 200, number), file)
    with subprocess.Popen(
        command('-r', live.url, '-c', tmp_path / 'cache', 'ls', *['/'] * 20),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
    ) as process:
        assert process.stdout.readline().startswith(b'/xxx')
        process.stdout.close()
        assert process.stderr.read() == b''


def test_bash_takes_the_script_that_completes_words(run):
    script = done(run('--completion', 'bash'))
    probe = b"""
        COMP_WORDS=(filetracker ge); COMP_CWORD=1
        _shtab_filetracker
        echo "${COMPREPLY[@]}"
    """
    said = subprocess.run(['bash'], input=script + probe, capture_output=True)

    assert said.stdout.split() == [b'get']


@pytest.mark.parametrize('shell', ['zsh', 'fish', 'tcsh'])
def test_there_are_scripts_for_other_shells(shell, capsys):
    with pytest.raises(SystemExit) as exited:
        main(['--completion', shell])

    assert not exited.value.code
    assert 'recursive' in capsys.readouterr().out
