"""The rows as pictures: how each subject compares to the original, and how cost grows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.bench import Row
from benchmarks.report import ratio
from benchmarks.setting_up import Unavailable

_COLOURS = {'ours': '#1b7f5c', 'nginx': '#9aa5b1'}


def draw(rows: list[Row], path: Path) -> None:
    """Writes a PNG with bars: how many times as good as the original.

    Raises :class:`~benchmarks.subjects.Unavailable` without matplotlib.
    """
    by_measure: dict[str, dict[str, Row]] = {}
    for row in rows:
        by_measure.setdefault(row.measure, {})[row.subject] = row
    shown = {m: found for m, found in by_measure.items() if {'ours', 'original'} <= {*found}}
    if not shown:
        return
    plot = _matplotlib()
    figure, axes = plot.subplots(figsize=(8, 0.45 * len(shown) + 1.2), layout='constrained')
    for place, found in enumerate(reversed(shown.values())):
        for name, offset in (('ours', 0.18), ('nginx', -0.18)):
            if name in found:
                value = ratio(found[name], found['original'])
                label = name if place == len(shown) - 1 else None
                axes.barh(place + offset, value, 0.34, color=_COLOURS[name], label=label)
                text = ('%.0f' if value >= 10 else '%.2g') % value
                axes.text(value * 1.04, place + offset, text, va='center', size=7)
    axes.set_yticks(range(len(shown)), list(reversed(shown)), size=8)
    axes.set_xscale('log')
    axes.axvline(1, color='black', linewidth=0.8)
    axes.set_xlabel('times as good as filetracker 2.3.3')
    axes.legend(loc='lower right', frameon=False)
    axes.spines[['top', 'right']].set_visible(False)
    axes.margins(x=0.1)
    figure.savefig(path, dpi=130)
    plot.close(figure)


def draw_growth(rows: list[Row], path: Path) -> None:
    """Writes a PNG with lines: each operation over the number of names."""
    lines: dict[str, list[tuple[int, float]]] = {}
    for row in rows:
        measure, _, names = row.measure.rpartition(' at ')
        if measure.endswith(', processor') and ' over ' not in measure:
            lines.setdefault(measure[:-11], []).append(
                (int(names[:-6].replace(',', '')), row.median)
            )
    plot = _matplotlib()
    figure, axes = plot.subplots(figsize=(7, 4), layout='constrained')
    for measure, points in lines.items():
        axes.plot(*zip(*sorted(points), strict=True), marker='o', label=measure)
    axes.set_xscale('log')
    axes.set_ylim(bottom=0)
    axes.set_xlabel('names in the store')
    axes.set_ylabel('processor time of the server, us a request')
    axes.legend(frameon=False)
    axes.spines[['top', 'right']].set_visible(False)
    figure.savefig(path, dpi=130)
    plot.close(figure)


def _matplotlib() -> Any:
    try:
        import matplotlib
    except ImportError:
        raise Unavailable("no plots: pip install 'filetracker[benchmarks]'") from None
    matplotlib.use('agg')
    import matplotlib.pyplot

    return matplotlib.pyplot
