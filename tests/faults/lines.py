"""Death at a chosen line of the storage, on whichever thread, without a word in its code."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections import Counter
from collections.abc import Callable
from types import FrameType
from typing import Any

from filetracker.servers import storage

_PACKAGE = os.path.dirname(storage.__file__) + os.sep

#: A line (module and number) and which of its executions.
Point = tuple[str, int, int]


class Tracer:
    """Counts lines of the storage; at one point it kills the process.

    To be installed before the threads start that it is to see, and armed later.
    """

    def __init__(self, point: Point | None = None) -> None:
        self.counts: Counter[tuple[str, int]] = Counter()
        self.armed = False
        self._line = point and point[:2]
        self._nth = point and point[2]

    def install(self) -> None:
        threading.settrace(self._enter)
        sys.settrace(self._enter)

    def _enter(self, frame: FrameType, event: str, argument: Any) -> Any:
        return self._at if frame.f_code.co_filename.startswith(_PACKAGE) else None

    def _at(self, frame: FrameType, event: str, argument: Any) -> Any:
        if event == 'line' and self.armed:
            line = frame.f_code.co_filename[len(_PACKAGE) :], frame.f_lineno
            self.counts[line] += 1
            if line == self._line and self.counts[line] == self._nth:
                die()
        return self._at


def die() -> None:
    """Ends the process as a power switch would, as far as processes go."""
    os.kill(os.getpid(), signal.SIGKILL)


def points_of(base_dir: str, begin: Callable[[str], Callable[[], object]]) -> list[Point]:
    """Runs an operation; returns the points at which it could have died."""
    tracer = Tracer()
    tracer.install()
    act = begin(base_dir)
    tracer.armed = True
    act()
    tracer.armed = False
    return [(*line, nth) for line, count in tracer.counts.items() for nth in range(1, count + 1)]


def die_at(base_dir: str, begin: Callable[[str], Callable[[], object]], point: Point) -> None:
    """Runs an operation and dies at a point; returns only if it did not come there."""
    tracer = Tracer(point)
    tracer.install()
    act = begin(base_dir)
    tracer.armed = True
    act()
    tracer.armed = False


def die_in_function(
    base_dir: str, begin: Callable[[str], Callable[[], object]], function: str, nth: int
) -> None:
    """Runs an operation and dies where it enters a function of that name for the nth time."""
    entered = 0
    armed = False

    def enter(frame: FrameType, event: str, argument: Any) -> None:
        nonlocal entered
        code = frame.f_code
        if armed and code.co_name == function and code.co_filename.startswith(_PACKAGE):
            entered += 1
            if entered == nth:
                die()

    threading.settrace(enter)
    sys.settrace(enter)
    act = begin(base_dir)
    armed = True
    act()
