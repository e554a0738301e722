"""What all tests share: a live server, and the check that nothing is left behind."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import LiveServer, left_behind

_LAST_MOMENT = 10.0

pytest.register_assert_rewrite('tests.contracts')


@pytest.fixture
def server(tmp_path: Path) -> Iterator[LiveServer]:
    """A server on a fresh store."""
    with LiveServer(tmp_path / 'store') as live:
        yield live


@pytest.fixture(scope='session', autouse=True)
def nothing_is_left_behind() -> Iterator[None]:
    """Fails the session when a process that a test started outlives it."""
    yield
    until = time.monotonic() + _LAST_MOMENT
    # Some may be about to end.
    while (left := left_behind()) and time.monotonic() < until:
        time.sleep(0.1)
    told = ['%d: %s' % (process.pid, line) for process, line in left.items()]
    assert not told, 'processes left behind:\n' + '\n'.join(told)
