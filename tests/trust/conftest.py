"""A source of chance for each test, and a server with little patience."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import trust
from tests.support import LiveServer


@pytest.fixture
def chance() -> random.Random:
    """A source of chance, whose seed is shown when the test fails."""
    return trust.chance()


@pytest.fixture
def hasty(tmp_path: Path) -> Iterator[LiveServer]:
    """A server on a fresh store that waits one second for silent peers."""
    with LiveServer(tmp_path / 'store', '--idle-timeout', '1') as live:
        yield live
