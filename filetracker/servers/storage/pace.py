"""How far something long has come: lines in the log now and then, with the time that is left."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

logger = logging.getLogger(__name__)

#: Called with what is done, how much there is of it (``None``: nobody knows) and in which unit;
#: gives what is called with how much more was done.
Progress = Callable[[str, 'int | None', str], AbstractContextManager[Callable[[int], object]]]

_SECONDS = 10.0


@contextlib.contextmanager
def logged(what: str, total: int | None, unit: str) -> Iterator[Callable[[int], object]]:
    """Progress in the log; nothing if it takes only seconds."""
    yield _Pace(what, total, unit).step


@contextlib.contextmanager
def hidden(what: str, total: int | None, unit: str) -> Iterator[Callable[[int], object]]:
    """Progress that nobody sees."""
    yield lambda more: None


class _Pace:
    def __init__(self, what: str, total: int | None, unit: str) -> None:
        self._what = what
        self._total = total
        self._unit = unit
        self._done = 0
        self._begun = self._told = time.monotonic()

    def step(self, more: int) -> None:
        self._done += more
        now = time.monotonic()
        if now - self._told >= _SECONDS:
            self._told = now
            logger.info('%s', self._sentence(now - self._begun))

    def _sentence(self, seconds: float) -> str:
        rate = self._done / seconds
        said = '%s: %d %s, %d a second' % (self._what, self._done, self._unit, rate)
        if self._total and rate:
            left = max(0, self._total - self._done) / rate
            said += ', of about %d; about %s left' % (self._total, duration(left))
        return said


def duration(seconds: float) -> str:
    """Returns a time as people say it: ``2 h 05 min``, ``3 min``, ``40 s``."""
    minutes = round(seconds / 60)
    if minutes >= 60:
        return '%d h %02d min' % divmod(minutes, 60)
    return '%d min' % minutes if seconds >= 90 else '%d s' % seconds
