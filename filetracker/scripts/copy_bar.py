"""How copying goes, for people: a line for what failed, and a bar where there is a terminal."""

from __future__ import annotations

import collections
import sys
from types import TracebackType
from typing import Any

from filetracker.client.migration.copying import Outcome, Watcher


class Tally(Watcher):
    """Counts, and prints what failed on standard error. A context manager."""

    def __init__(self) -> None:
        self.counts: collections.Counter[Outcome] = collections.Counter()

    def __enter__(self) -> Tally:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        pass

    def read(self, count: int) -> None:
        pass

    def failed(self, place: str, why: str) -> None:
        line = '%s: %s' % (place, why)
        # A name of a file may be anything, with line breaks and what is no text.
        self._say(''.join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in line))

    def done(self, outcome: Outcome) -> None:
        self.counts[outcome] += 1

    def summary(self) -> str:
        """Returns what came of it, in one line."""
        told = '%d files copied, %d already there' % (
            self.counts[Outcome.COPIED],
            self.counts[Outcome.SKIPPED],
        )
        if self.counts[Outcome.GONE]:
            told += ', %d removed meanwhile' % self.counts[Outcome.GONE]
        return told

    def _say(self, line: str) -> None:
        print(line, file=sys.stderr)


class Bar(Tally):
    """Draws a bar as well: files, bytes, rate, time left.

    ``files`` is how many there are, ``size`` of how many bytes, ``None`` if that is not known.
    """

    def __init__(self, files: int, size: int | None) -> None:
        super().__init__()
        from tqdm import tqdm

        self._files = files
        self._bar: Any = tqdm(
            total=size, unit='B', unit_scale=True, unit_divisor=1024, dynamic_ncols=True
        )
        self._tell()

    def __exit__(self, *error: object) -> None:
        self._bar.close()

    def read(self, count: int) -> None:
        self._bar.update(count)

    def done(self, outcome: Outcome) -> None:
        super().done(outcome)
        self._tell()

    def _tell(self) -> None:
        done = sum(self.counts.values())
        self._bar.set_description('%d of %d files' % (done, self._files), refresh=False)

    def _say(self, line: str) -> None:
        self._bar.write(line, file=sys.stderr)
