"""What the tests of recovery share."""

import os

import pytest

from tests.memory import tmp_path
from tests.recovery.small_store import store

__all__ = ['store', 'tmp_path']


@pytest.fixture(autouse=True)
def no_sync_of_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for what others on the machine have written."""
    monkeypatch.setattr(os, 'sync', lambda: None)
