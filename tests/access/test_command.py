"""``filetracker-server access`` as an operator uses it."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import pytest

from filetracker.servers.access_file import add_credential
from filetracker.servers.rules import read_rules
from filetracker.servers.run import main
from tests.access.rules import RULES
from tests.servers import command as server_command
from tests.support import ROOT, LiveServer, wait_for
from tests.wire.raw import Peer, get

WRITTEN = """\
# Who is who.
[anonymous]   # everybody else
role = "read"
prefixes = [
    "/public",  # since May
]

[quotas]
"/a" = 1_000_000  # about a floppy
"""


class Said(NamedTuple):
    status: int
    out: str
    err: str


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Callable[..., Said]:
    """The command ``filetracker-server``, to be called with arguments."""

    def command(*arguments: str) -> Said:
        capsys.readouterr()
        try:
            status = main(arguments)
        except SystemExit as ended:
            status = int(ended.code or 0)
        return Said(status, *capsys.readouterr())

    return command


@pytest.fixture
def run(command: Callable[..., Said], rules: Path) -> Callable[..., str]:
    """The command on the file ``rules``; it succeeds, and what it says is returned."""

    def run(*arguments: str) -> str:
        said = command('access', *arguments, '--access', str(rules))
        assert (said.status, said.err) == (0, '')
        return said.out

    return run


@pytest.fixture
def failure(command: Callable[..., Said], rules: Path) -> Callable[..., str]:
    """The command on the file ``rules``; it fails, and the line that it says is returned."""

    def failure(*arguments: str, access: Path = rules) -> str:
        said = command('access', *arguments, '--access', str(access))
        assert (said.status, said.out, said.err.count('\n')) == (1, '', 1)
        return said.err.removeprefix('filetracker-server: ').rstrip('\n')

    return failure


def test_a_credential_is_added_used_and_revoked(
    tmp_path: Path, run: Callable[..., str], rules: Path
) -> None:
    token = run('add', 'judge').strip()
    with LiveServer(tmp_path / 'store', '--access', str(rules)) as live:

        def status() -> int:
            with Peer(live.port) as peer:
                return peer.ask(get('x', authorization='Bearer ' + token)).status

        assert status() == 404
        assert run('revoke', 'judge') == ''
        wait_for(lambda: status() == 401, 'the credential to be revoked')


def test_a_secret_is_said_once_and_kept_nowhere(run: Callable[..., str], rules: Path) -> None:
    token = run('add', 'judge', '--role', 'write')

    assert re.fullmatch(r'ftk_[\w-]{43}\n', token)
    assert token.strip() not in rules.read_text()
    assert token.strip() not in run('list')
    assert run('add', 'other') != token
    assert stat.S_IMODE(rules.stat().st_mode) == 0o600
    assert os.listdir(rules.parent) == [rules.name]


def test_the_rest_of_the_file_stays_as_it_is(run: Callable[..., str], rules: Path) -> None:
    rules.write_text(WRITTEN)
    rules.chmod(0o644)
    run('add', 'judge', '--prefix', '/a')
    added = rules.read_text()
    run('add', 'other')
    run('revoke', 'judge', 'other')

    assert added.startswith(WRITTEN)
    assert rules.read_text().startswith(WRITTEN)
    assert 'judge' not in rules.read_text()
    assert stat.S_IMODE(rules.stat().st_mode) == 0o600


def test_credentials_are_listed(run: Callable[..., str], rules: Path) -> None:
    rules.write_text(RULES + WRITTEN)
    prefixes = '--prefix', '/a/', '--prefix', '/a/b', '--prefix', '/żółw'
    run('add', 'judge', '--role', 'append', *prefixes, '--expires', '2100-01-31')

    assert run('list').splitlines() == [
        'NAME       ROLE    EXPIRES                      PREFIXES',
        'anonymous  read    never                        /public',
        'admin      admin   never                        /',
        'append     append  never                        /in',
        'expired    write   2001-01-01T00:00:00Z (over)  /',
        'judge      append  2100-01-31T00:00:00Z         /a /żółw',
        'read       read    never                        /in',
        'write      write   never                        /in',
    ]


def test_what_cannot_be_done_is_said_in_one_line_and_changes_nothing(
    failure: Callable[..., str], rules: Path
) -> None:
    rules.write_text(RULES)

    assert failure('add', 'read') == 'there is a credential read already'
    assert failure('revoke', 'read', 'x') == 'there is no credential x'
    assert 'cannot be called' in failure('add', 'a:b')
    assert 'cannot be kept to prefixes' in failure(
        'add', 'x', '--role', 'admin', '--prefix', '/a', access=rules
    )
    assert rules.read_text() == RULES
    assert 'No such file' in failure('list', access=rules.parent / 'none')
    assert 'No such file' in failure('revoke', 'x', access=rules.parent / 'none')
    assert 'No such file' in failure('add', 'x', access=rules.parent / 'none' / 'none')
    rules.write_text('x')
    assert 'not TOML' in failure('add', 'x')
    assert rules.read_text() == 'x'


@pytest.mark.parametrize(
    'arguments',
    [
        (),
        ('add',),
        ('add', 'x', '--role', 'king'),
        ('add', 'x', '--prefix', 'a'),
        ('add', 'x', '--expires', 'soon'),
        ('add', 'x', '--expires', '0001-01-01T00:00:00+23:59'),
        ('revoke',),
        ('frobnicate',),
    ],
)
def test_wrong_usage_is_told(
    command: Callable[..., Said], arguments: tuple[str, ...], rules: Path
) -> None:
    ended = command('access', *arguments, '--access', str(rules))

    assert (ended.status, ended.out) == (2, '')
    assert ended.err.startswith('usage: filetracker-server access')
    assert not rules.exists()


def test_the_command_explains_itself(command: Callable[..., Said]) -> None:
    shown = command('access', '--help')

    assert shown.status == 0
    assert shown.out.startswith('usage: filetracker-server access ')


def test_those_who_add_at_the_same_time_lose_nothing(rules: Path) -> None:
    names = ['c%d' % number for number in range(8)]

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda name: add_credential(str(rules), name, 'read', ['/']), names))

    assert sorted(party.name for party in read_rules(str(rules)).parties.values()) == names


def test_without_the_libraries_it_says_what_to_install(tmp_path: Path) -> None:
    (tmp_path / 'tomlkit.py').write_text("raise ImportError('no tomlkit')")
    path = os.pathsep.join([str(tmp_path), str(ROOT)])
    line = server_command.failure('access', 'list', '--access', 'x', PYTHONPATH=path)

    assert line == 'no tomlkit; install filetracker[server]'
