"""What a running server promises when peers, processes and networks fail.

The tests run in a short form; with ``FILETRACKER_SOAK`` in the environment they are the same, and
longer. What is random follows from a seed, which is printed; ``FILETRACKER_SEED`` repeats a run.
``python -m tests.trust.against`` measures other servers in the same way.
"""

from __future__ import annotations

import os
import random
from typing import TypeVar

#: Whether there is time.
SOAK = bool(os.environ.get('FILETRACKER_SOAK'))

T = TypeVar('T')


def by_form(short: T, long: T) -> T:
    """Returns ``long`` where there is time, else ``short``."""
    return long if SOAK else short


def chance() -> random.Random:
    """Returns a source of chance, and prints its seed."""
    seed = os.environ.get('FILETRACKER_SEED') or str(random.SystemRandom().randrange(10**9))
    print('FILETRACKER_SEED=%s' % seed)
    return random.Random(seed)
