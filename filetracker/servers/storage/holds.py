"""Those who copy a store that is in use: while there is one, no blob goes."""

from __future__ import annotations

import weakref
from collections.abc import Callable

from filetracker.servers.storage.bdb import Environment, Transaction

Collection = Callable[[], object]


class Holds:
    """Of one environment. All is called on the thread of its transactions."""

    def __init__(self) -> None:
        self._number = 0
        self._postponed: list[Collection] = []

    def take(self, transaction: Transaction) -> None:
        """Lets no blob go until as many have released the environment as have taken it."""
        self._number += 1

    def release(self, transaction: Transaction) -> list[Collection]:
        """Returns what can be made up for now."""
        self._number -= 1
        if self._number:
            return []
        postponed, self._postponed = self._postponed, []
        return postponed

    def postpone(self, collection: Collection) -> bool:
        """Keeps a collection for later if somebody copies; returns whether it did."""
        if self._number:
            self._postponed.append(collection)
        return bool(self._number)


_holds: weakref.WeakKeyDictionary[Environment, Holds] = weakref.WeakKeyDictionary()


def holds_of(environment: Environment) -> Holds:
    """Returns the holds of an environment. To be called on the thread of its transactions."""
    return _holds.setdefault(environment, Holds())
