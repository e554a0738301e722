"""The commands that ask, for people and for programs."""

from __future__ import annotations

import hashlib
import json

import pytest

from tests.client.commands import complaints, done, failed

FOUND = {'version': 5, 'size': 4, 'digest': hashlib.sha256(b'text').hexdigest()}


@pytest.fixture(autouse=True)
def stored(remote, tmp_path):
    """A few files with the content b'text', in version 5."""
    (tmp_path / 'in').write_bytes(b'text')
    for name in ('/d/a', '/d/e/b', '/d/é', '/d.txt', '/f'):
        remote.add_file(name + '@5', tmp_path / 'in')


@pytest.mark.parametrize(
    ('arguments', 'names'),
    [
        ([], ['/d.txt', '/d/', '/f']),
        (['/'], ['/d.txt', '/d/', '/f']),
        (['/d'], ['/d/a', '/d/e/', '/d/é']),
        (['/d/', '/f'], ['/d/a', '/d/e/', '/d/é', '/f']),
        (['-R'], ['/d.txt', '/d/a', '/d/e/b', '/d/é', '/f']),
        (['-R', '/d/e', '/d.txt'], ['/d/e/b', '/d.txt']),
        (['/f@5'], ['/f']),
    ],
)
def test_ls_prints_whole_names(run, arguments, names):
    assert done(run('ls', *arguments)).decode().splitlines() == names


def test_ls_of_an_empty_server_is_empty(run, remote):
    for name in remote.list_files():
        remote.delete_file('/' + name)

    assert done(run('ls')) == b''
    assert json.loads(done(run('ls', '--json'))) == []


def test_ls_can_tell_more(run):
    assert done(run('ls', '-l', '/d')).decode().splitlines() == [
        '             4  1970-01-01 00:00:05  /d/a@5',
        '             -                    -  /d/e/',
        '             4  1970-01-01 00:00:05  /d/é@5',
    ]


def test_ls_goes_on_after_what_is_missing(run):
    result = run('ls', '/missing', '/f', 'nonsense')

    assert result.stdout == b'/f\n'
    assert complaints(result)[0] == 'filetracker: HTTP/404: no such file: missing'
    assert len(complaints(result)) == 2


def test_ls_can_be_read_by_programs(run):
    short = json.loads(done(run('ls', '--json', '/d')))
    assert short == [
        {'name': '/d/a', 'type': 'file'},
        {'name': '/d/e/', 'type': 'directory'},
        {'name': '/d/é', 'type': 'file'},
    ]
    long = json.loads(done(run('ls', '-l', '-R', '--json', '/d/e', '/f')))
    assert long == [
        {'name': '/d/e/b', 'type': 'file', **FOUND},
        {'name': '/f', 'type': 'file', **FOUND},
    ]


def test_stat_tells_what_there_is(run):
    assert done(run('stat', '/f')).decode().splitlines() == [
        '/f@5',
        '  version  5  (1970-01-01 00:00:05)',
        '  size     4',
        '  digest   ' + FOUND['digest'],
    ]
    assert json.loads(done(run('stat', '--json', '/f@5'))) == {
        'name': '/f',
        'type': 'file',
        **FOUND,
    }


def test_of_many_each_has_its_line(run):
    result = run('stat', '--json', '/f', '/missing', '/d.txt')

    assert [json.loads(line)['name'] for line in result.stdout.splitlines()] == ['/f', '/d.txt']
    assert complaints(result) == ['filetracker: HTTP/404: no such file: missing']
    assert done(run('version', '/f', '/d.txt')) == b'5\n5\n'
    assert json.loads(done(run('version', '--json', '/f'))) == {'name': '/f', 'version': 5}


def test_put_can_be_read_by_programs(run):
    output = done(run('put', '--json', 'in', '/new@7'))

    assert json.loads(output) == {'file': 'in', 'name': '/new', 'version': 7}


def test_without_a_server_the_own_files_are_listed(run):
    alone = {'FILETRACKER_URL': '', 'FILETRACKER_DIR': 'alone'}
    done(run('put', 'in', '/own/x@5', **alone))

    assert done(run('ls', '-l', '/own', **alone)).endswith(b' /own/x@5\n')
    assert json.loads(done(run('stat', '--json', '/own/x', **alone)))['digest'] == FOUND['digest']
    assert 'no such' in failed(run('ls', '/other', **alone))
