"""The server that, when it stops, waits longer for the first requests of those who are connected.

So that a test that has just connected is in time, however busy the machine is.
"""

from __future__ import annotations

import sys

from filetracker.servers import http, run
from tests.support import PATIENCE

if __name__ == '__main__':
    http._FIRST_REQUEST = PATIENCE
    sys.exit(run.main())
