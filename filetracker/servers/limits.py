"""How much one peer, or all together, may ask for."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from filetracker.errors import TooLarge
from filetracker.servers.base import Answer, Environ, Refusal
from filetracker.servers.sendable import Sendable

_SOON = 1


@dataclass(frozen=True)
class Limits:
    """Requests in a second and in one burst, requests at a time, and bytes, as sent and plain.

    Each is ``None`` where there is no limit.
    """

    requests_per_second: float | None = None
    burst: int | None = None
    requests_in_flight: int | None = None
    max_body: int | None = None
    max_size: int | None = None


class Gate:
    """Counts the requests of ``who`` and refuses those above the limits, with 429.

    The rate is that of a token bucket (J. Turner, "New directions in communications", 1986): it
    holds ``burst`` requests, at first it is full, and it is refilled at the rate. To be used by one
    thread.
    """

    def __init__(
        self, who: str, limits: Limits, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._who = who
        self._limits = limits
        self._clock = clock
        rate = limits.requests_per_second
        self._room = limits.burst or max(1, math.ceil(rate or 0))
        self._filled = float(self._room)
        self._when = clock()
        self._in_flight = 0

    def enter(self) -> None:
        """Lets a request in. Raises :class:`~filetracker.servers.base.Refusal`."""
        most = self._limits.requests_in_flight
        if most is not None and self._in_flight >= most:
            raise _too_many('%s has %d requests in flight' % (self._who, most), _SOON)
        rate = self._limits.requests_per_second
        if rate is not None:
            now = self._clock()
            self._filled = min(self._room, self._filled + (now - self._when) * rate)
            self._when = now
            if self._filled < 1:
                wait = math.ceil((1 - self._filled) / rate)
                raise _too_many('%s may send %g requests per second' % (self._who, rate), wait)
            self._filled -= 1
        self._in_flight += 1

    def leave(self) -> None:
        """To be called once for each request that was let in, when it is over."""
        self._in_flight -= 1


def through(gates: Iterable[Gate], ask: Callable[[], Answer]) -> Answer:
    """Returns what ``ask`` does, a request that is over when its body has been closed.

    Raises :class:`~filetracker.servers.base.Refusal` where a gate does not let it in.
    """
    entered: list[Gate] = []
    try:
        for gate in gates:
            gate.enter()
            entered.append(gate)
        answer = ask()
        if hasattr(answer.body, 'close'):
            kind = _WatchedFile if isinstance(answer.body, Sendable) else _Watched
            body = kind(answer.body, entered)
            entered = []
            return answer._replace(body=body)
        return answer
    finally:
        for gate in entered:
            gate.leave()


def limit_body(environ: Environ, most: int) -> None:
    """Sees to it that of the body of a request no more than ``most`` bytes are read.

    Raises :class:`~filetracker.errors.TooLarge`, at once where it is said to be longer.
    """
    length = environ.get('CONTENT_LENGTH', '')
    # What has more digits is more than any limit; int() would not take thousands of them.
    if length.isdecimal() and (len(length) > 19 or int(length) > most):
        raise TooLarge(most)
    if not length.isdecimal():
        environ['wsgi.input'] = _Short(environ['wsgi.input'], most)


class _Watched:
    def __init__(self, body: Any, gates: list[Gate]) -> None:
        self._body = body
        self._gates = gates

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._body)

    def close(self) -> None:
        gates, self._gates = self._gates, []
        try:
            self._body.close()
        finally:
            for gate in gates:
                gate.leave()


class _WatchedFile(_Watched, Sendable):
    def __len__(self) -> int:
        return len(self._body)

    def parts(self) -> Iterator[tuple[int, int, int]]:
        parts: Iterator[tuple[int, int, int]] = self._body.parts()
        return parts

    def fail(self) -> None:
        self._body.fail()


class _Short:
    def __init__(self, body: Any, most: int) -> None:
        self._body = body
        self._most = most
        self._left = most

    def read(self, size: int = -1) -> bytes:
        piece: bytes = self._body.read(size)
        self._left -= len(piece)
        if self._left < 0:
            raise TooLarge(self._most)
        return piece


def _too_many(sentence: str, wait: int) -> Refusal:
    return Refusal('429 Too Many Requests', sentence, [('Retry-After', '%d' % wait)])
