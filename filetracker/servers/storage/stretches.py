"""Stretches of the sorted names as they were read: known until one of their names comes or goes."""

from __future__ import annotations

import random
import threading
import weakref
from bisect import bisect, bisect_left
from collections import deque
from collections.abc import Callable

from filetracker.servers.storage.bdb import Environment
from filetracker.servers.storage.interfaces import BEHIND_ALL, Stretch

# How many bytes of names are kept, and what is counted for a stretch besides.
_MOST = 16 << 20
_BESIDES = 300
# Smaller ones that meet become one: changes must not leave crumbs.
_LARGE = 1 << 14
# Of so many changes it is known which names they were of.
_REMEMBERED = 256
# How often a stretch takes the room of others, where there is none.
_SELDOM = 0.1


class Stretches:
    """What is known of the names; any thread may call it.

    What is returned was so at some moment since the call. ``most`` counts bytes.
    """

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self._lock = threading.Lock()
        # No two of them overlap.
        self._starts: list[bytes] = []
        self._known: dict[bytes, Stretch] = {}
        self._size = 0
        self._changes = 0
        self._last_changes: deque[bytes] = deque(maxlen=_REMEMBERED)

    def find(self, position: bytes, read: Callable[[bytes, bytes], Stretch]) -> Stretch:
        """Returns a stretch that has ``position``.

        If none is known, it is what ``read(start, stop)`` returns: one that begins at ``start`` and
        ends at ``stop`` or before, and that is what was committed when it was read.
        """
        with self._lock:
            index = bisect(self._starts, position)
            if index and position < (known := self._known[self._starts[index - 1]]).stop:
                return known
            stop = self._starts[index] if index < len(self._starts) else BEHIND_ALL
            changes = self._changes
        stretch = read(position, stop)
        with self._lock:
            if self._is_still_so(stretch, changes):
                self._keep(stretch)
        return stretch

    def change(self, name: bytes) -> None:
        """Tells that a name has come or gone.

        To be called in the transaction behind what locks the place of the name: who reads that
        place from now on waits, and sees what was committed.
        """
        with self._lock:
            self._changes += 1
            self._last_changes.append(name)
            index = bisect(self._starts, name)
            if index and name < self._known[self._starts[index - 1]].stop:
                self._forget(index - 1)

    def _is_still_so(self, stretch: Stretch, changes: int) -> bool:
        """Returns whether no name of a stretch has changed since there were so many ``changes``."""
        missed = self._changes - changes
        if missed > len(self._last_changes):
            return False
        names = [self._last_changes[-number] for number in range(1, missed + 1)]
        return not any(stretch.start <= name < stretch.stop for name in names)

    def _keep(self, stretch: Stretch) -> None:
        start, stop, text = stretch
        index = bisect_left(self._starts, start)
        before = self._known[self._starts[index - 1]].stop if index else b''
        behind = self._starts[index] if index < len(self._starts) else BEHIND_ALL
        if start < before or behind < stop:
            # Somebody else has read it meanwhile.
            return
        if behind == stop < BEHIND_ALL and len(text) + len(self._known[stop].text) < _LARGE:
            _, stop, more = self._forget(index)
            text += more
        self._starts.insert(index, start)
        self._known[start] = Stretch(start, stop, text)
        self._size += len(text) + _BESIDES
        # Who reads more than there is room for, again and again, would else find none of it.
        if self._size > self._most and random.random() > _SELDOM:
            self._forget(index)
        while self._size > self._most:
            self._forget(random.randrange(len(self._starts)))

    def _forget(self, index: int) -> Stretch:
        stretch = self._known.pop(self._starts.pop(index))
        self._size -= len(stretch.text) + _BESIDES
        return stretch


_stretches: weakref.WeakKeyDictionary[Environment, Stretches] = weakref.WeakKeyDictionary()
# The collector may close a store at any point, also in here.
_lock = threading.RLock()


def stretches_of(environment: Environment) -> Stretches:
    """Returns what is known of the names of an environment."""
    with _lock:
        if environment not in _stretches:
            _stretches[environment] = Stretches()
        return _stretches[environment]
