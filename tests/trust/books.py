"""The books of a store whose server does nothing just now: they must balance exactly."""

from __future__ import annotations

import os
from collections.abc import Callable

from tests.support import LiveServer, wait_for
from tests.trust.client import Client
from tests.trust.contents import judged


def check_books(server: LiveServer) -> None:
    """Checks that each listed name answers with a whole file, and that nothing else is stored."""
    wait_for(lambda: not unfinished(server), 'nothing to be under way')
    digests = set()
    with Client(server.port) as client:
        for name in client.names():
            answer = client.get(name)
            assert answer.status == 200, (name, answer)
            judged(answer.headers, answer.body)
            digests.add(answer.headers['sha256-checksum'])
    assert {blob.name for blob in server.base_dir.glob('blobs/*/*')} == digests


def settled(server: LiveServer) -> Callable[[], None]:
    """Returns what waits until the server has as few connections as now."""
    before = _connections(server)
    return lambda: wait_for(lambda: _connections(server) <= before, 'the connections to end')


def unfinished(server: LiveServer) -> list[str]:
    """Returns what shows that an upload is under way: notes, and open files without a name."""
    spool = (server.base_dir / 'spool').iterdir()
    # The door for commands is always there.
    notes = [path.name for path in spool if not path.is_socket()]
    return notes + [target for target in descriptors(server) if target.endswith(' (deleted)')]


def descriptors(server: LiveServer) -> list[str]:
    """Returns what the file descriptors of the process that owns the store stand for."""
    folder = '/proc/%d/fd' % server.owner_pid()
    found = []
    for number in os.listdir(folder):
        try:
            found.append(os.readlink('%s/%s' % (folder, number)))
        except FileNotFoundError:
            # Closed since.
            continue
    return found


def _connections(server: LiveServer) -> int:
    return sum(target.startswith('socket:') for target in descriptors(server))
