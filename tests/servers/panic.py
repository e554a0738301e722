"""The server on a store whose database panics when the file ``panic`` is asked for."""

from __future__ import annotations

import sys
from typing import Any

from filetracker.errors import StoreUnusable
from filetracker.servers import run
from filetracker.servers.storage import Storage

_open = Storage.open


def _panic(self: Storage, name: str) -> Any:
    if name == 'panic':
        raise StoreUnusable('the database cannot be used any more')
    return _open(self, name)


if __name__ == '__main__':
    Storage.open = _panic  # type: ignore[method-assign]
    sys.exit(run.main())
