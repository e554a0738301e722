"""Promises 33 to 42: DELETE, lists and errors."""

from __future__ import annotations

import threading

import pytest

from tests.support import LiveServer, wait_for
from tests.wire.raw import Peer, delete, get, http_date, listing, put, request


@pytest.mark.parametrize('version', [1000, 1001])
def test_promise_33_a_file_that_is_not_newer_is_deleted(
    peer: Peer, name: str, version: int
) -> None:
    peer.ask(put(name, version=1000))
    answer = peer.ask(delete(name, version))

    assert answer.status == 200
    assert 'last-modified' not in answer.headers
    assert peer.ask(get(name)).status == 404


def test_promise_34_a_newer_file_stays(peer: Peer, name: str) -> None:
    peer.ask(put(name, version=1000))
    answer = peer.ask(delete(name, version=999))

    assert answer.status == 200
    assert answer.headers['last-modified'] == http_date(1000)
    assert peer.ask(get(name)).status == 200


def test_promise_35_deleting_what_is_not_there_is_404(peer: Peer, name: str) -> None:
    peer.ask(put(name + '/a'))

    for missing in (name + '/b', name):
        answer = peer.ask(delete(missing))
        assert answer.status == 404
        assert answer.line == 'no such file: ' + missing


def test_promise_36_any_version_can_follow_a_deletion(peer: Peer, name: str) -> None:
    peer.ask(put(name, b'first', version=1000))
    peer.ask(delete(name, version=1000))
    answer = peer.ask(put(name, b'second', version=1))

    assert answer.headers['last-modified'] == http_date(1)
    assert peer.ask(get(name)).body == b'second'


def test_promise_37_a_list_has_the_names_below_a_directory(peer: Peer, name: str) -> None:
    names = ['b', 'a/c', 'a/b/c', 'a-b', 'a.b', 'B', 'ż', 'z z', '\U0001f40d', '\uffff']
    for stored in names:
        peer.ask(put('%s/%s' % (name, stored)))

    answer = peer.ask(listing(name))
    assert answer.status == 200
    assert answer.headers['content-type'] == 'text/plain; charset=utf-8'
    expected = sorted(stored.encode() + b'\n' for stored in names)
    assert answer.body.splitlines(keepends=True) == expected
    assert peer.ask(listing(name + '/a')).body == b'b/c\nc\n'
    for target in ('/list', '/list/'):
        everything = peer.ask(request('GET', target)).body.splitlines(keepends=True)
        assert {b'%b/%b' % (name.encode(), line) for line in expected} <= set(everything)
        assert everything == sorted(everything)


def test_promise_38_a_list_may_leave_out_what_is_newer(peer: Peer, name: str) -> None:
    for version in (1, 100, 4_000_000_000):
        peer.ask(put('%s/%d' % (name, version), version=version))

    for cutoff, lines in (
        (0, b''),
        (1, b'1\n'),
        (99, b'1\n'),
        (100, b'1\n100\n'),
        (None, b'1\n100\n4000000000\n'),
    ):
        assert peer.ask(listing(name, cutoff)).body == lines


def test_promise_39_a_missing_directory_is_404(peer: Peer, name: str) -> None:
    peer.ask(put(name + '/file'))

    for missing in (name + '/x', name + '/file', name[:-1]):
        answer = peer.ask(listing(missing))
        assert answer.status == 404
        assert answer.line == 'no such directory: ' + missing
    peer.ask(delete(name + '/file'))
    assert peer.ask(listing(name)).status == 404


def test_promise_39_the_root_of_an_empty_store_is_there(server: LiveServer) -> None:
    with Peer(server.port) as peer:
        answer = peer.ask(request('GET', '/list'))

    assert answer.status == 200
    assert answer.body == b''


def test_promise_40_a_list_is_complete_while_names_change(
    shared: LiveServer, peer: Peer, name: str
) -> None:
    steady = {'%s/%04d' % (name, number) for number in range(0, 2400, 2)}
    for stored in steady:
        peer.ask(put(stored, b''))
    stop = threading.Event()

    def change() -> None:
        with Peer(shared.port) as other:
            number = 1
            while not stop.is_set():
                passing = '%s/%04d' % (name, number)
                assert other.ask(put(passing, b'')).status == 200
                assert other.ask(delete(passing)).status == 200
                number = (number + 502) % 2400

    changing = threading.Thread(target=change)
    changing.start()
    try:
        lists = [peer.ask(listing(name)) for _ in range(20)]
    finally:
        stop.set()
        changing.join()

    for answer in lists:
        lines = answer.body.decode().splitlines()
        assert lines == sorted(set(lines))
        assert steady <= {'%s/%s' % (name, line) for line in lines}


def test_promise_41_an_error_is_one_line_in_body_and_header(peer: Peer, name: str) -> None:
    for method, target in (
        ('GET', '/files/' + name),
        ('GET', '/files/a/../b'),
        ('GET', '/nowhere'),
        ('PUT', '/files/' + name),
        ('POST', '/files/' + name),
        ('DELETE', '/files/%s?last_modified=x' % name),
    ):
        answer = peer.ask(request(method, target))
        assert answer.line == answer.headers['x-exception']
        assert 'Traceback' not in answer.line


def test_promise_41_the_header_of_an_error_is_ascii(peer: Peer) -> None:
    answer = peer.ask(get('ą\u00e9\U0001f40d'))

    assert answer.line == 'no such file: ą\u00e9\U0001f40d'
    assert answer.headers['x-exception'] == r'no such file: \u0105\xe9\U0001f40d'


def test_promise_41_an_error_has_no_control_characters(peer: Peer) -> None:
    answer = peer.ask(b'GET /%1b[31mred%00 HTTP/1.1\r\nHost: h\r\n\r\n')

    assert answer.status == 400
    assert answer.line.isprintable()
    assert answer.headers['x-exception'].isprintable()


def test_nothing_is_below_the_version(peer: Peer) -> None:
    assert peer.ask(b'GET /version/foo HTTP/1.1\r\nHost: h\r\n\r\n').status == 400


def test_a_head_without_a_body_announces_no_length_of_its_own(peer: Peer) -> None:
    answer = peer.ask(b'HEAD /list HTTP/1.1\r\nHost: h\r\n\r\n')

    assert answer.status == 200
    assert 'content-length' not in answer.headers


def test_promise_41_an_error_tells_nothing_of_the_machine(
    shared: LiveServer, peer: Peer, name: str
) -> None:
    peer.ask(put(name, name.encode()))
    blob = (shared.links / name).resolve()
    blob.unlink()
    blob.mkdir()

    answer = peer.ask(get(name))
    assert answer.status == 500
    assert answer.line == 'internal error'
    wait_for(lambda: str(blob) in shared.log(), 'the reason in the log')


def test_promise_42_an_unknown_endpoint_is_400(peer: Peer) -> None:
    for target in ('/nothing', '/file/x', '/Files/x', '/..', '/%00'):
        answer = peer.ask(request('GET', target))
        assert answer.status == 400, target
        assert answer.line


def test_promise_42_an_unknown_method_is_405(peer: Peer, name: str) -> None:
    for method, target, allowed in (
        ('POST', '/files/' + name, 'GET, HEAD, PUT, DELETE'),
        ('FROBNICATE', '/files/' + name, 'GET, HEAD, PUT, DELETE'),
        ('get', '/files/' + name, 'GET, HEAD, PUT, DELETE'),
        ('PUT', '/list/' + name, 'GET, HEAD'),
        ('DELETE', '/list', 'GET, HEAD'),
        ('PUT', '/version', 'GET, HEAD'),
        ('DELETE', '/', 'GET, HEAD'),
        ('PUT', '/nothing', 'GET, HEAD'),
        ('OPTIONS', '*', 'GET, HEAD'),
    ):
        answer = peer.ask(request(method, target))
        assert answer.status == 405, (method, target)
        assert answer.headers['allow'] == allowed
        assert answer.line
