"""A server whose disk takes nothing for a while: it serves what it has, and comes back."""

from __future__ import annotations

import errno
import os
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.faults.shim import CHANGES, SYNCS
from tests.support import LiveServer, wait_for

_SICKNESSES = {
    'a disk that becomes read-only': ('.', CHANGES, errno.EROFS),
    'a log that cannot be synced': ('db', SYNCS, errno.EIO),
    'a log that cannot be written any more': ('db', CHANGES, errno.EROFS),
    'a log without room': ('db', CHANGES, errno.ENOSPC),
}
_READINGS = 100


@pytest.fixture
def server(library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LiveServer]:
    """A server that is sick while there is a file ``sick``."""
    monkeypatch.setenv('LD_PRELOAD', str(library))
    with LiveServer(tmp_path / 'store', module='tests.faults.sick_server') as server:
        yield server


def put(server: LiveServer, name: str, version: int, content: bytes) -> requests.Response:
    return requests.put(
        '%s/files/%s?last_modified=Thu, 01 Jan 1970 00:00:%02d -0000' % (server.url, name, version),
        data=content,
    )


@pytest.mark.parametrize('sickness', _SICKNESSES)
def test_reads_go_on_while_the_disk_takes_nothing_and_writes_come_back(
    sickness: str, server: LiveServer, tmp_path: Path
) -> None:
    contents = {'a/%d' % number: b'content %d' % number for number in range(10)}
    for name, content in contents.items():
        assert put(server, name, 1, content).status_code == 200
    (tmp_path / 'aside').write_text('%s %d %d' % _SICKNESSES[sickness])
    os.rename(tmp_path / 'aside', tmp_path / 'sick')

    (refused,) = wait_for(lambda: _refusal(server), 'a refusal')
    owner = server.owner_pid()
    unsure: defaultdict[str, set[int]] = defaultdict(set)
    _refused(refused)
    assert len(refused.text.splitlines()) == 1 and str(tmp_path) not in refused.text
    for number in range(_READINGS):
        name = 'a/%d' % (number % len(contents))
        answer = requests.get('%s/files/%s' % (server.url, name))
        assert (answer.status_code, answer.content) == (200, contents[name])
        unsure[name].add(_refused(put(server, name, 2, b'refused')))
        time.sleep(0.01)
    unsure['a/1'].add(_refused(requests.delete(refused.url.replace('new', 'a/1'))))
    assert server.owner_pid() == owner

    os.unlink(tmp_path / 'sick')
    wait_for(lambda: put(server, 'again', 1, b'again').status_code == 200, 'a put')
    for name, content in {**contents, 'again': b'again'}.items():
        answer = requests.get('%s/files/%s' % (server.url, name))
        # What a 503 was said of was done or not, but wholly; nobody could know then.
        if answer.content != content:
            assert 503 in unsure[name]
            assert answer.content == b'refused' or (name, answer.status_code) == ('a/1', 404)
    server.kill()
    server.start()
    assert requests.get(server.url + '/files/again').content == b'again'


@pytest.mark.parametrize('sickness', _SICKNESSES)
def test_a_server_on_a_sick_disk_is_alive_but_not_ready_until_it_is_well(
    sickness: str, server: LiveServer, tmp_path: Path
) -> None:
    assert _ready(server) == (200, 'ready\n')
    (tmp_path / 'aside').write_text('%s %d %d' % _SICKNESSES[sickness])
    os.rename(tmp_path / 'aside', tmp_path / 'sick')

    sick = (503, 'the store takes no changes now\n')
    wait_for(lambda: _ready(server) == sick, 'the disk to be sick')
    assert requests.get(server.url + '/health').text == 'alive\n'
    # So it is when the database was not written.
    _refusal(server)
    assert _ready(server) == sick
    os.unlink(tmp_path / 'sick')
    wait_for(lambda: _ready(server) == (200, 'ready\n'), 'the disk to be well')
    assert put(server, 'again', 1, b'again').status_code == 200


def _ready(server: LiveServer) -> tuple[int, str]:
    answer = requests.get(server.url + '/ready')
    return answer.status_code, answer.text


def _refused(answer: requests.Response) -> int:
    assert answer.status_code in (503, 507)
    return answer.status_code


def _refusal(server: LiveServer) -> list[requests.Response]:
    answer = put(server, 'new', 1, os.urandom(8))
    return [] if answer.status_code == 200 else [answer]
