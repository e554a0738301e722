"""Progress bars for people, and lines beside them; nothing is drawn where nobody looks."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator

from tqdm import tqdm


@contextlib.contextmanager
def bars(what: str, total: int | None, unit: str) -> Iterator[Callable[[int], object]]:
    """Draws a bar on a terminal, of ``total`` units or of nobody knows how many.

    Gives what is called with how many more were done.
    """
    if not sys.stderr.isatty():
        yield lambda more: None
        return
    with tqdm(
        desc=what,
        total=total,
        unit=unit,
        unit_scale=True,
        unit_divisor=1024 if unit == 'B' else 1000,
    ) as bar:
        yield bar.update


def say(line: str) -> None:
    """Prints a line, above the bar if there is one."""
    if not sys.stderr.isatty():
        print(line, flush=True)
        return
    tqdm.write(line)
