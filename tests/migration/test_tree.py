"""Files of a directory on their way to a server."""

from __future__ import annotations

import os
import random
import socket
from pathlib import Path

import pytest

from filetracker.client.migration.sources import Item
from filetracker.client.migration.tree import Tree
from filetracker.errors import FiletrackerError, LocalFileError
from tests.migration.stores import State, delete, migrate, put, served, write
from tests.old_tree import OldTree
from tests.support import LiveServer

STATE: State = {
    'a': (0, b'at the start of time'),
    'b/c/d': (1_700_000_000, b'deep'),
    'empty': (5, b''),
    'żółć/a b%41?#+;~': (-5, b'odd'),
    'large': (6, random.Random(1).randbytes(3_000_000)),
    'text': (7, b'again and again\n' * 100_000),
    '-rf': (8, b'looks like a flag'),
}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / 'tree').mkdir()
    write(tmp_path / 'tree', STATE)
    return tmp_path / 'tree'


def test_a_tree_is_copied_with_its_times_as_versions(server: LiveServer, tree: Path, capsys):
    ended = migrate(capsys, tree, server.url)

    assert ended == (0, ['%d files copied, 0 already there' % len(STATE)], [])
    assert served(server.url) == STATE


def test_names_can_be_relative_to_a_directory_above(server: LiveServer, tree: Path, capsys):
    assert migrate(capsys, '--root', tree, tree / 'b' / 'c', server.url).status == 0

    assert served(server.url) == {'b/c/d': STATE['b/c/d']}


def test_silent_says_nothing(server: LiveServer, tree: Path, capsys):
    assert migrate(capsys, '-s', str(tree) + '/', server.url + '/') == (0, [], [])

    assert served(server.url) == STATE


def test_what_is_there_is_not_copied_again(server: LiveServer, tree: Path, capsys):
    migrate(capsys, tree, server.url)
    write(tree, {'a': (1, b'newer'), 'b/c/d': (1_600_000_000, b'older'), 'new': (1, b'new')})
    # Of the same version: nobody looks into it.
    write(tree, {'empty': (5, b'not empty')})

    ended = migrate(capsys, tree, server.url)
    assert ended == (0, ['2 files copied, 6 already there'], [])
    assert served(server.url) == {**STATE, 'a': (1, b'newer'), 'new': (1, b'new')}


def test_what_cannot_be_copied_is_told_and_the_rest_is_copied(
    server: LiveServer, tree: Path, capsys, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tree)
    os.symlink('nowhere', 'dangling')
    os.symlink('loop', 'loop')
    os.symlink('b', 'folder')
    os.symlink('text', 'link')
    os.mkfifo('pipe')
    # It is listed and opened, but nobody can read it.
    os.symlink('/proc/self/mem', 'unreadable')
    for name in ('x@5', 'e@mail/y', 'line\nbreak', b'latin\xe9'):
        path = Path(os.fsdecode(name))
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b'odd')
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind('socket')
        ended = migrate(capsys, '.', server.url)

    told = {line.removeprefix('%s/' % tree).partition(': ')[::2] for line in ended.err[:-1]}
    assert told == {
        ('dangling', 'a link to a file that is not there'),
        ('loop', 'Too many levels of symbolic links'),
        ('folder', 'not a file but a link to a directory'),
        ('pipe', 'not a file but a named pipe'),
        ('socket', 'not a file but a socket'),
        ('unreadable', 'Input/output error'),
        ('x@5', 'no client can ask for a name with "@"'),
        ('e@mail/y', 'no client can ask for a name with "@"'),
        ('line\\nbreak', "the name contains a control character: 'line\\nbreak'"),
        ('latin\\udce9', "the name is not valid Unicode: 'latin\\udce9'"),
    }
    assert ended.err[-1] == 'filetracker-migrate: 10 files were not copied'
    assert ended.out == ['%d files copied, 0 already there' % (len(STATE) + 1)]
    assert ended.status == 1
    assert served(server.url) == {**STATE, 'link': STATE['text']}


def test_what_the_server_refuses_is_told_and_the_rest_is_copied(
    server: LiveServer, tree: Path, capsys
):
    put(server.url, {'b/c': (1, b'a file where a directory is needed')})

    ended = migrate(capsys, tree, server.url)
    assert ended.status == 1
    assert ended.err == [
        '%s/b/c/d: HTTP/409: cannot store b/c/d while there is a file named b/c' % tree,
        'filetracker-migrate: 1 files were not copied',
    ]
    assert len(served(server.url)) == len(STATE)


def test_what_was_deleted_while_it_was_copied_does_not_come_back(
    tmp_path: Path, tree: Path, capsys
):
    with OldTree(tmp_path / 'old') as old:
        old.root.mkdir()
        os.rename(tree, old.root / 'files')
        with LiveServer(tmp_path / 'store', '--fallback-url', old.url) as live:
            delete(live.url, 'a', 1)
            delete(live.url, 'text', 100)
            put(live.url, {'large': (5, b'older'), 'empty': (6, b'newer')})
            delete(live.url, 'large', 6)
            put(live.url, {'large': (5, b'older')})
            ended = migrate(capsys, old.root / 'files', live.url)

            assert ended == (0, ['3 files copied, 4 already there'], [])
    with LiveServer(tmp_path / 'store') as live:
        expected = {**STATE, 'large': (5, b'older'), 'empty': (6, b'newer')}
        del expected['a'], expected['text']
        assert served(live.url) == expected


# What is no tree


def test_a_tree_that_is_not_there_is_one_line_and_1(tmp_path: Path, capsys):
    (tmp_path / 'file').write_bytes(b'')
    for name, why in (('none', 'No such file or directory'), ('file', 'Not a directory')):
        ended = migrate(capsys, tmp_path / name, 'http://127.0.0.1:1')

        assert ended == (1, [], ['filetracker-migrate: %s: %s' % (tmp_path / name, why)])


def test_a_root_that_is_not_above_is_one_line_and_1(tree: Path, tmp_path: Path, capsys):
    ended = migrate(capsys, '--root', tree / 'b', tree, 'http://127.0.0.1:1')

    assert ended.status == 1
    assert ended.err == ['filetracker-migrate: %s is not below %s' % (tree, tree / 'b')]


def test_the_inside_of_a_store_is_not_taken_for_files(server: LiveServer, tmp_path: Path, capsys):
    put(server.url, {'a/b': (5, b'content')})

    for inside in (server.base_dir, server.links):
        with LiveServer(tmp_path / ('other-' + inside.name)) as other:
            ended = migrate(capsys, inside, other.url)

            assert ended.status == 1
            assert len(ended.err) == 1
            assert 'start a server on that, and give its URL' in ended.err[0]
            assert served(other.url) == {}


def test_a_file_that_changes_while_it_is_read_is_not_copied(tmp_path: Path):
    write(tmp_path / 'tree', {'a': (5, b'content')})
    tree = Tree(str(tmp_path / 'tree'), None)
    (item,) = tree.items()
    assert isinstance(item, Item)

    with pytest.raises(LocalFileError, match='changed while it was read'):
        with tree.open(item, lambda count: write(tmp_path / 'tree', {'a': (6, b'other')})):
            raise AssertionError('it was taken')


def test_a_file_that_is_removed_meanwhile_is_gone(tmp_path: Path):
    write(tmp_path / 'tree', {'a': (5, b'content')})
    tree = Tree(str(tmp_path / 'tree'), None)
    (item,) = tree.items()
    assert isinstance(item, Item)
    (tmp_path / 'tree' / 'a').unlink()

    assert tree.version(item) is None
    with tree.open(item, lambda count: None) as content:
        assert content is None


def test_files_come_in_the_order_of_their_names(tree: Path):
    names = [item.name for item in Tree(str(tree), None).items() if isinstance(item, Item)]

    assert sorted(names) == sorted(STATE)
    assert names == [item.name for item in Tree(str(tree), None).items() if isinstance(item, Item)]


def test_a_link_into_a_store_is_an_error(tmp_path: Path):
    digest = 'ab' * 32
    (tmp_path / 'tree').mkdir()
    os.symlink('../../x/ab/' + digest, tmp_path / 'tree' / 'a')

    with pytest.raises(FiletrackerError, match='store of filetracker 2.x'):
        list(Tree(str(tmp_path / 'tree'), None).items())
