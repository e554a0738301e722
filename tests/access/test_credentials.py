"""How secrets are sent, and what is no secret."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from filetracker.servers import base, guard
from filetracker.servers.files import FiletrackerServer
from filetracker.servers.settings import parse_settings
from tests.access.rules import TOKENS
from tests.wire.raw import Peer, get

SECRET = TOKENS['read']


def basic(text: str) -> str:
    return 'Basic ' + base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    'header',
    [
        'Bearer ' + SECRET,
        'bearer ' + SECRET,
        'BEARER   ' + SECRET,
        basic('read:' + SECRET),
        basic('read:' + SECRET).replace('Basic', 'basic'),
    ],
)
def test_a_secret_can_be_sent_in_these_ways(peer: Peer, header: str) -> None:
    assert peer.ask(get('in/there', authorization=header)).status == 200


@pytest.mark.parametrize(
    'header',
    [
        '',
        'Bearer',
        'Bearer ',
        SECRET,
        'Bearer %s x' % SECRET,
        'Bearer ' + SECRET[:-1],
        'Bearer ' + SECRET.upper(),
        'Bearer "%s"' % SECRET,
        'Bearer ' + 'x' * 10_000,
        'Bearer \xff\xfe',
        'Digest username="read"',
        'Basic',
        'Basic =',
        'Basic ' + SECRET,
        'Basic /w==',
        basic('read'),
        basic('read:'),
        basic(':' + SECRET),
        basic('write:' + SECRET),
        basic('unknown:' + SECRET),
        basic('READ:' + SECRET),
        basic(SECRET + ':'),
        basic('żółw:' + SECRET),
    ],
)
def test_anything_else_is_unknown(peer: Peer, header: str) -> None:
    answer = peer.ask(get('in/there', authorization=header))

    assert answer.status == 401
    assert answer.line == 'these credentials are not known here'
    assert 'Basic realm=' in answer.headers['www-authenticate']
    assert 'Bearer realm=' in answer.headers['www-authenticate']


def test_who_comes_without_credentials_is_told_that_they_are_needed(peer: Peer) -> None:
    assert peer.ask(get('in/there')).line == 'that needs credentials'


def test_who_has_let_them_expire_is_told_so(peer: Peer) -> None:
    answer = peer.ask(get('in/there', authorization='Bearer ' + TOKENS['expired']))

    assert (answer.status, answer.line) == (401, 'these credentials have expired')


def test_no_client_is_sent_elsewhere_with_credentials_of_ours(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit):
        parse_settings(['-d', 'x', '--fallback-url', 'http://judge:%s@host:1' % SECRET])

    said = capsys.readouterr().err
    assert 'credentials in it would be told to every client' in said
    assert SECRET not in said


def test_each_endpoint_was_thought_of(tmp_path: Path) -> None:
    application = FiletrackerServer(str(tmp_path))
    routes = application.routes()
    application.storage.close()

    assert set(routes) <= {'files', *guard.LISTING, *guard.OPEN, *guard.SHARED, *guard.WATCHED}
    assert issubclass(guard.Guard, base.Server)
