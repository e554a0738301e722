"""The rows as a table, as JSON, and against what is to be reached."""

from __future__ import annotations

import json
import os
import platform
import sys
from pathlib import Path
from typing import NamedTuple

from benchmarks.bench import Row, Scale

_UNITS_OF_COST = ('s', 'ms', 'us', 'MB', 's/GB')


class Goal(NamedTuple):
    """The least that a ratio is to be, to the original and to the limit (``None``: no goal)."""

    original: float | None = None
    limit_name: str = 'nginx'
    limit: float | None = None


#: Ratios are so that more is better; of seconds and bytes, what the other takes by what we take.
GOALS = {
    'GET 1 KB': Goal(3, 'nginx', 0.40),
    'GET 64 KB': Goal(3, 'nginx', 0.60),
    'GET 4 MB': Goal(1, 'nginx', 0.95),
    'GET 100 MB': Goal(1, 'nginx', 0.95),
    'GET 4 MB, processor': Goal(None, 'nginx', 1 / 1.3),
    'GET 100 MB, processor': Goal(None, 'nginx', 1 / 1.3),
    'PUT 1 KB': Goal(3, 'bare catalogue', 0.5),
    'PUT 4 MB gzip': Goal(1, 'SHA-256 and inflate', 0.85),
    'PUT 100 MB gzip': Goal(1, 'SHA-256 and inflate', 0.85),
    'put_file 100 MB of numbers': Goal(5),
    'put_file 100 MB of sources': Goal(5),
    'get_file 100 MB of numbers': Goal(1.5),
    'get_file 100 MB of sources': Goal(1.5),
    'LIST 100,000 names': Goal(50),
    'GET 1 KB beside four uploads, p99': Goal(5),
    'memory, 2 GB up and down': Goal(1),
}


def ratio(ours: Row, other: Row) -> float:
    """Returns how much better ours is: 2 is twice as fast, or half the cost."""
    if ours.unit in _UNITS_OF_COST:
        return other.median / ours.median
    return ours.median / other.median


def table(rows: list[Row], is_judged: bool = True) -> str:
    """Returns a table in Markdown: medians with the spread, and ratios.

    With the goals, where ``is_judged``: in a short form nothing is.
    """
    by_measure: dict[str, dict[str, Row]] = {}
    for row in rows:
        by_measure.setdefault(row.measure, {})[row.subject] = row
    lines = [
        '| what | unit | ours | original | limit | to the original | to the limit |',
        '|---|---|---|---|---|---|---|',
    ]
    for measure, found in by_measure.items():
        goal = GOALS.get(measure, Goal())
        if not is_judged:
            goal = Goal(limit_name=goal.limit_name)
        ours = found.get('ours')
        if ours is None:
            continue
        original, limit = found.get('original'), found.get(goal.limit_name)
        lines.append(
            '| %s |'
            % ' | '.join(
                [
                    measure,
                    ours.unit,
                    _shown(ours),
                    _shown(original),
                    '%s (%s)' % (_shown(limit), goal.limit_name) if limit else '',
                    _compared(ours, original, goal.original),
                    _compared(ours, limit, goal.limit),
                ]
            )
        )
    machine = [row for row in rows if row.subject == 'machine']
    if machine:
        lines += ['', '| the machine | |', '|---|---|']
        lines += ['| %s | %s %s |' % (r.measure[9:], _shown(r), r.unit) for r in machine]
    return '\n'.join(lines)


def write(rows: list[Row], scale: Scale, missing: list[str], path: Path) -> None:
    """Writes all values as JSON."""
    said = {
        'command': ' '.join(['python', '-m', 'benchmarks', *sys.argv[1:]]),
        'python': platform.python_version(),
        'cores': len(os.sched_getaffinity(0)),
        'scale': scale._asdict(),
        'missing': missing,
        'rows': [{**row._asdict(), 'median': row.median} for row in rows],
    }
    path.write_text(json.dumps(said, indent=1) + '\n')


def _shown(row: Row | None) -> str:
    if row is None:
        return ''
    if len(row.values) == 1:
        return _number(row.median)
    low, high = min(row.values), max(row.values)
    return '%s (%s to %s)' % (_number(row.median), _number(low), _number(high))


def _number(value: float) -> str:
    return '%.0f' % value if value >= 100 else '%.3g' % value


def _compared(ours: Row, other: Row | None, goal: float | None) -> str:
    if other is None:
        return ''
    reached = ratio(ours, other)
    shown = '%.3g' % reached
    if goal is not None:
        shown += ' (goal %.3g%s)' % (goal, '' if reached >= goal else ', **missed**')
    return shown
