"""What the figures of the last hour were, some moments apart."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from filetracker.servers.durations import BOUNDS
from filetracker.servers.figures import METHODS, Figures

#: In seconds.
PERIOD = 10.0
HOUR = 3600.0

# The most samples of which something is told: every third one of an hour.
_MOST = 121
# A pause that is longer than that is one in which nobody looked.
_PAUSE = 4 * PERIOD


class _Sample(NamedTuple):
    """The figures at an instant of the clock, as far as they are plotted."""

    at: float
    requests: Mapping[str, int]
    received: int
    sent: int
    durations: list[int]
    stored: int | None


class Span(NamedTuple):
    """What was between two samples, the later of which was ``at``.

    ``requests`` by method, ``received`` and ``sent`` are for each second; ``half`` and
    ``nearly_all`` are the durations within which half and 99 % of the requests were answered, in
    seconds, ``None`` if there were none.
    """

    at: float
    requests: Mapping[str, float]
    received: float
    sent: float
    half: float | None
    nearly_all: float | None
    stored: int | None


class History:
    """Samples of the figures of the last hour, in memory."""

    def __init__(
        self,
        figures: Figures,
        stored: Callable[[], int | None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._figures = figures
        self._stored = stored
        self.clock = clock
        self._samples: deque[_Sample] = deque(maxlen=int(HOUR / PERIOD) + 1)

    def sample(self) -> None:
        """Remembers the figures as they are now; what is too old is forgotten."""
        figures = self._figures.sample()
        requests = dict.fromkeys(METHODS, 0)
        for (method, _), count in figures.answers.items():
            requests[method] += count
        durations = [each.counts for each in figures.durations.values()]
        self._samples.append(
            _Sample(
                self.clock(),
                requests,
                figures.received,
                figures.sent,
                [sum(counts) for counts in zip(*durations, strict=True)],
                self._stored(),
            )
        )

    def spans(self) -> Iterator[Span | None]:
        """Yields what was between samples, ``None`` where nobody looked for a while."""
        samples = [each for each in self._samples if each.at >= self.clock() - HOUR]
        step = max(1, -(-len(samples) // _MOST))
        # From the last one backwards, so that it is always among them.
        chosen = samples[::-1][::step][::-1]
        for earlier, later in zip(chosen, chosen[1:], strict=False):
            if later.at - earlier.at > step * _PAUSE or later.at <= earlier.at:
                yield None
            else:
                yield _between(earlier, later)


def _between(earlier: _Sample, later: _Sample) -> Span:
    seconds = later.at - earlier.at
    pairs = zip(later.durations, earlier.durations, strict=True)
    counts = [now - before for now, before in pairs]
    return Span(
        later.at,
        {key: (now - earlier.requests[key]) / seconds for key, now in later.requests.items()},
        # What was cut off may have been counted while it was under way.
        max(0.0, (later.received - earlier.received) / seconds),
        max(0.0, (later.sent - earlier.sent) / seconds),
        quantile(counts, 0.5),
        quantile(counts, 0.99),
        later.stored,
    )


def quantile(counts: list[int], part: float) -> float | None:
    """Returns within how many seconds such a part of what was counted came to its end.

    ``counts`` are by :data:`~filetracker.servers.durations.BOUNDS`, between which it is estimated,
    evenly; ``None`` if nothing was counted.
    """
    wanted = part * sum(counts)
    if not wanted:
        return None
    lower = 0.0
    below = 0
    for bound, count in zip(BOUNDS, counts, strict=False):
        if below + count >= wanted:
            return lower + (bound - lower) * (wanted - below) / count
        below += count
        lower = bound
    return lower
