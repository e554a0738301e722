"""Death in the middle of a take-over, a repair or a backup, and then the same again."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from filetracker.servers.storage import FileStorage
from filetracker.servers.storage.upkeep import backup, contents, recovery
from tests.faults.forks import each_in_child, in_child
from tests.faults.killing import Report, spread
from tests.faults.shim import CHANGES, Shim
from tests.faults.stores import put
from tests.recovery.damaged import make_damaged_store
from tests.recovery.holdings import counts, entries, files


def _take_over(root: Path) -> None:
    FileStorage(str(root)).close()


def _recover(root: Path) -> None:
    recovery.recover(str(root), contents.thorough, lambda line: None)


def _prepare_without_database(root: Path) -> None:
    make_damaged_store(root)
    shutil.rmtree(root / 'db')


def _prepare_backup(root: Path) -> None:
    """Makes a store and an earlier backup of it."""
    with contextlib.closing(FileStorage(str(root / 'store'))) as store:
        for number in range(6):
            put(store, 'old/%d' % number, 1, b'content %d' % (number % 4))
    _back_up(root)
    with contextlib.closing(FileStorage(str(root / 'store'))) as store:
        for number in range(0, 6, 2):
            store.delete('old/%d' % number, 2)
            put(store, 'old/%d/below' % number, 2, b'new content %d' % number)
        put(store, 'old/1', 2, b'content 3')


def _back_up(root: Path) -> None:
    backup.back_up(str(root / 'store'), str(root / 'copy'), lambda line: None)


class Work(NamedTuple):
    """Something that is done to what ``prepare`` makes; ``result`` is the store to look at."""

    prepare: Callable[[Path], None]
    do: Callable[[Path], None]
    result: str = ''


_WORK = {
    'take-over': Work(make_damaged_store, _take_over),
    'recover': Work(make_damaged_store, _recover),
    'recover without db': Work(_prepare_without_database, _recover),
    'backup': Work(_prepare_backup, _back_up, 'copy'),
}

NAMES = list(_WORK)


def interrupted(scratch: str, name: str, most: int, shift: float) -> Report:
    """Kills the work at calls that change the disk, at most at so many, and does it again.

    Compares with what comes of it undisturbed.
    """
    # It waits for whatever anybody on the machine has written; a death needs none of it.
    os.sync = lambda: None
    work = _WORK[name]
    template = Path(scratch) / 'template'
    in_child(work.prepare, template)
    calls, expected = _trial(template, name, None)
    report: Report = {'tried': 0, 'killed': 0, 'problems': []}
    points = spread(range(1, calls + 1), most, shift)
    cases = ((template, name, point) for point in points)
    for (_, _, point), (killed, found) in each_in_child(_trial, cases):
        report['tried'] += 1
        report['killed'] += killed
        for what in expected:
            if found[what] != expected[what]:
                report['problems'].append(
                    'at %s: %s is %s, not %s' % (point, what, found[what], expected[what])
                )
    return report


def _trial(template: Path, name: str, point: int | None) -> tuple[int, dict[str, Any]]:
    """Returns how many calls there were, or whether it was killed; and what came of it."""
    work = _WORK[name]
    folder = template.parent / ('trial-%d' % os.getpid())
    root = folder / 'root'
    shutil.copytree(template, root, symlinks=True)
    try:
        end = in_child(_act, root, work.do, point)
        if point:
            in_child(work.do, root)
        found = in_child(_found_in, root / work.result).value
        return (bool(end.signal) if point else end.value), found
    finally:
        shutil.rmtree(folder)


def _act(root: Path, do: Callable[[Path], None], point: int | None) -> int:
    shim = Shim(str(root.parent))
    if point:
        shim.kill_at(CHANGES, point)
    else:
        shim.count(CHANGES)
    do(root)
    return shim.stop()


def _found_in(root: Path) -> dict[str, Any]:
    # Not all of the store: its log and its ballast are large, and say nothing here.
    lost = sorted(files(root, 'lost+found'))
    found: dict[str, Any] = {
        'lost': [path for path in lost if path.startswith(b'lost+found/blobs')],
        'lost links': [path for path in lost if b'lost+found/links' in path],
    }
    # Both ask the same open store.
    with contextlib.closing(FileStorage(str(root))):
        found['names'] = entries(root)
        found['counts'] = counts(root)
    found['blobs and links'] = files(root, 'blobs', 'links')
    return found
