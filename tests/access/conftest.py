"""A server with access rules, whose credentials are called as their roles are."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.access.encrypted import Certified
from tests.access.rules import RULES, TOKENS, guarded_server
from tests.support import LiveServer
from tests.wire.raw import Peer, put


@pytest.fixture(scope='package')
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """A server that tests share, with one file inside and one outside of the prefix /in."""
    folder = tmp_path_factory.mktemp('access')
    with guarded_server(folder, RULES) as live:
        with Peer(live.port) as peer:
            for name in ('in/there', 'out/there', 'top'):
                request = put(name, authorization='Bearer %s' % TOKENS['admin'])
                assert peer.ask(request).status == 200
        yield live


@pytest.fixture
def peer(shared: LiveServer) -> Iterator[Peer]:
    """A connection to the shared server."""
    with Peer(shared.port) as connection:
        yield connection


@pytest.fixture(scope='module')
def certified(tmp_path_factory: pytest.TempPathFactory) -> Certified:
    """A certificate for a server, and its authority."""
    return Certified(tmp_path_factory.mktemp('certified'))


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    """A file for access rules."""
    return tmp_path / 'access.toml'
