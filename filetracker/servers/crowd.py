"""Which connections there are, and which of them has to go when there are too many."""

from __future__ import annotations

import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Generic, Protocol, TypeVar

logger = logging.getLogger(__name__)

_WARNING_PAUSE = 60.0
# Who has just come or been answered may be about to ask for something: in seconds.
_GRACE = 0.5


class Leaving(Protocol):
    """A connection that can be asked to leave where it waits for its peer."""

    def ask_to_leave(self) -> None: ...


Guest = TypeVar('Guest', bound=Leaving)


class Crowd(Generic[Guest]):
    """The connections of a server, ``most`` at a time.

    One that is *idle* waits for a request, or for the rest of its head. When another one wants to
    come and there is no room, the one that has been idle for the longest is asked to leave, after a
    moment of grace. ``on_room`` is called when somebody has left for whom others waited.
    """

    def __init__(self, most: int | None, on_room: Callable[[], None]) -> None:
        self._most = most
        self._on_room = on_room
        self._all: set[Guest] = set()
        self._idle: OrderedDict[Guest, float] = OrderedDict()
        self._others_wait = False
        self._next_warning = 0.0

    def __len__(self) -> int:
        return len(self._all)

    def __iter__(self) -> Iterator[Guest]:
        return iter(list(self._all))

    def enter(self, connection: Guest) -> None:
        """Lets a connection in."""
        self._all.add(connection)

    def leave(self, connection: Guest) -> None:
        """Forgets a connection."""
        self._all.discard(connection)
        self._idle.pop(connection, None)
        if self._others_wait:
            self._others_wait = False
            self._on_room()

    def rest(self, connection: Guest) -> None:
        """Notes that a connection is idle from now on."""
        self._idle[connection] = time.monotonic()
        self._idle.move_to_end(connection)

    def work(self, connection: Guest) -> None:
        """Notes that a connection is not idle."""
        self._idle.pop(connection, None)

    def is_full(self) -> bool:
        """Whether there is no room for one that waits now; room is made then if it can be."""
        if self._most is None or len(self._all) < self._most:
            return False
        now = time.monotonic()
        if now >= self._next_warning:
            self._next_warning = now + _WARNING_PAUSE
            logger.warning(
                'there are %d connections, which is the limit; those that are idle the longest '
                'are closed for others',
                len(self._all),
            )
        self._others_wait = True
        self.make_room(now)
        return True

    def make_room(self, now: float) -> None:
        """Asks one to leave, if others wait; to be called now and then (``time.monotonic``)."""
        if self._others_wait and self._idle:
            connection, since = next(iter(self._idle.items()))
            if now >= since + _GRACE:
                del self._idle[connection]
                connection.ask_to_leave()
