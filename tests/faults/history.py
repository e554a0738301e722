"""A history of operations from several threads, recorded, and what may be left of it at any point.

Each name belongs to one thread; contents are shared by all.
"""

from __future__ import annotations

import os
import random
import threading
from functools import partial
from itertools import zip_longest
from typing import NamedTuple

from filetracker.servers.storage import FileStorage, blobs_directory, run_together
from tests.faults.recording import Event
from tests.faults.shim import Shim
from tests.faults.stores import make_many_checkpoints, put, use_small_log

THREADS = 6
TOO_OLD = -1
_NAMES = ('%d', '%d/below', 'd/%d', 'd/e/%d')


class Step(NamedTuple):
    """A put of a content, or with ``None`` a delete, with the version that goes with it.

    What has the version ``TOO_OLD`` changes nothing.
    """

    name: str
    version: int
    plain: bytes | None


def plan(seed: int, length: int) -> list[list[Step]]:
    """Returns the steps of each thread, ``length`` in all."""
    dice = random.Random(seed)
    contents = [dice.randbytes(dice.choice((0, 10, 3000, 20_000))) for _ in range(THREADS)]
    threads = []
    for thread in range(THREADS):
        stored: set[str] = set()
        steps = []
        for version in range(length // THREADS):
            name = dice.choice(_NAMES) % thread
            # A directory and a file of one name exclude each other.
            conflicts = {other for other in stored if (other + '/').startswith(name + '/')}
            conflicts |= {other for other in stored if name.startswith(other + '/')}
            rivals = conflicts - {name}
            if rivals:
                name = rivals.pop()
            if name in stored and dice.random() < 0.2:
                steps.append(Step(name, TOO_OLD, dice.choice(contents)))
            elif name in stored and (rivals or dice.random() < 0.4):
                stored.discard(name)
                steps.append(Step(name, version, None))
            else:
                stored.add(name)
                steps.append(Step(name, version, dice.choice(contents)))
        threads.append(steps)
    return threads


def live(
    base_dir: str,
    journal: str,
    threads: list[list[Step]],
    sessions: int,
    abreast: int = 1,
    has_journal: bool = True,
) -> None:
    """Does the steps on a store, opening and closing it so many times, and records it all.

    One real thread does ``abreast`` of them together, as the server does with small uploads.
    ``has_journal`` says whether the store takes the disk for one with a journal.
    """
    blobs_directory.may_lack_journal = lambda folder: not has_journal
    shim = Shim(os.path.dirname(base_dir))
    with open(journal, 'ab') as file:
        shim.record(file.fileno())
        shim.slow_syncs(0.002)
        use_small_log(base_dir)
        make_many_checkpoints()
        for session in range(sessions):
            store = FileStorage(base_dir)
            shares = [_share(steps, session, sessions) for steps in threads]
            workers = [
                threading.Thread(target=_work, args=(store, shim, shares[first : first + abreast]))
                for first in range(0, len(shares), abreast)
            ]
            for worker in workers:
                worker.start()
            for worker in workers:
                worker.join()
            store.close()
        shim.record(-1)


def _share(steps: list[Step], session: int, sessions: int) -> list[Step]:
    return steps[len(steps) * session // sessions : len(steps) * (session + 1) // sessions]


def _work(store: FileStorage, shim: Shim, threads: list[list[Step]]) -> None:
    for steps in zip_longest(*threads):
        calls = [partial(_take, store, shim, step) for step in steps if step]
        for _, error in run_together(calls):
            if error:
                raise error


def _take(store: FileStorage, shim: Shim, step: Step) -> None:
    shim.mark('begin %s' % step.name)
    if step.plain is None:
        assert store.delete(step.name, step.version)
    else:
        stays = put(store, step.name, step.version, step.plain)
        assert (stays == step.version) == (step.version != TOO_OLD)
    shim.mark('done %s' % step.name)


class Progress:
    """How far a history has come: what each name may be."""

    def __init__(self, threads: list[list[Step]]) -> None:
        # What each name is at first, after its first step, and so on; ``None`` stands for absent.
        self._values: dict[str, list[tuple[int, bytes] | None]] = {}
        for step in (step for steps in threads for step in steps):
            values = self._values.setdefault(step.name, [None])
            if step.version == TOO_OLD:
                values.append(values[-1])
            else:
                values.append(None if step.plain is None else (step.version, step.plain))
        self._begun = dict.fromkeys(self._values, 0)
        self._done = dict.fromkeys(self._values, 0)

    def apply(self, event: Event) -> bool:
        """Takes note of an event; returns whether it is an answer."""
        if event.kind != '!':
            return False
        what, _, name = event.first.decode().partition(' ')
        (self._begun if what == 'begin' else self._done)[name] += 1
        return what == 'done'

    def allowed(self) -> dict[str, list[tuple[int, bytes] | None]]:
        """Returns what each name may be."""
        return {
            name: values[self._done[name] : self._begun[name] + 1]
            for name, values in self._values.items()
        }
