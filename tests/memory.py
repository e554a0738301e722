"""Folders in memory: a disk takes longest to make and remove the many that a store has."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

_MEMORY = Path('/dev/shm')
_ROOM = 512 << 20


@contextlib.contextmanager
def in_memory(otherwise: Path) -> Iterator[Path]:
    """Yields a folder in memory, which goes in the end, or ``otherwise`` where there is no room."""
    if not os.access(_MEMORY, os.W_OK) or shutil.disk_usage(_MEMORY).free < _ROOM:
        yield otherwise
        return
    with tempfile.TemporaryDirectory(prefix='filetracker-', dir=_MEMORY) as folder:
        yield Path(folder)


@pytest.fixture
def tmp_path(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory where that can be had."""
    with in_memory(tmp_path) as folder:
        yield folder
