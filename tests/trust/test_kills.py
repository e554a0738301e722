"""Processes are killed under load: nothing that was acknowledged is lost."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support import LiveServer
from tests.trust import SOAK, by_form
from tests.trust.books import check_books
from tests.trust.kills import kill_under_load
from tests.trust.ports import lasting_port
from tests.trust.target import kill_owner, kill_server

#: Far above what it takes on a machine that does nothing else.
_AWAY = 10.0


@pytest.fixture
def server(tmp_path: Path) -> Iterator[LiveServer]:
    """A server on a fresh store, on a port that is there when it comes back."""
    live = LiveServer(tmp_path / 'store')
    live.port = lasting_port()
    with live:
        yield live


def stop_server(server: LiveServer) -> float:
    """Asks a server to stop and starts it again; returns how long it was away, in seconds."""
    assert server.stop() == 0
    return kill_server(server)


@pytest.mark.timeout(3600 if SOAK else 120)
@pytest.mark.parametrize('kill', [kill_server, kill_owner, stop_server])
def test_kills_under_load_lose_nothing(
    server: LiveServer, chance: random.Random, kill: Callable[[LiveServer], float]
) -> None:
    tally = kill_under_load(server, chance, by_form(4, 100), kill)

    print('%s: %s' % (kill.__name__, tally))
    assert tally.is_clean, tally
    assert tally.longest < _AWAY
    check_books(server)
