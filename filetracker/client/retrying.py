"""Trying again what failed: what, how often, and after which pause."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from typing import TypeVar

from filetracker.errors import AnswerCutOff, ConnectionFailed, FiletrackerError, ServerError

logger = logging.getLogger(__name__)

#: How often a request is repeated.
RETRIES = 4

#: The most that is waited before the first repetition, in seconds; twice as much before each next.
FIRST_PAUSE = 0.2

#: The longest that a server may ask us to wait, in seconds. Who asks for more is not asked again.
LONGEST_PAUSE = 30.0

#: What a gateway, or a server that is being started again, answers.
_PASSING_STATUSES = (502, 503, 504)

T = TypeVar('T')


class Tries:
    """How often one request may still be repeated; not at all when ``seconds`` are over.

    So a server that is silent costs what its silence may last, and not a multiple of it.
    """

    def __init__(self, retries: int, seconds: float) -> None:
        self._left = retries
        self._until = time.monotonic() + seconds
        self._longest = FIRST_PAUSE

    def pause(self, error: FiletrackerError) -> None:
        """Waits before the next try; raises ``error`` if there is to be none."""
        if not self._left or not _may_pass(error):
            raise error
        # "Full jitter", of "Exponential Backoff And Jitter" by M. Brooker (AWS Architecture Blog,
        # 2015): those who failed together do not come back together.
        seconds = random.uniform(0, self._longest)
        asked = getattr(error, 'retry_after', None)
        if asked is not None:
            seconds += asked
        if (asked or 0) > LONGEST_PAUSE or time.monotonic() + seconds > self._until:
            raise error
        logger.info('trying again in %.2f s: %s', seconds, error)
        time.sleep(seconds)
        self._left -= 1
        self._longest *= 2


def insist(
    attempt: Callable[[bool], T],
    tries: Tries,
    done: Callable[[], T | None] | None = None,
) -> T:
    """Returns what ``attempt(in_doubt)`` returns, trying again where it failed in passing.

    ``in_doubt`` is whether an earlier attempt may have been carried out, its answer being lost.
    Then ``done()`` is asked before the next one, and what it returns is the result, unless it is
    ``None``.
    """
    in_doubt = False
    while True:
        try:
            return attempt(in_doubt)
        except (ConnectionFailed, AnswerCutOff, ServerError) as error:
            tries.pause(error)
            in_doubt = in_doubt or getattr(error, 'may_be_done', True)
        if in_doubt and done:
            result = done()
            if result is not None:
                return result


def _may_pass(error: FiletrackerError) -> bool:
    if isinstance(error, ServerError):
        return error.status in _PASSING_STATUSES
    return isinstance(error, (ConnectionFailed, AnswerCutOff))
