"""Our client: it says who it is to whom that concerns, and to nobody else."""

from __future__ import annotations

import base64
import io
import logging
import traceback
from collections.abc import Iterator
from pathlib import Path

import pytest

from filetracker.client import shell
from filetracker.client.credentials import without_credentials
from filetracker.client.remote_data_store import RemoteDataStore
from filetracker.errors import FiletrackerError, NotFound, ServerError
from tests.access.encrypted import Certified
from tests.access.rules import RULES, TOKENS, guarded_server
from tests.client.raw_server import RawServer, answer, file_answer, store_at

SECRET = 'ftk_top-secret'


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No test depends on who runs it."""
    for key in ('TOKEN', 'CA', 'CERT', 'URL', 'DIR'):
        monkeypatch.delenv('FILETRACKER_' + key, raising=False)
    monkeypatch.setenv('NETRC', str(tmp_path / 'netrc'))


def basic(text: str) -> str:
    return 'Basic ' + base64.b64encode(text.encode()).decode()


def sent(server: RawServer, base_url: str) -> str | None:
    """What a store at that URL sends as ``Authorization``."""
    store = RemoteDataStore(base_url)
    store.file_version('/a')
    return server.requests[-1].headers['Authorization']


def with_user(url: str, user: str) -> str:
    return url.replace('://', '://%s@' % user)


def test_credentials_come_from_where_the_caller_put_them(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with RawServer(file_answer(b'a')) as server:
        assert sent(server, server.url) is None
        (tmp_path / 'netrc').write_text('machine 127.0.0.1 login judge password %s\n' % SECRET)
        assert sent(server, server.url) == basic('judge:' + SECRET)
        monkeypatch.setenv('FILETRACKER_TOKEN', ' %s\n' % SECRET)
        assert sent(server, server.url) == 'Bearer ' + SECRET
        assert sent(server, with_user(server.url, 'judge:other')) == basic('judge:other')
        assert sent(server, with_user(server.url, 'a%40b:%C5%BC%2F%3A')) == basic('a@b:ż/:')
        assert sent(server, with_user(server.url, 'judge') + '/base/') == basic('judge:')
        assert {request.target for request in server.requests[:-1]} == {'/files/a'}


def test_another_server_gets_no_credentials_by_a_redirection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv('FILETRACKER_TOKEN', SECRET)
    with RawServer(file_answer(b'a')) as other:
        redirection = answer('307 Temporary Redirect', location=other.url + '/files/a')
        with RawServer(redirection) as server:
            for url in (server.url, with_user(server.url, 'judge:' + SECRET)):
                store_at(server)
                assert RemoteDataStore(url).file_version('/a') == 5
        assert [request.headers['Authorization'] for request in other.requests] == [None, None]
        assert all(SECRET not in str(request) for request in other.requests)


def test_the_same_server_gets_them_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('FILETRACKER_TOKEN', SECRET)
    with RawServer(
        answer('307 Temporary Redirect', location='/files/b'), file_answer(b'a')
    ) as server:
        RemoteDataStore(server.url).file_version('/a')

        assert [request.target for request in server.requests] == ['/files/a', '/files/b']
        assert server.requests[1].headers['Authorization'] == 'Bearer ' + SECRET


@pytest.mark.parametrize(
    'url',
    [
        'http://judge:%s@127.0.0.1:1',
        'https://judge:%s@127.0.0.1:1/base',
        'http://judge:%s@127.0.0.1:99999',
        'http://judge:%s@127.0.0.1:port',
        'http://judge:%s@',
        'http://judge:%s@[::1',
        'http://judge:%s@a..b',
        'http:/judge:%s@127.0.0.1:1',
        'http:///judge:%s@127.0.0.1:1',
        'judge:%s@127.0.0.1:1',
        'ftp://judge:%s@127.0.0.1:1',
    ],
)
def test_no_error_shows_a_secret_of_a_url(url: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    store = RemoteDataStore(url % SECRET, timeout=(0.5, 0.5))
    for call in (store.get_stream, store.file_version, store.delete_file):
        with pytest.raises(FiletrackerError) as raised:
            call('/a')

        told = ''.join(traceback.format_exception(raised.value)) + repr(raised.value)
        assert SECRET not in told + str(vars(raised.value))
    assert SECRET not in caplog.text


@pytest.mark.parametrize('status', ['401 Unauthorized', '403 Forbidden', '500 Oops', '200 OK'])
def test_no_answer_makes_a_secret_shown(
    status: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv('FILETRACKER_TOKEN', SECRET)
    with RawServer(answer(status)) as server:
        for url in (server.url, with_user(server.url, 'judge:' + SECRET)):
            store = RemoteDataStore(url)
            with pytest.raises(FiletrackerError) as raised:
                store.add_stream('/a', io.BytesIO(b'content'))

            told = ''.join(traceback.format_exception(raised.value)) + repr(raised.value)
            assert SECRET not in told + str(vars(raised.value))
    assert SECRET not in caplog.text


def test_old_servers_are_told_of_without_secrets(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with RawServer(answer('404 Not Found')) as server:
        store = RemoteDataStore(with_user(server.url, 'judge:' + SECRET))
        store.delete_file('/a')
        store.list_files()

    assert 'protocol 1' in caplog.text
    assert SECRET not in caplog.text


def test_the_command_shows_no_secret(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv('FILETRACKER_TOKEN', SECRET)
    monkeypatch.setenv('FILETRACKER_DIR', '')
    with RawServer(answer('403 Forbidden', x_exception='no')) as server:
        url = with_user(server.url, 'judge:' + SECRET)
        assert shell.main(['-v', '-r', url, 'version', '/a']) == 1
    said = capfd.readouterr()

    assert 'HTTP/403: no' in said.err
    assert SECRET not in said.err + said.out


@pytest.mark.parametrize('token', ['a b', 'a\nb', 'żółw', 'a\x7fb'])
def test_what_cannot_be_a_token_is_not_sent_and_not_shown(
    token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv('FILETRACKER_TOKEN', token)

    with pytest.raises(FiletrackerError, match='FILETRACKER_TOKEN is no token') as raised:
        RemoteDataStore('http://127.0.0.1:1')
    assert token not in str(raised.value)


def test_urls_without_credentials_stay_as_they_are() -> None:
    for url in ('http://host:1/a@5', 'http://host/?a@b', 'host/x@5', '', 'http://[::1]:5/#@'):
        assert without_credentials(url) == url


# Both ends


@pytest.fixture(scope='module')
def ours(tmp_path_factory: pytest.TempPathFactory, certified: Certified) -> Iterator[str]:
    """The URL of a server with access rules, TLS, and clients with certificates alone."""
    folder = tmp_path_factory.mktemp('ours')
    flags = *certified.flags, '--tls-client-ca', str(certified.ca)
    with guarded_server(folder, RULES, *flags) as live:
        yield 'https://127.0.0.1:%d' % live.port


def test_a_client_puts_gets_lists_and_deletes(
    ours: str, certified: Certified, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv('FILETRACKER_CA', str(certified.ca))
    monkeypatch.setenv('FILETRACKER_CERT', str(certified.both))
    store = RemoteDataStore(with_user(ours, 'write:' + TOKENS['write']))
    content = bytes(range(256)) * 5000
    store.add_stream('/in/a', io.BytesIO(content))
    with store.get_stream('/in/a')[0] as stream:
        assert stream.read() == content
    assert store.list_files() == ['in/a']

    monkeypatch.setenv('FILETRACKER_TOKEN', TOKENS['read'])
    reader = RemoteDataStore(ours)
    assert reader.file_size('/in/a') == len(content)
    with pytest.raises(ServerError, match='HTTP/403: these credentials do not allow that'):
        reader.delete_file('/in/a')
    store.delete_file('/in/a')
    with pytest.raises(NotFound):
        reader.file_size('/in/a')
    with pytest.raises(ServerError, match='HTTP/401: these credentials are not known here'):
        RemoteDataStore(with_user(ours, 'write:x')).file_size('/in/a')


def test_the_command_is_told_whom_to_trust(
    ours: str,
    certified: Certified,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv('FILETRACKER_CERT', str(certified.both))
    monkeypatch.setenv('FILETRACKER_TOKEN', TOKENS['admin'])
    monkeypatch.setenv('FILETRACKER_DIR', '')

    assert shell.main(['-r', ours, '--ca', str(certified.ca), 'ls']) == 0
    assert shell.main(['-r', ours, 'ls']) == 1
    assert 'certificate verify failed' in capfd.readouterr().err


def test_a_client_trusts_no_stranger(
    ours: str, certified: Certified, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def said() -> str:
        with pytest.raises(FiletrackerError) as raised:
            RemoteDataStore(ours).file_size('/in/a')
        assert '\n' not in str(raised.value)
        return str(raised.value)

    monkeypatch.setenv('FILETRACKER_CERT', str(certified.both))
    assert 'certificate verify failed' in said()
    monkeypatch.setenv('FILETRACKER_CA', str(Certified(tmp_path / 'other').ca))
    assert 'certificate verify failed' in said()
    monkeypatch.setenv('FILETRACKER_CA', str(tmp_path / 'missing'))
    assert str(tmp_path / 'missing') in said()
    monkeypatch.setenv('FILETRACKER_CA', str(certified.key))
    assert said()
    monkeypatch.setenv('FILETRACKER_CA', str(certified.ca))
    monkeypatch.setenv('FILETRACKER_CERT', str(tmp_path / 'missing'))
    assert str(tmp_path / 'missing') in said()


def test_the_usual_variable_for_authorities_holds_too(
    ours: str, certified: Certified, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv('FILETRACKER_CERT', str(certified.both))
    monkeypatch.setenv('REQUESTS_CA_BUNDLE', str(certified.ca))

    with pytest.raises(ServerError, match='HTTP/401: that needs credentials'):
        RemoteDataStore(ours).file_size('/in/a')
