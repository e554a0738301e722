"""What README.md shows to operators is what works."""

from __future__ import annotations

import contextlib
import io
import os
import random
import re
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from filetracker.client.remote_data_store import RemoteDataStore
from filetracker.errors import ServerError
from filetracker.servers.rules import parse_rules
from tests.access.encrypted import Certified, TlsPeer
from tests.access.rules import RULES, TOKENS, bearer, guarded_server
from tests.support import ROOT, environment, wait_for
from tests.trust.ports import lasting_port
from tests.wire.raw import get, listing, put, request

ODD = ['in/a b', 'in/%2F', 'in/a@5', 'in/zażółć?#', 'in/+;~*', 'in/' + '/'.join(['ż' * 120] * 12)]


def shown(language: str) -> str:
    """Returns the one block of that language in README.md."""
    text = (ROOT / 'README.md').read_text()
    (block,) = re.findall(r'^```%s\n(.*?)^```' % language, text, re.MULTILINE | re.DOTALL)
    return str(block)


def test_the_rules_are_understood() -> None:
    rules = parse_rules(shown('toml'))

    assert [party.name for party in rules.parties.values()] == ['judge']
    assert rules.anonymous.rights.hold_for('public/file')
    assert rules.quotas == {'contest': 50_000_000_000}


@pytest.fixture(scope='module')
def behind(tmp_path_factory: pytest.TempPathFactory, certified: Certified) -> Iterator[int]:
    """The port of nginx in front of a server with access rules."""
    folder = tmp_path_factory.mktemp('behind')
    with guarded_server(folder, RULES) as live:
        with nginx(folder, certified, live.port) as port:
            yield port


@contextlib.contextmanager
def nginx(folder: Path, certified: Certified, behind: int) -> Iterator[int]:
    """Runs nginx as README.md shows it, but for the ports and the files."""
    port = lasting_port()
    server = shown('nginx')
    for old, new in (
        ('listen 443 ', 'listen 127.0.0.1:%d ' % port),
        ('127.0.0.1:9999', '127.0.0.1:%d' % behind),
        ('fullchain.pem', str(certified.cert)),
        ('privkey.pem', str(certified.key)),
    ):
        assert server.count(old) == 1, old
        server = server.replace(old, new)
    folders = ['%s_temp_path %s;' % (kind, folder) for kind in ('client_body', 'proxy', 'fastcgi')]
    folders += ['%s_temp_path %s;' % (kind, folder) for kind in ('uwsgi', 'scgi')]
    # Started by root it would give up its rights, and could not read what is in our folder.
    user = 'user root root;' if os.getuid() == 0 else ''
    configuration = '%s daemon off; pid %s/pid; events {} http { access_log off; %s %s }'
    (folder / 'nginx.conf').write_text(configuration % (user, folder, ' '.join(folders), server))
    program = shutil.which('nginx', path=os.environ['PATH'] + ':/usr/sbin:/usr/local/sbin')
    assert program, 'nginx is needed: sudo apt-get install nginx-light'
    log = folder / 'nginx.log'
    process = subprocess.Popen(
        [program, '-p', folder, '-c', folder / 'nginx.conf', '-e', log],
        env=environment(),
        stdin=subprocess.DEVNULL,
    )
    try:
        wait_for(lambda: process.poll() is not None or _listens(port), 'nginx to serve')
        assert process.poll() is None, log.read_text()
        yield port
    finally:
        process.terminate()
        process.wait()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(('127.0.0.1', port)) == 0


def test_any_name_goes_through_nginx(behind: int, certified: Certified) -> None:
    mine = {'authorization': bearer('write')}
    with TlsPeer(behind, certified.context()) as peer:
        for name in ODD:
            assert peer.ask(put(name, name.encode(), **mine)).status == 200
            assert peer.ask(get(name, **mine)).body == name.encode()
        listed = peer.ask(listing('in').replace(b'\r\n', b'\r\nAuthorization: %b\r\n' % MINE, 1))
        assert sorted(listed.body.decode().splitlines()) == sorted(name[3:] for name in ODD)
        assert peer.ask(request('GET', '//files///in/a%20b', **mine)).status == 200
        assert peer.ask(request('GET', '/files/in/../top', **mine)).status == 400


MINE = bearer('write').encode()


def test_large_files_go_through_nginx(behind: int, certified: Certified) -> None:
    content = random.Random(7).randbytes(5_000_000)
    chunked = b'%x\r\n%b\r\n0\r\n\r\n' % (len(content), content)
    mine = {'authorization': bearer('write')}
    with TlsPeer(behind, certified.context()) as peer:
        assert peer.ask(put('in/large', content, **mine)).status == 200
        assert peer.ask(get('in/large', **mine)).body == content
        answer = peer.ask(get('in/large', accept_encoding='gzip', **mine))
        assert answer.headers['content-encoding'] == 'gzip'
        sent = put('in/chunked', chunked, transfer_encoding='chunked', content_length=None, **mine)
        assert peer.ask(sent).status == 200
        assert peer.ask(get('in/chunked', range='bytes=-5', **mine)).body == content[-5:]


def test_refusals_come_through_nginx(behind: int, certified: Certified) -> None:
    for who, status in ((None, 401), ('unknown', 401), ('read', 403)):
        for size in (10, 3_000_000):
            with TlsPeer(behind, certified.context()) as peer:
                sent = put('in/x', bytes(size), authorization=who and bearer(who))
                peer.send(sent[:5000])
                answer = peer.read()
                assert answer.status == status
                assert ('www-authenticate' in answer.headers) == (status == 401)


def test_our_client_works_through_nginx(
    behind: int, certified: Certified, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv('FILETRACKER_CA', str(certified.ca))
    store = RemoteDataStore('https://write:%s@localhost:%d/' % (TOKENS['write'], behind))
    content = random.Random(8).randbytes(2_000_000)
    store.add_stream('/in/ours@5', io.BytesIO(content))
    with store.get_stream('/in/ours')[0] as stream:
        assert stream.read() == content
    store.delete_file('/in/ours')

    with pytest.raises(ServerError, match='HTTP/403'):
        store.add_stream('/out/ours', io.BytesIO(content))
