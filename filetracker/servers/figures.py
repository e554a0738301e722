"""What a server has done since it was started, and what it is doing: plain numbers.

Counting must cost next to nothing, as it is done for each request; whoever wants to see the numbers
does the rest.
"""

from __future__ import annotations

import logging
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable
from logging.handlers import QueueHandler
from typing import Any, NamedTuple, Protocol

from filetracker.servers.durations import BOUNDS, Distribution, Durations

#: What other methods are counted as, and what was no request.
OTHER = 'other'

METHODS = ('GET', 'HEAD', 'PUT', 'DELETE', OTHER)

#: The log of the database, of one sync for all changes that wait; and a content.
SYNCED = ('log', 'content')


class Busy(NamedTuple):
    """A request that is being answered.

    ``user`` is the name of the credential, ``''`` where none is known; ``target`` the path as it
    was sent, with its query, as a log may have it. It takes ``seconds`` so far, and of its body and
    that of the answer came and went so many bytes.
    """

    user: str
    peer: str
    method: str
    target: str
    seconds: float
    received: int
    sent: int


class Sample(NamedTuple):
    """The numbers of a server at one moment.

    ``answers`` counts the answers by method and status, ``durations`` has how long they took by
    method: only :data:`METHODS` occur, and as statuses the three digits. ``accepted``, ``cut_off``
    and ``syncs`` are as in :class:`Figures`. ``connections`` there are now, and ``in_flight``
    requests by the name of the credential. ``received`` and ``sent`` are bytes of bodies, also of
    unfinished ones, ``queues`` how many wait in each.
    """

    answers: dict[tuple[str, str], int]
    durations: dict[str, Distribution]
    received: int
    sent: int
    accepted: int
    connections: int
    in_flight: dict[str, int]
    cut_off: int
    syncs: dict[str, Distribution]
    queues: dict[str, int]


class Serving(Protocol):
    """A connection."""

    def busy_with(self) -> Busy | None:
        """Returns the request that is being answered, if one is."""


class Figures:
    """Counts for one server; to be used by the thread that serves.

    ``accepted`` counts the connections that there ever were, ``cut_off`` the answers that did not
    come to their end. ``syncs`` has, by what is synced (:data:`SYNCED`), how long the disk took,
    which any thread may count. ``queues`` has, by name, what tells how many wait in a queue.
    """

    def __init__(self) -> None:
        # By method and status; the last number of each is the sum.
        self._answers: dict[tuple[str, str], list[float]] = {}
        self.accepted = 0
        self.cut_off = 0
        self.syncs = {what: Durations() for what in SYNCED}
        self.queues: dict[str, Callable[[], int]] = {'log': _waiting_for_the_log}
        #: Returns the connections that there are.
        self.connections: Callable[[], Iterable[Serving]] = tuple
        self._begun = time.monotonic()
        self._received = 0
        self._sent = 0

    def answered(self, method: str, status: str, seconds: float, received: int, sent: int) -> None:
        """Counts an answer, with the bytes of the body of the request and of its own."""
        counts = self._answers.get((method, status)) or self._begin(method, status)
        counts[bisect_left(BOUNDS, seconds)] += 1
        counts[-1] += seconds
        self._received += received
        self._sent += sent

    def _begin(self, method: str, status: str) -> list[float]:
        if method not in METHODS:
            method = OTHER
        return self._answers.setdefault((method, status), [0] * (len(BOUNDS) + 1) + [0.0])

    @property
    def uptime(self) -> float:
        """For how long there is this server, in seconds."""
        return time.monotonic() - self._begun

    def busy(self) -> list[Busy]:
        """Returns the requests that are being answered, those first that take the longest."""
        found = (connection.busy_with() for connection in self.connections())
        return sorted((one for one in found if one), key=lambda one: -one.seconds)

    def sample(self) -> Sample:
        """Returns the numbers of this moment."""
        busy = self.busy()
        return Sample(
            {key: int(sum(counts[:-1])) for key, counts in self._answers.items()},
            {method: self._durations(method) for method in METHODS},
            self._received + sum(one.received for one in busy),
            self._sent + sum(one.sent for one in busy),
            self.accepted,
            sum(1 for _ in self.connections()),
            dict(Counter(one.user for one in busy)),
            self.cut_off,
            {what: durations.get() for what, durations in self.syncs.items()},
            {name: waiting() for name, waiting in self.queues.items()},
        )

    def _durations(self, method: str) -> Distribution:
        found = [counts for key, counts in self._answers.items() if key[0] == method]
        *counts, total = map(sum, zip(*found, strict=True)) if found else _NONE
        return Distribution(tuple(map(int, counts)), total)


_NONE = [0.0] * (len(BOUNDS) + 2)


def _waiting_for_the_log() -> int:
    """Returns how much was logged that is not written yet."""
    handlers = logging.getLogger().handlers
    queues: list[Any] = [one.queue for one in handlers if isinstance(one, QueueHandler)]
    return sum(queue.qsize() for queue in queues)
