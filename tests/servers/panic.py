"""The server on a store that fails: at the file ``panic`` for ever, at ``odd`` unexpectedly."""

from __future__ import annotations

import sys
from typing import Any

from filetracker.errors import StoreUnusable
from filetracker.servers import run
from filetracker.servers.storage import Storage

_open = Storage.open


class OddError(Exception):
    """What nobody expects."""


def _panic(self: Storage, name: str) -> Any:
    if name == 'panic':
        raise StoreUnusable('the database cannot be used any more')
    if name == 'odd':
        raise OddError('no\n2026-01-01 00:00:00,000 forged')
    return _open(self, name)


if __name__ == '__main__':
    Storage.open = _panic  # type: ignore[method-assign]
    sys.exit(run.main())
