"""The command, as a process of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import threading

import pytest

from filetracker.client import shell
from tests.client.commands import command, done, failed, is_saving
from tests.client.raw_server import RawServer, file_answer
from tests.support import environment, wait_for

CONTENT = os.urandom(1_000_000)


@pytest.fixture
def file(tmp_path):
    path = tmp_path / 'in'
    path.write_bytes(CONTENT)
    return str(path)


def test_a_file_goes_in_and_comes_out(run, file, tmp_path):
    versioned = done(run('put', file, '/zażółć/a b')).decode().removesuffix('\n')

    name, _, version = versioned.partition('@')
    assert name == '/zażółć/a b'
    assert done(run('version', '/zażółć/a b')) == version.encode() + b'\n'
    assert done(run('get', versioned, str(tmp_path / 'out'))) == b''
    assert (tmp_path / 'out').read_bytes() == CONTENT
    assert done(run('cat', '/zażółć/a b')) == CONTENT
    assert done(run('rm', '/zażółć/a b')) == b''
    assert 'HTTP/404' in failed(run('version', '/zażółć/a b'))


def test_url_and_cache_can_be_options(run, live, file, tmp_path):
    other = tmp_path / 'other'
    options = ['-r', live.url, '-c', str(other)]
    done(run(*options, 'put', file, '/a@5', FILETRACKER_URL='http://127.0.0.1:1'))

    assert (other / 'files' / 'a').read_bytes() == CONTENT
    assert not (tmp_path / 'cache').exists()
    assert done(run('--remote-url', live.url, '--cache-dir', str(other), 'cat', '/a')) == CONTENT


def test_putting_can_leave_out_the_cache_or_the_server(run, remote, file, tmp_path):
    done(run('put', '--no-local-cache', file, '/a@5'))
    assert remote.exists('/a')
    assert os.listdir(tmp_path / 'cache' / 'files') == []

    done(run('put', '--no-remote-cache', file, '/b@5'))
    assert not remote.exists('/b')
    assert os.listdir(tmp_path / 'cache' / 'files') == ['b']


@pytest.mark.parametrize('flag', ['-c', '--no-cache'])
def test_getting_can_leave_out_the_cache(run, remote, file, flag, tmp_path):
    remote.add_file('/a@5', file)

    done(run('get', flag, '/a', str(tmp_path / 'out')))
    assert done(run('cat', flag, '/a')) == CONTENT
    assert os.listdir(tmp_path / 'cache' / 'files') == []


@pytest.mark.parametrize('flag', ['-f', '--refresh'])
def test_getting_can_ask_the_server_again(run, remote, file, flag, tmp_path):
    done(run('put', '--no-remote-cache', file, '/a@5'))

    assert done(run('cat', '/a@5')) == CONTENT
    assert 'HTTP/404' in failed(run('cat', flag, '/a@5'))
    assert 'HTTP/404' in failed(run('get', flag, '/a@5', str(tmp_path / 'out')))
    assert not (tmp_path / 'out').exists()


@pytest.mark.parametrize(
    ('arguments', 'said'),
    [
        (['get', '/missing', 'out'], 'filetracker: HTTP/404: no such file: missing'),
        (['cat', '/missing@5'], 'filetracker: HTTP/404: no such file: missing'),
        (['rm', '/missing'], 'filetracker: HTTP/404: no such file: missing'),
        (['put', '/nonexistent', '/a'], 'filetracker: /nonexistent: No such file or directory'),
        (['put', '/', '/a'], 'filetracker: /: Is a directory'),
        (['version', 'a'], 'filetracker: a name must start with "/": \'a\''),
        (['-r', 'http://127.0.0.1:1', 'version', '/a'], 'filetracker: cannot reach http://'),
        (['-r', 'nonsense', 'version', '/a'], 'filetracker: cannot reach nonsense'),
        (['-c', '/dev/null/x', 'version', '/a'], 'filetracker: /dev/null/x/files: Not a directory'),
    ],
)
def test_an_error_is_one_line(run, arguments, said):
    assert failed(run(*arguments)).startswith(said)


@pytest.mark.parametrize(
    'arguments',
    [
        [],
        ['unknown'],
        ['get', '/a'],
        ['get', '/a', 'b', 'c'],
        ['put', 'a'],
        ['rm'],
        ['version'],
        ['cat', '--what', '/a'],
        ['put', '--no-local-cache', '--no-remote-cache', '/etc/hostname', '/a'],
    ],
)
def test_wrong_usage_is_told_apart(run, arguments):
    result = run(*arguments)

    assert (result.returncode, result.stdout) == (2, b'')
    assert result.stderr.startswith(b'usage: filetracker')


@pytest.mark.parametrize('arguments', [[], ['get'], ['cat'], ['put'], ['rm'], ['version']])
def test_there_is_help(run, arguments):
    assert done(run(*arguments, '--help')).startswith(b'usage: filetracker')


def test_verbosely_it_tells_what_happens(run, file):
    result = run('-v', 'put', file, '/a@5')

    assert result.stdout == b'/a@5\n'
    assert b'PUT' in result.stderr


def test_who_has_read_enough_is_no_reason_to_complain(run, remote, live, file, tmp_path):
    remote.add_file('/a@5', file)

    with subprocess.Popen(
        command('-r', live.url, '-c', str(tmp_path / 'cache'), 'cat', '/a'),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
    ) as process:
        assert process.stdout.read(10) == CONTENT[:10]
        process.stdout.close()
        assert process.stderr.read() == b''
    assert process.returncode == 1


def test_output_that_cannot_be_written_is_an_error(run, remote, live, file, tmp_path):
    remote.add_file('/a@5', file)

    with open('/dev/full', 'wb') as full:
        for arguments in (['cat', '/a'], ['version', '/a']):
            result = subprocess.run(
                command('-r', live.url, '-c', str(tmp_path / 'cache'), *arguments),
                stdout=full,
                stderr=subprocess.PIPE,
                env=environment(PYTHONUNBUFFERED=''),
            )
            assert result.returncode == 1
            assert result.stderr.startswith(b'filetracker: ')
            assert b'No space left' in result.stderr
            assert b'Traceback' not in result.stderr


def test_an_interrupt_is_quiet_and_leaves_nothing_behind(tmp_path):
    waiting = threading.Event()
    done = threading.Event()

    def stall(connection, request):
        connection.sendall(file_answer(CONTENT)[:600_000])
        waiting.set()
        done.wait()

    (tmp_path / 'folder').mkdir()
    with RawServer(stall) as server:
        with subprocess.Popen(
            command('-r', server.url, '-c', str(tmp_path / 'cache'))
            + ['get', '/a', str(tmp_path / 'folder' / 'out')],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=environment(),
        ) as process:
            waiting.wait()
            assert wait_for(lambda: is_saving(process, tmp_path / 'folder'), 'the download')
            process.send_signal(signal.SIGINT)
            assert process.stdout.read() == b''
        done.set()

    assert process.returncode == 130
    assert os.listdir(tmp_path / 'folder') == []
    assert os.listdir(tmp_path / 'cache' / 'files') == []
    assert os.listdir(tmp_path / 'cache' / 'locks') == ['tree.lock']


def test_main_returns_the_status(remote, file, tmp_path, capsys):
    options = ['-r', remote.base_url, '-c', str(tmp_path / 'cache')]

    assert shell.main([*options, 'put', file, '/a@5']) == 0
    assert capsys.readouterr().out == '/a@5\n'
    assert shell.main([*options, 'version', '/b']) == 1
    assert capsys.readouterr().err == 'filetracker: HTTP/404: no such file: b\n'
