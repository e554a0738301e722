"""What the measurements have in common: subjects, rounds, sizes, and the rows that come out."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from benchmarks.subjects import Subject


class Scale(NamedTuple):
    """How much is done: ``LONG`` to measure, ``SHORT`` to see that it runs."""

    rounds: int
    seconds: float
    small_requests: int
    medium: int
    large: int
    huge: int
    names: int


LONG = Scale(5, 4.0, 40_000, 4_000_000, 100_000_000, 2 << 30, 100_000)
SHORT = Scale(1, 1.0, 500, 100_000, 300_000, 1 << 20, 300)


class Row(NamedTuple):
    """What was measured: one value a round, of one subject."""

    measure: str
    subject: str
    unit: str
    values: list[float]

    @property
    def median(self) -> float:
        return statistics.median(self.values)


class Bench(NamedTuple):
    """Servers that serve, how much is to be done, and a directory for what it takes."""

    subjects: list[Subject]
    scale: Scale
    folder: Path
    say: Callable[[str], None]

    def interleaved(
        self, measure: str, unit: str, take: Callable[[Subject, int], float]
    ) -> Iterator[Row]:
        """Takes a value of each subject in turn, in each round, and yields their rows."""
        rows = {subject.name: Row(measure, subject.name, unit, []) for subject in self.subjects}
        for number in range(self.scale.rounds):
            # Nobody always goes first.
            turn = number % len(self.subjects)
            for subject in self.subjects[turn:] + self.subjects[:turn]:
                rows[subject.name].values.append(take(subject, number))
        for row in rows.values():
            self.say('%s  %s  %.5g %s' % (measure, row.subject, row.median, unit))
            yield row

    def subject(self, name: str) -> Subject | None:
        """Returns the subject of that name, if it could be had."""
        return next((subject for subject in self.subjects if subject.name == name), None)

    @property
    def servers(self) -> Bench:
        """The same without nginx, for what only a filetracker does."""
        return self._replace(subjects=[s for s in self.subjects if s.name != 'nginx'])
