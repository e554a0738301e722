"""The command, with many files, directories, and the standard input and output."""

from __future__ import annotations

import os
import subprocess
import threading

import pytest

from filetracker.client.shell import main
from tests.client.commands import command, complaints, done, failed, misused
from tests.client.raw_server import RawServer, file_answer
from tests.client.reading import content, names_below
from tests.support import environment

NAMES = ['/d/a', '/d/e/b', '/f']


@pytest.fixture
def stored(remote, tmp_path):
    """Three files on the server, whose contents are their names; in version 5."""
    for name in NAMES:
        (tmp_path / 'in').write_text(name)
        remote.add_file(name + '@5', tmp_path / 'in')
    return NAMES


@pytest.fixture
def folder(tmp_path):
    """A directory with two files, one of them deeper."""
    (tmp_path / 'folder' / 'deep').mkdir(parents=True)
    (tmp_path / 'folder' / 'x').write_text('x')
    (tmp_path / 'folder' / 'deep' / 'y').write_text('y')
    return tmp_path / 'folder'


def bare(output):
    """The names in the output of ``put``."""
    return [line.partition('@')[0] for line in output.decode().splitlines()]


def test_several_files_are_saved_in_a_directory(run, stored, tmp_path):
    (tmp_path / 'out').mkdir()
    done(run('get', '/d/a@5', '-f', '/f', 'out'))
    done(run('get', '-t', 'new', '/d/e/b', '/f'))

    assert (tmp_path / 'out' / 'a').read_text() == '/d/a'
    assert names_below(tmp_path / 'out') == ['a', 'f']
    assert names_below(tmp_path / 'new') == ['b', 'f']


def test_a_single_file_goes_into_a_directory_too(run, stored, tmp_path):
    (tmp_path / 'out').mkdir()
    done(run('get', '/d/e/b', 'out'))

    assert (tmp_path / 'out' / 'b').read_text() == '/d/e/b'


def test_options_may_be_anywhere_but_after_two_dashes(run, stored, tmp_path):
    done(run('get', '-c', '--', '/f', '-odd'))
    assert done(run('put', '--no-local-cache', '--', '-odd', '/n@5')) == b'/n@5\n'

    assert (tmp_path / '-odd').read_text() == '/f'
    assert names_below(tmp_path / 'cache' / 'files') == []


def test_getting_a_directory_is_as_copying_one(run, stored, tmp_path):
    done(run('get', '-R', '/d', 'copy'))
    assert names_below(tmp_path / 'copy') == ['a', 'e/b']

    done(run('get', '-R', '/d/', '/f', 'copy'))
    assert names_below(tmp_path / 'copy') == ['a', 'd/a', 'd/e/b', 'e/b', 'f']

    done(run('get', '--recursive', '/', 'all'))
    assert names_below(tmp_path / 'all') == ['d/a', 'd/e/b', 'f']
    assert (tmp_path / 'all' / 'd' / 'e' / 'b').read_text() == '/d/e/b'


def test_what_fails_is_told_and_the_rest_is_saved(run, stored, tmp_path):
    (tmp_path / 'out').mkdir()
    result = run('get', '/missing', '/d/a', 'nonsense', '/f', 'out')

    assert complaints(result) == [
        'filetracker: a name must start with "/": \'nonsense\'',
        'filetracker: HTTP/404: no such file: missing',
    ]
    assert names_below(tmp_path / 'out') == ['a', 'f']


def test_two_files_are_not_saved_as_one(run, stored, remote, tmp_path):
    remote.add_file('/x/a@5', tmp_path / 'in')
    (tmp_path / 'out').mkdir()

    assert complaints(run('get', '/d/a', '/x/a', 'out')) == [
        'filetracker: /x/a is left out: out/a would be there, too'
    ]
    assert (tmp_path / 'out' / 'a').read_text() == '/d/a'


@pytest.mark.parametrize('listed', ['../../x', './x', 'x@5', '/x', 'a\x1bx'])
def test_a_server_cannot_choose_where_else_is_written(tmp_path, listed):
    def answer(connection, request):
        if request.target.startswith('/files'):
            connection.sendall(file_answer(b'bad'))
            return
        is_list = request.target.startswith('/list')
        body = listed.encode() + b'\n' if is_list else b'{"protocol_versions": [2]}'
        head = b'HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n'
        connection.sendall(head % len(body) + body)

    with RawServer(answer) as server:
        result = subprocess.run(
            command(
                '-r', server.url, '-c', tmp_path / 'cache', 'get', '-R', '/d', tmp_path / 'out'
            ),
            capture_output=True,
            env=environment(),
            timeout=20,
        )
    assert len(complaints(result)) == 1
    assert not (tmp_path / 'out').exists()


def test_a_dash_is_the_standard_output(run, stored):
    assert done(run('get', '/d/a', '-')) == b'/d/a'
    assert failed(run('get', '/missing', '-')) == 'filetracker: HTTP/404: no such file: missing'


def test_what_is_no_regular_file_is_written_into(run, stored, tmp_path):
    assert done(run('get', '/d/a', '/dev/stdout')) == b'/d/a'

    os.mkfifo(tmp_path / 'fifo')
    read = []
    reader = threading.Thread(target=lambda: read.append((tmp_path / 'fifo').read_bytes()))
    reader.start()
    done(run('get', '/f', 'fifo'))
    reader.join()
    assert read == [b'/f']
    assert (tmp_path / 'fifo').is_fifo()


def test_cat_writes_many_and_keeps_none(run, stored, tmp_path):
    assert done(run('cat', '/d/a', '/d/e/b@5')) == b'/d/a/d/e/b'
    assert names_below(tmp_path / 'cache' / 'files') == []

    result = run('cat', '/missing', '/f')
    assert result.stdout == b'/f'
    assert len(complaints(result)) == 1


def test_cat_writes_what_has_come_before_the_rest_is_there(tmp_path):
    text = os.urandom(3_000_000)
    may_end = threading.Event()

    def answer(connection, request):
        whole = file_answer(text)
        connection.sendall(whole[:2_900_000])
        may_end.wait(20)
        connection.sendall(whole[2_900_000:])

    with RawServer(answer) as server:
        with subprocess.Popen(
            command('-r', server.url, '-c', tmp_path / 'cache', 'cat', '/a'),
            stdout=subprocess.PIPE,
            env=environment(),
        ) as process:
            assert process.stdout.read(1_000_000) == text[:1_000_000]
            may_end.set()
            assert process.stdout.read() == text[1_000_000:]
    assert process.returncode == 0


def test_several_files_are_put_below_a_name(run, other, folder):
    assert bare(done(run('put', 'folder/x', 'folder/deep/y', '/n/'))) == ['/n/x', '/n/y']
    assert bare(done(run('put', '-t', '/m', 'folder/x'))) == ['/m/x']
    assert content(other, '/n/y') == b'y'
    assert content(other, '/m/x') == b'x'


def test_a_directory_is_put_with_all_that_is_in_it(run, remote, folder):
    assert bare(done(run('put', '-R', 'folder', '/n'))) == ['/n/x', '/n/deep/y']
    assert bare(done(run('put', '-R', '-t', '/', 'folder/', 'folder/x'))) == [
        '/folder/x',
        '/folder/deep/y',
        '/x',
    ]
    assert failed(run('put', 'folder', '/n')) == 'filetracker: folder: Is a directory'


def test_what_cannot_be_put_is_told_and_the_rest_is_put(run, folder, tmp_path):
    os.mkfifo(folder / 'fifo')
    (folder / 'link').symlink_to(folder / 'deep')
    (folder / 'dangling').symlink_to('/nonexistent')
    (folder / 'odd@5').write_text('odd')
    (folder / 'deep' / 'a\nb').write_text('odd')

    result = run('put', '-R', 'folder', '/n')
    assert bare(result.stdout) == ['/n/x', '/n/deep/y']
    assert sorted(line.partition('folder/')[2] for line in complaints(result))[1:] == [
        'dangling: No such file or directory',
        'fifo is left out: no regular file',
        'link is left out: a link to a directory',
        'odd@5 is left out: no name has an "@"',
    ]


def test_a_dash_is_the_standard_input(run, other, tmp_path):
    text = os.urandom(300_000)
    assert bare(done(run('put', '-', '/a', given=text))) == ['/a']
    assert content(other, '/a') == text
    assert bare(done(run('put', '-', '/empty', given=b''))) == ['/empty']
    assert content(other, '/empty') == b''


def test_what_is_left_of_a_file_can_be_the_standard_input(live, other, tmp_path):
    (tmp_path / 'lines').write_bytes(b'first\nsecond\n')
    with open(tmp_path / 'lines', 'rb', buffering=0) as lines:
        lines.seek(6)
        subprocess.run(
            command('-r', live.url, '-c', tmp_path / 'cache', 'put', '-', '/rest'),
            stdin=lines,
            check=True,
            stdout=subprocess.DEVNULL,
            env=environment(),
        )
    assert content(other, '/rest') == b'second\n'


def test_many_are_removed(run, stored, remote):
    result = run('rm', '/missing', '/f')
    assert complaints(result) == ['filetracker: HTTP/404: no such file: missing']
    assert remote.list_files() == ['d/a', 'd/e/b']

    done(run('rm', '-R', '/d'))
    assert remote.list_files() == []
    assert 'HTTP/404' in failed(run('rm', '-R', '/d'))


def test_without_being_told_to_rm_removes_no_directory(run, stored, remote):
    assert 'HTTP/404' in failed(run('rm', '/d'))
    assert misused(run('rm', '-R', '/d', '//')).endswith('name directories')
    assert len(remote.list_files()) == 3


@pytest.mark.parametrize(
    'arguments',
    [
        ['get', '/a', '/b', 'missing'],
        ['get', '/a', '/b', '-'],
        ['get', '-t', 'out'],
        ['put', '-', 'a', '/n'],
        ['put', '-t', '/n', '-'],
        ['put', '-t', '/n'],
        ['ls', '--what'],
        ['stat'],
        ['rm', '-R', '/'],
        ['--completion', 'sushi'],
    ],
)
def test_what_makes_no_sense_is_told_with_the_usage(arguments, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv('FILETRACKER_DIR', str(tmp_path / 'cache'))
    with pytest.raises(SystemExit) as exited:
        main(arguments)

    assert exited.value.code == 2
    assert capsys.readouterr().err.startswith('usage: filetracker ')
    assert not (tmp_path / 'cache').exists()
