"""One server for all promises, and one whose patience is short."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.support import LiveServer
from tests.wire.raw import Peer


@pytest.fixture(scope='package')
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """A server that tests share; each keeps to names of its own."""
    with LiveServer(tmp_path_factory.mktemp('shared') / 'store') as live:
        yield live


@pytest.fixture(scope='package')
def hasty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """A shared server that waits one second for silent peers."""
    patience = ('--idle-timeout', '1', '--keep-alive-timeout', '1')
    with LiveServer(tmp_path_factory.mktemp('hasty') / 'store', *patience) as live:
        yield live


@pytest.fixture
def peer(shared: LiveServer) -> Iterator[Peer]:
    """A connection to the shared server."""
    with Peer(shared.port) as connection:
        yield connection


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    """A name that no other test uses."""
    return re.sub(r'\W+', '-', request.node.name)
