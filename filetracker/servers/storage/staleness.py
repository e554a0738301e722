"""Noticing that filetracker 2.3.3 has had the store, and that ``names`` is out of date.

2.3.3 leaves the region files of its environment behind (``db/__db.001`` …), also when it stops; an
environment of ours has none. Opening ours removes them, so what they say is noted first, in
``db/stale``, until ``names`` has been brought up to date.
"""

from __future__ import annotations

import os
import re

from filetracker.durable import sync_folder

_REGION = re.compile(r'__db\.\d{3}\Z')
_NOTE = 'stale'


def note_staleness(home: str) -> None:
    """Looks into ``db/``, before the environment in it is opened; durable on return."""
    files = os.listdir(home)
    if 'names' not in files or _NOTE in files:
        return
    # Counts are part of what is known about names; without them shared blobs would go too early.
    if 'metadata' not in files or any(_REGION.match(file) for file in files):
        with open(os.path.join(home, _NOTE), 'wb'):
            sync_folder(home)


def is_stale(home: str) -> bool:
    """Returns whether ``names`` has to be brought up to date."""
    return os.path.lexists(os.path.join(home, _NOTE))


def forget_staleness(home: str) -> None:
    """To be called when ``names`` is up to date, durably."""
    try:
        os.unlink(os.path.join(home, _NOTE))
    except FileNotFoundError:
        return
    sync_folder(home)
