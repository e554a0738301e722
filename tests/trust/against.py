"""Measures servers beside each other: ``python -m tests.trust.against COMMAND [COMMAND ...]``.

Each ``COMMAND`` starts a server in the foreground when ``-d DIR -p PORT -D`` is added, as both
``filetracker-server`` and that of filetracker 2.3.3 do. Each gets the same faults, each fault on
an empty directory of its own, which is gone in the end. A table says what came of it: how often
something was tried, how many files were lost, or not what somebody put, how many requests failed,
and the longest time that anybody waited; of kills, the longest time that the server was away.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from tests.trust.client import Client, Lost
from tests.trust.commands import CommandServer
from tests.trust.contents import content
from tests.trust.kills import kill_under_load
from tests.trust.lies import tell_lies
from tests.trust.mixed import Mix, read_slowly
from tests.trust.stalled import work_beside_stalled_uploads
from tests.trust.tally import Tally
from tests.trust.target import kill_owner, kill_server
from tests.trust.torn import break_uploads

Scenario = Callable[[CommandServer, random.Random], Tally]
_HEADINGS = ('fault', 'tried', 'lost', 'torn', 'failed', 'longest wait')
_SETTLING = 3.0


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog='python -m tests.trust.against', description=__doc__)
    parser.add_argument('commands', nargs='+', metavar='COMMAND', help='what starts a server')
    parser.add_argument('--kills', type=int, default=10, help='of each kind (default: %(default)d)')
    parser.add_argument(
        '--seconds', type=float, default=10, help='of reading and stalling (default: %(default)g)'
    )
    parser.add_argument('--seed', type=int, default=1, help='(default: %(default)d)')
    parser.add_argument(
        '--tell', type=int, default=0, help='how much of what went wrong is told (default: nothing)'
    )
    told = parser.parse_args(arguments)
    for number, command in enumerate(told.commands):
        if number:
            print()
        print('%s\n' % command)
        _print_row(*_HEADINGS)
        for name, scenario in _scenarios(told.kills, told.seconds).items():
            _measure(command, name, scenario, random.Random(told.seed), told.tell)
    return 0


def _scenarios(kills: int, seconds: float) -> dict[str, Scenario]:
    def killed(kill: Callable[[CommandServer], float]) -> Scenario:
        return lambda server, chance: kill_under_load(server, chance, kills, kill)

    def mixed(may_delete: bool) -> Scenario:
        return lambda server, chance: Mix(server.port, may_delete, chance).run(seconds)

    return {
        'all processes killed under load': killed(kill_server),
        'one process killed under load': killed(kill_owner),
        'uploads broken off': lambda server, _: break_uploads(
            server.port, partial(time.sleep, _SETTLING)
        ),
        'uploads that lie': lambda server, _: tell_lies(server.port),
        'reads while overwritten': mixed(False),
        'reads while deleted and put': mixed(True),
        'slow reads while overwritten': lambda server, _: read_slowly(server.port, _overwrite),
        'work beside stalled uploads': lambda server, _: work_beside_stalled_uploads(
            server.port, seconds
        ),
    }


def _overwrite(client: Client, name: str) -> None:
    client.put(name, 2, content('new'))
    client.delete(name, 2)


def _measure(command: str, name: str, scenario: Scenario, chance: random.Random, tell: int) -> None:
    with tempfile.TemporaryDirectory(prefix='filetracker-') as folder:
        try:
            with CommandServer(command, Path(folder, 'store')) as server:
                tally = scenario(server, chance)
        except Lost as lost:
            _print_row(name, 'given up: %s' % lost)
            return
    for what in ('lost', 'torn', 'failed'):
        for told in getattr(tally, what)[:tell]:
            print('    %s: %s' % (what, told))
    counts = (tally.tried, len(tally.lost), len(tally.torn), len(tally.failed))
    _print_row(name, *map(str, counts), '%.2f s' % tally.longest)


def _print_row(name: str, *cells: str) -> None:
    print('%-32s' % name + ''.join('%14s' % cell for cell in cells), flush=True)


if __name__ == '__main__':
    sys.exit(main())
