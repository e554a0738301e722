"""Migration with servers that want to know who asks, or that are spoken to by TLS."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.access.encrypted import Certified
from tests.access.rules import RULES, TOKENS, guarded_server
from tests.client.raw_server import RawServer, answer
from tests.migration.stores import migrate
from tests.support import LiveServer

SECRET = 'ftk_top-secret'


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No test depends on who runs it."""
    for key in ('FILETRACKER_TOKEN', 'FILETRACKER_CA', 'FILETRACKER_CERT', 'REQUESTS_CA_BUNDLE'):
        monkeypatch.delenv(key, raising=False)
    monkeypatch.setenv('NETRC', str(tmp_path / 'netrc'))


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    tree = tmp_path / 'tree'
    (tree / 'contest').mkdir(parents=True)
    (tree / 'contest' / 'a').write_bytes(b'a')
    return tree


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[LiveServer]:
    """A server with access control."""
    with guarded_server(tmp_path, RULES) as live:
        yield live


def basic(text: str) -> str:
    return 'Basic ' + base64.b64encode(text.encode()).decode()


def with_user(url: str, user: str) -> str:
    return url.replace('://', '://%s@' % user)


def sent(url: str, tree: Path, server: RawServer, capsys) -> str | None:
    """What goes to a server as ``Authorization``."""
    migrate(capsys, tree, url)
    return server.requests[-1].headers['Authorization']


def test_credentials_come_from_where_the_client_has_them(
    tree: Path, tmp_path: Path, monkeypatch, capsys
):
    with RawServer(answer('404 Not Found')) as server:
        assert sent(server.url, tree, server, capsys) is None
        (tmp_path / 'netrc').write_text('machine 127.0.0.1 login web password %s\n' % SECRET)
        assert sent(server.url, tree, server, capsys) == basic('web:' + SECRET)
        monkeypatch.setenv('FILETRACKER_TOKEN', SECRET)
        assert sent(server.url, tree, server, capsys) == 'Bearer ' + SECRET
        url = with_user(server.url, 'web:other')
        assert sent(url, tree, server, capsys) == basic('web:other')


def test_a_netrc_that_cannot_be_understood_has_nothing(tree: Path, tmp_path: Path, capsys):
    (tmp_path / 'netrc').write_text('what is this')
    with RawServer(answer('404 Not Found')) as server:
        assert sent(server.url, tree, server, capsys) is None


def test_no_secret_is_shown(tree: Path, capsys):
    with RawServer(answer('404 Not Found')) as server:
        url = server.url
        ended = migrate(capsys, tree, with_user(url, 'web:' + SECRET))

    assert ended.err == ['filetracker-migrate: %s is no server of filetracker 2.x' % url]
    with pytest.raises(SystemExit):
        migrate(capsys, tree, 'ftp://web:%s@host' % SECRET)
    assert SECRET not in capsys.readouterr().err


def test_who_may_write_copies_and_who_may_not_is_told_in_one_line(
    guarded: LiveServer, tree: Path, monkeypatch, capsys
):
    refused = migrate(capsys, tree, guarded.url)
    monkeypatch.setenv('FILETRACKER_TOKEN', TOKENS['admin'])
    copied = migrate(capsys, tree, guarded.url)

    assert refused.status == 1
    (line,) = refused.err
    assert line.startswith('filetracker-migrate: %s: HTTP/401: ' % guarded.url)
    assert copied == (0, ['1 files copied, 0 already there'], [])


def test_a_server_is_trusted_by_the_authorities_of_the_client(
    tree: Path, tmp_path: Path, monkeypatch, capsys
):
    certified = Certified(tmp_path / 'certificates')
    with LiveServer(tmp_path / 'store', *certified.flags) as live:
        url = live.url.replace('http:', 'https:')
        refused = migrate(capsys, tree, url)
        monkeypatch.setenv('FILETRACKER_CA', str(certified.ca))
        copied = migrate(capsys, tree, url)

    assert (refused.status, len(refused.err)) == (1, 1)
    assert 'certificate verify failed' in refused.err[0]
    assert copied == (0, ['1 files copied, 0 already there'], [])


@pytest.mark.parametrize('key', ['FILETRACKER_CA', 'FILETRACKER_CERT'])
def test_a_file_that_is_not_there_is_one_line(key: str, tree: Path, monkeypatch, capsys):
    monkeypatch.setenv(key, '/no/such/file')

    ended = migrate(capsys, tree, 'https://127.0.0.1:9')
    assert ended == (
        1,
        [],
        ['filetracker-migrate: /no/such/file: No such file or directory'],
    )
