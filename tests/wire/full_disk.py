"""The server on a disk that has no room while there is a file ``full`` beside its directory."""

from __future__ import annotations

import os
import sys

from filetracker.servers import run
from filetracker.servers.settings import parse_settings

_measure = os.statvfs
_FREE_BLOCKS = 4


def _measure_full(path: str) -> os.statvfs_result:
    fields = list(_measure(path))
    if os.path.exists(_FLAG):
        fields[_FREE_BLOCKS] = 0
    return os.statvfs_result(fields)


if __name__ == '__main__':
    _FLAG = os.path.join(os.path.dirname(parse_settings().dir), 'full')
    os.statvfs = _measure_full
    sys.exit(run.main())
