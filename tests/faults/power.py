"""Histories that end with a loss of power, at any point and in any way."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from typing import Any

from filetracker.errors import FiletrackerError
from filetracker.servers.storage import FileStorage
from tests.faults import history
from tests.faults.audit import check, read_state, use
from tests.faults.disk import Choice, Disk, anything, newest, oldest
from tests.faults.forks import each_in_child, in_child
from tests.faults.recording import read_events
from tests.faults.shim import Shim
from tests.faults.stores import opened, told

Report = dict[str, Any]


def cut(scratch: str, seed: int, length: int, sessions: int, cuts: int) -> Report:
    """Lets a history happen, and cuts the power at so many points of it.

    The points right behind an answer come with a disk that keeps nothing but what was synced, all
    others with one that keeps what it likes. In one case of four the power fails a second time,
    while the store is opened. With an odd seed three threads of the history are one, which does
    what they do together, and the disk has no journal.
    """
    threads = history.plan(seed, length)
    live = os.path.join(scratch, 'live')
    journal = os.path.join(scratch, 'journal')
    os.mkdir(live)
    is_odd = bool(seed % 2)
    disk = Disk(live, has_journal=not is_odd)
    abreast = 3 if is_odd else 1
    store = os.path.join(live, 'store')
    in_child(history.live, store, journal, threads, sessions, abreast, not is_odd)
    shutil.rmtree(live)
    report: Report = {'tried': 0, 'events': 0, 'spare': 0, 'problems': []}
    cases = _cases(scratch, journal, disk, history.Progress(threads), seed, cuts)
    for case, (spare, problems) in each_in_child(_trial, cases):
        report['tried'] += 1
        report['events'] = max(report['events'], case[3])
        report['spare'] += spare
        how = 'seed %d, event %d, %s' % (seed, case[3], case[4])
        report['problems'] += ['%s: %s' % (how, problem) for problem in problems]
    return report


def _cases(
    scratch: str, journal: str, disk: Disk, progress: history.Progress, seed: int, cuts: int
) -> Iterator[tuple[Any, ...]]:
    """Yields cases just when the model has come to them, so that a fork finds it there."""
    total = sum(1 for _ in read_events(journal))
    chance = cuts / total
    due = 0.0
    for number, event in enumerate(read_events(journal), 1):
        disk.apply(event)
        if progress.apply(event):
            yield scratch, disk, progress, number, 'oldest'
        due += chance
        if due >= 1:
            due -= 1
            way = 'newest' if number % 10 == 0 else 'anything %d' % (seed + number)
            yield scratch, disk, progress, number, way


def _trial(
    scratch: str, disk: Disk, progress: history.Progress, number: int, way: str
) -> tuple[int, list[str]]:
    root = os.path.join(scratch, 'cut-%d-%s' % (number, way.replace(' ', '-')))
    choice = _choice(way)
    disk.materialize(root, choice)
    try:
        if number % 4 == 0:
            _cut_the_start(root, choice)
        return in_child(_examine, os.path.join(root, 'store'), progress).value
    finally:
        shutil.rmtree(root)


def _choice(way: str) -> Choice:
    word, _, seed = way.partition(' ')
    return anything(int(seed)) if seed else {'oldest': oldest, 'newest': newest}[word]


def _cut_the_start(root: str, choice: Choice) -> None:
    """Replaces what is on a disk by what a loss of power leaves while the store is opened."""
    # Whatever it may lose besides was lost before.
    disk = Disk(root)
    journal = root + '-journal'
    in_child(_open_recorded, root, journal)
    events = list(read_events(journal))
    os.unlink(journal)
    for event in events[: choice(len(events) + 1) if choice is not oldest else len(events) // 2]:
        disk.apply(event)
    shutil.rmtree(root)
    disk.materialize(root, choice)


def _open_recorded(root: str, journal: str) -> None:
    with open(journal, 'ab') as file:
        Shim(root).record(file.fileno())
        try:
            opened(os.path.join(root, 'store'))
        except FiletrackerError:
            # Whether it opens is asked later.
            pass


def _examine(base_dir: str, progress: history.Progress) -> tuple[int, list[str]]:
    """Opens a store and checks it; returns how many blobs have no name, and what is wrong."""
    try:
        store = FileStorage(base_dir)
    except FiletrackerError as error:
        return 0, ['does not open: %s' % error]
    state, problems = read_state(store)
    allowed = progress.allowed()
    for name in set(state) - set(allowed):
        problems.append('%s was never stored' % name)
    for name, values in allowed.items():
        if state.get(name) not in values:
            problems.append(
                '%s is %s, not one of %s'
                % (name, _told(state.get(name)), [_told(value) for value in values])
            )
    findings = check(store, [state])
    problems += findings.problems
    problems += use(store, allowed)
    store.close()
    return findings.spare, problems


def _told(value: tuple[int, bytes] | None) -> object:
    return 'absent' if value is None else told({'': value})['']
