"""Kills at random moments under load; then every name is looked at."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

from tests.trust.client import Lost
from tests.trust.load import Ledger, Load, Writer, audit
from tests.trust.tally import Tally
from tests.trust.target import Target

_WRITERS = 8


def kill_under_load(
    target: Target, chance: random.Random, kills: int, kill: Callable[[Target], float]
) -> Tally:
    """Kills a server, which serves already, so many times; it serves in the end.

    ``kill`` returns how long it was away; the longest is ``longest`` of what is returned.
    """
    tally = Tally()
    ledger = Ledger(chance)
    writers = [Writer(number, ledger, tally, chance.randrange(10**9)) for number in range(_WRITERS)]
    for _ in range(kills):
        try:
            with Load(target.port, writers):
                time.sleep(chance.uniform(0.05, 0.5))
                away = kill(target)
                tally.longest = max(tally.longest, away)
                time.sleep(chance.uniform(0, 0.1))
            audit(target.port, ledger, tally)
        except Lost as error:
            tally.failed.append(str(error))
            target.kill()
            target.start()
    return tally
