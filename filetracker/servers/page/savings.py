"""How much room deduplication and compression saved."""

from __future__ import annotations

from typing import NamedTuple

from filetracker.servers.page import words
from filetracker.servers.storage.census import Totals

#: The width of the longest bar.
WHOLE = 1000


class Bar(NamedTuple):
    """So many bytes, a ``width`` that shows how many that is, and what was saved by it."""

    label: str
    size: int
    width: int
    saved: str


class Savings(NamedTuple):
    """What there is, and how it came to be so small; ``saved`` is all of it, in percent."""

    totals: Totals
    saved: str
    bars: list[Bar]


def savings(totals: Totals) -> Savings:
    """Returns what the totals of a store say of that."""
    most = max(totals.named_size, totals.stored_size, 1)

    def bar(label: str, size: int, before: int | None) -> Bar:
        saved = '' if before is None else _change(before, size)
        return Bar(label, size, round(WHOLE * size / most), saved)

    return Savings(
        totals,
        _saved(totals.named_size, totals.stored_size),
        [
            bar('As it was put', totals.named_size, None),
            bar('Each content once', totals.size, totals.named_size),
            bar('Compressed', totals.stored_size, totals.size),
        ],
    )


def _saved(before: int, after: int) -> str:
    """Returns what came off, in percent."""
    return words.percent(max(0, before - after), before)


def _change(before: int, after: int) -> str:
    """Returns what came off or, as compression may do, on; in percent, with a sign."""
    return ('−' if after <= before else '+') + words.percent(abs(before - after), before)
