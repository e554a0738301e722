"""A cache that stays below a size by itself: what was not used for longest makes room.

How much is in the cache is counted, not looked up: each process adds what it puts there to one
number, in the file ``usage`` beside the entries. Only when that says that there is too much does
one process walk over the entries, count them truly, and remove some; a sixteenth of them more than
it has to, so that the next few of many small ones cost no walk. What others remove or, as
filetracker 2.3.3, add is not counted: it is noticed by that walk, of which there is one in an hour
in any case.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

from filetracker.client.cache_directory import CacheDirectory, Entry
from filetracker.errors import FiletrackerError

logger = logging.getLogger(__name__)

_WALK_EVERY = 60 * 60
_SPARE = 16
_ROUNDS = 10
_RECORD = '%020d %020d %020d\n'


class Usage(NamedTuple):
    """What is known of a cache without looking at its entries.

    ``total`` is about how many bytes are in it, ``stuck`` how many could not be removed by who
    walked over it last, ``walked`` when that was, in seconds of Unix time.
    """

    total: int = 0
    stuck: int = 0
    walked: int = 0


class Bound:
    """Keeps the cache in a directory at or below ``size`` bytes; ``None`` lets it grow.

    Also without one it is noted what is used, for others that have a bound. What is in use stays,
    and so does what was just added, even if that is too much by itself.
    Usable by any number of threads and processes; those that share a directory may have different
    bounds.
    """

    def __init__(self, directory: CacheDirectory, size: int | None) -> None:
        self._directory = directory
        self._size = size

    def used(self, stored: str) -> None:
        """Notes that an entry was asked for. ``stored`` is its name without the leading slash."""
        self._directory.mark_used(stored)

    def added(self, stored: str) -> None:
        """Makes room after an entry was put into the cache. It logs what goes wrong.

        To be called without the lock on the entry.
        """
        self._directory.mark_used(stored)
        if self._size is None:
            return
        try:
            size = os.stat(self._directory.file(stored)).st_size
            usage = self._change(lambda old: old._replace(total=old.total + size))
            for _ in range(_ROUNDS):
                if not self._calls_for_room(usage, self._size):
                    return
                with self._alone() as is_alone:
                    if not is_alone:
                        # Who is making room looks again when that is done.
                        return
                    found = self._make_room(stored, self._size)
                usage = self._change(lambda old: old)
                if usage.total <= found:
                    return
        except FileNotFoundError:
            logger.debug('%s has left the cache already', stored)
        except (OSError, FiletrackerError) as error:
            logger.warning('the size of the cache is not looked after: %s', error)

    def _calls_for_room(self, usage: Usage, bound: int) -> bool:
        # If what is in use fills the cache there is no point in looking at each step.
        limit = max(bound, usage.stuck + bound // 10 if usage.stuck else 0)
        return usage.total > limit or not 0 <= time.time() - usage.walked < _WALK_EVERY

    def _make_room(self, newest: str, bound: int) -> int:
        """Returns how many bytes it left of those that it came upon."""
        before = self._change(lambda old: old)
        entries = list(self._directory.entries())
        total = sum(entry.size for entry in entries)
        stuck = 0
        if total > bound:
            logger.debug('%s has %d bytes, %d too many', self._directory.path, total, total - bound)
            spare = len(entries) // _SPARE
            for entry in self._by_last_use(entries):
                if total <= bound:
                    if not spare:
                        break
                    spare -= 1
                if entry.stored == newest:
                    continue
                try:
                    stays = not self._directory.remove(entry) and os.path.exists(
                        self._directory.file(entry.stored)
                    )
                except FiletrackerError as error:
                    # Somebody else's may be; there are others.
                    logger.debug('it stays in the cache: %s', error)
                    stays = True
                if stays:
                    stuck += entry.size
                else:
                    total -= entry.size
        now = int(time.time())
        # What came meanwhile is counted, perhaps twice.
        self._change(lambda old: Usage(total + max(0, old.total - before.total), stuck, now))
        return total

    def _by_last_use(self, entries: list[Entry]) -> list[Entry]:
        return sorted(entries, key=self._directory.used)

    @contextlib.contextmanager
    def _alone(self) -> Iterator[bool]:
        """Yields whether no other process or thread is making room."""
        descriptor = os.open(self._directory.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        with _closing(descriptor):
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                is_alone = False
            else:
                is_alone = True
            yield is_alone

    def _change(self, change: Callable[[Usage], Usage]) -> Usage:
        """Replaces what is known by what ``change`` makes of it, and returns that."""
        path = os.path.join(self._directory.path, 'usage')
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        with _closing(descriptor):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            try:
                old = Usage(*map(int, os.read(descriptor, 100).split()))
            except (ValueError, TypeError):
                old = Usage()
            new = change(old)
            if new != old:
                record = (_RECORD % new).encode()
                os.pwrite(descriptor, record, 0)
                os.ftruncate(descriptor, len(record))
            return new


@contextlib.contextmanager
def _closing(descriptor: int) -> Iterator[None]:
    """Closes a file in the end, and gives its lock back even if a child process has it open."""
    try:
        yield
    finally:
        fcntl.flock(descriptor, fcntl.LOCK_UN)
        os.close(descriptor)
