"""What the log says of requests, in both of its forms, and what it never says."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.access.rules import RULES, bearer, guarded_server
from tests.support import LiveServer, wait_for
from tests.wire.raw import Answer, Peer, put, request

SECRET = 'hunter2'
ENTRY = re.compile(
    r'\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} INFO     \(\d+\) filetracker.access '
    r'127\.0\.0\.1 "(?P<said>[^"]*)" (?P<status>\d{3}) \d+ \d+\.\d{3} (?P<user>\S+) (?P<id>\S+)'
)


def line_of(server: LiveServer, answer: Answer) -> str:
    """Returns the line about an answered request."""
    mark = answer.headers['x-request-id']

    def found() -> list[str]:
        return [line for line in server.log().split('\n') if mark in line and 'access' in line]

    (line,) = wait_for(found, 'the line')
    return line


def entry_of(server: LiveServer, answer: Answer) -> re.Match[str]:
    entry = ENTRY.fullmatch(line_of(server, answer))
    assert entry and entry['id'] == answer.headers['x-request-id']
    return entry


def object_of(server: LiveServer, answer: Answer) -> dict[str, Any]:
    said = json.loads(line_of(server, answer))
    assert isinstance(said, dict)
    return said


@pytest.fixture(scope='module')
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """A server that these tests share."""
    with LiveServer(tmp_path_factory.mktemp('plain') / 'store') as live:
        yield live


@pytest.fixture(scope='module')
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """Another one, with access control, that logs as JSON."""
    folder = tmp_path_factory.mktemp('guarded')
    with guarded_server(folder, RULES, '--log-format', 'json') as live:
        yield live


def ask(server: LiveServer, said: bytes) -> Answer:
    with Peer(server.port) as peer:
        return peer.ask(said)


@pytest.mark.parametrize('method', ['GET', 'HEAD', 'DELETE', 'BREW'])
def test_a_line_says_which_method_was_used(server: LiveServer, method: str) -> None:
    entry = entry_of(server, ask(server, request(method, '/files/none')))

    assert entry['said'] == method + ' /files/none'
    assert entry['user'] == '-'


def test_a_request_that_was_not_understood_has_a_line(server: LiveServer) -> None:
    entry = entry_of(server, ask(server, b'GET /files/a HTTP/1.1\r\nhost : a\r\n\r\n'))

    assert (entry['said'], entry['status']) == ('- -', '400')


def test_a_request_is_an_object_of_json(guarded: LiveServer) -> None:
    answer = ask(guarded, put('in/a', authorization=bearer('write')))
    said = object_of(guarded, answer)

    assert datetime.strptime(said.pop('time'), '%Y-%m-%dT%H:%M:%S.%fZ')
    assert 0 < said.pop('seconds') < 60
    assert said.pop('process') > 0
    target = '/files/in/a?last_modified=Thu%2C%2001%20Jan%201970%2000%3A16%3A40%20-0000'
    assert said == {
        'level': 'INFO',
        'logger': 'filetracker.access',
        'message': 'PUT ' + target,
        'peer': '127.0.0.1',
        'user': 'write',
        'method': 'PUT',
        'target': target,
        'status': 200,
        'bytes': len(answer.body),
        'request_id': answer.headers['x-request-id'],
    }


def test_all_of_the_log_is_json(tmp_path: Path) -> None:
    with LiveServer(tmp_path / 'store', '--log-format', 'json') as server:
        ask(server, request('HEAD', '/files/in/a'))
        server.stop()
        said = [json.loads(line) for line in server.log().splitlines()]

    assert all(each.keys() >= {'time', 'level', 'logger', 'message'} for each in said)
    assert said[-1]['message'] == 'stopped'
    assert [each['method'] for each in said if 'method' in each] == ['HEAD']


@pytest.mark.parametrize(
    'fields',
    [{'authorization': 'Bearer ' + SECRET}, {'authorization': 'Basic anVkZ2U6aHVudGVyMg=='}]
    + [{'x_request_id': '"%s"' % SECRET}, {'cookie': SECRET}, {'referer': 'http://a/' + SECRET}],
)
def test_no_field_of_a_request_is_in_the_log(guarded: LiveServer, fields: dict[str, str]) -> None:
    answer = ask(guarded, request('GET', '/files/in/a', **fields))

    assert object_of(guarded, answer)['status'] == 401
    assert SECRET not in guarded.log() and 'anVkZ' not in guarded.log()


@pytest.mark.parametrize(
    ('target', 'said'),
    [
        ('http://judge:%s@host/files/a' % SECRET, 'http://***@host/files/a'),
        ('http://%s@x@host/files/a' % SECRET, 'http://***@host/files/a'),
        ('/files/a?token=%s&x=y' % SECRET, '/files/a?token=***&x=y'),
        ('/files/a?x=y&access_TOKEN=%s' % SECRET, '/files/a?x=y&access_TOKEN=***'),
        ('/files/a?X-Api-Key=%s' % SECRET, '/files/a?X-Api-Key=***'),
        ('/files/ftk_%s/a' % SECRET, '/files/***/a'),
        ('/files/a?x=FTK_%s' % SECRET, '/files/a?x=***'),
        ('/files/a@5?last_modified=x', '/files/a@5?last_modified=x'),
    ],
)
def test_secrets_in_targets_are_not_in_the_log(server: LiveServer, target: str, said: str) -> None:
    entry = entry_of(server, ask(server, request('GET', target)))

    assert entry['said'] == 'GET ' + said
    assert SECRET not in server.log()


@pytest.mark.parametrize(
    ('target', 'said'),
    [
        ('/files/a" 200 0', None),
        ('/files/"', r'/files/\x22'),
        ('/files/\\', r'/files/\x5c'),
        ('/files/\x85\xe9', r'/files/\x85\xe9'),
        ('/files/a%0AINFO%22', '/files/a%0AINFO%22'),
    ],
)
def test_no_line_can_be_forged_by_a_target(
    server: LiveServer, target: str, said: str | None
) -> None:
    entry = entry_of(server, ask(server, request('GET', target)))

    assert entry['said'] == ('GET ' + said if said else '- -')
    assert '\x85' not in server.log()


def test_an_error_says_in_which_request_it_was(tmp_path: Path) -> None:
    with LiveServer(tmp_path / 'store', module='tests.servers.panic') as server:
        answer = ask(server, request('GET', '/files/panic', x_request_id='of-mine'))
        line = r'ERROR .* GET /files/panic: the database cannot be used any more \[of-mine\]\n'
        wait_for(lambda: re.search(line, server.log()), 'the line')

    assert (answer.status, answer.headers['x-request-id']) == (503, 'of-mine')


def test_an_error_is_one_line_and_what_is_behind_it_begins_none(tmp_path: Path) -> None:
    """What the error says has a line break in it, and could look like a line."""
    with LiveServer(tmp_path / 'store', module='tests.servers.panic') as server:
        answer = ask(server, request('GET', '/files/odd'))
        assert answer.status == 500
        wait_for(lambda: 'OddError' in server.log(), 'the traceback')

    assert '  2026-01-01 00:00:00,000 forged' in server.log()
    lines = [line for line in server.log().split('\n') if line]
    assert [line for line in lines if not re.match(r'\d{4}-\d\d-\d\d \d\d:|  ', line)] == []


def test_an_error_is_an_object_of_json(tmp_path: Path) -> None:
    with LiveServer(
        tmp_path / 'store', '--log-format', 'json', module='tests.servers.panic'
    ) as server:
        answer = ask(server, request('GET', '/files/odd'))
        wait_for(lambda: 'OddError' in server.log(), 'the traceback')
        said = [json.loads(line) for line in server.log().splitlines()]

    (error,) = [each for each in said if each['level'] == 'ERROR']
    assert error['request_id'] == answer.headers['x-request-id']
    assert error['exception'].strip().startswith('Traceback')
