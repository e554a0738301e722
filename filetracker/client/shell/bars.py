"""Bars for who watches a terminal; the only module that knows the progress bar."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Iterator

from filetracker.client.many import NamedProgress

#: What is done sooner, in seconds, needs no bar.
_LONG = 1.0


@contextlib.contextmanager
def bar(count: int) -> Iterator[NamedProgress]:
    """Yields what is to be told of ``count`` files on their way, by one thread at a time.

    One file is counted in bytes, several as files. It is drawn on the standard error, if that is
    a terminal, when it takes long; in the end it is wiped away.
    """
    if not sys.stderr.isatty():
        yield lambda name, done, total: None
        return
    from tqdm import tqdm

    # Else it would ask the system for a lock between processes, and start a thread.
    tqdm.set_lock(threading.RLock())
    tqdm.monitor_interval = 0
    with tqdm(
        total=None if count == 1 else count,
        unit='B' if count == 1 else ' files',
        unit_scale=True,
        unit_divisor=1024 if count == 1 else 1000,
        delay=_LONG,
        leave=False,
        dynamic_ncols=True,
        file=sys.stderr,
    ) as drawn:
        yield _told_of_one(drawn) if count == 1 else _told_of_many(drawn)


def _told_of_one(drawn) -> NamedProgress:
    def told(name: str, done: int, total: int | None) -> None:
        drawn.total = total
        drawn.set_description_str(name.rpartition('/')[2], refresh=False)
        drawn.update(done - drawn.n)

    return told


def _told_of_many(drawn) -> NamedProgress:
    under_way: dict[str, int] = {}
    finished = 0

    def told(name: str, done: int, total: int | None) -> None:
        nonlocal finished
        if done == total:
            finished += done
            under_way.pop(name, None)
        else:
            under_way[name] = done
        size = finished + sum(under_way.values())
        if size:
            drawn.set_postfix_str(drawn.format_sizeof(size, 'B', 1024), refresh=False)
        drawn.update(1 if done == total else 0)

    return told
