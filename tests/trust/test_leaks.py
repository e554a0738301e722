"""After any number of operations the server takes no more of its machine than before."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.support import LiveServer, wait_for
from tests.trust import SOAK, by_form
from tests.trust.books import check_books, descriptors
from tests.trust.churn import churn
from tests.trust.footprint import footprint

_OPERATIONS = by_form(2500, 100_000)
#: What allocators may keep; in the long form also the cache of the database, which has 64 MiB
#: and becomes resident as it is used.
_MEMORY = by_form(16 << 20, 64 << 20)
_DATABASE = 80 << 20
#: The pool of the server, and a few.
_THREADS = 40


@pytest.mark.timeout(7200 if SOAK else 120)
def test_mixed_operations_leave_nothing_behind(server: LiveServer, chance: random.Random) -> None:
    parent, owner = server.pid, server.owner_pid()
    tallies = [churn(server.port, 1500, chance)]
    wait_for(lambda: len(_descriptors(server)) < 40, 'the connections to end')
    descriptors_before = len(_descriptors(server))
    before, parent_before = footprint(owner), footprint(parent)
    tallies.append(churn(server.port, _OPERATIONS, chance))

    print(tallies[-1], before, footprint(owner), sep='\n')
    assert all(tally.is_clean for tally in tallies), tallies
    assert server.owner_pid() == owner, 'the server has died'
    wait_for(lambda: len(_descriptors(server)) <= descriptors_before, 'descriptors to be freed')
    assert footprint(owner).threads < _THREADS
    assert footprint(owner).memory - before.memory < _MEMORY
    assert footprint(parent).descriptors == parent_before.descriptors
    assert footprint(parent).memory - parent_before.memory < _MEMORY
    assert _size(server.base_dir / 'db') < _DATABASE
    assert not list(server.base_dir.glob('lost+found/*'))
    check_books(server)


def _descriptors(server: LiveServer) -> list[str]:
    """What is open, but for the files that are kept for the next who wants them."""
    kept = str(server.base_dir / 'blobs')
    return [
        target
        for target in descriptors(server)
        if not target.startswith(kept) or target.endswith(' (deleted)')
    ]


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir())
