"""How much memory the database may take, by how large it is."""

from __future__ import annotations

import os

_LEAST = 64 << 20
_MOST = 1 << 30
# A look-up reads 0.8 pages from the disk with a sixteenth of the database in memory, 1.2 with a
# sixtieth, where the inner pages of the tree still are (benchmarks/berkeley.py).
_SHARE = 16


def cache_size(home: str) -> int:
    """Returns the size of the cache, in bytes; taken as it is filled."""
    total = 0
    for name in ('names', 'metadata'):
        try:
            total += os.stat(os.path.join(home, name)).st_size
        except FileNotFoundError:
            continue
    return min(max(total // _SHARE, _LEAST), _MOST)
