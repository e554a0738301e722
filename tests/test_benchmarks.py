"""The benchmarks: their short form runs, and says what it could not measure."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from benchmarks.bench import Row
from benchmarks.report import ratio, table
from tests.support import ROOT, environment


def run(*arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, '-m', *arguments],
        cwd=ROOT,
        env=environment(**more),
        capture_output=True,
        text=True,
    )


def test_the_short_form_measures_each_thing_or_says_why_not(tmp_path):
    done = run('benchmarks', '--short', '--alone', '--out', str(tmp_path))

    assert done.returncode == 0, done.stderr
    said = json.loads((tmp_path / 'results.json').read_text())
    measured = {row['measure'] for row in said['rows']}
    assert {'GET 4 MB', 'PUT 100 MB gzip', 'LIST 100,000 names', 'machine: SHA-256'} <= measured
    assert 'GET 1 KB' in measured or any('wrk' in sentence for sentence in said['missing'])
    assert all(value >= 0 for row in said['rows'] for value in row['values'])
    assert '| LIST 100,000 names | s |' in (tmp_path / 'results.md').read_text()
    assert 'goal' not in done.stdout


def test_what_cannot_be_had_is_said_and_the_rest_is_measured(tmp_path):
    arguments = ('--short', '--only', 'lists', '--original', str(tmp_path), '--out', str(tmp_path))
    done = run('benchmarks', *arguments, PATH='')

    assert done.returncode == 0, done.stderr
    assert 'has no filetracker-server' in done.stdout
    rows = json.loads((tmp_path / 'results.json').read_text())['rows']
    assert [row['subject'] for row in rows] == ['ours', 'ours']


def test_the_short_form_of_growth_runs(tmp_path):
    arguments = ('--short', '--connections', '2', '--seconds', '1', '--out', str(tmp_path))
    done = run('benchmarks.growth', *arguments)

    assert done.returncode == 0, done.stderr
    said = json.loads((tmp_path / 'growth.json').read_text())
    assert said['rows'] or said['missing']


@pytest.mark.parametrize(('unit', 'expected'), [('MB/s', 2), ('s', 0.5)])
def test_a_ratio_is_larger_where_we_are_better(unit, expected):
    ours, other = Row('x', 'ours', unit, [9, 4, 4]), Row('x', 'original', unit, [2])

    assert ratio(ours, other) == expected


def test_a_goal_that_is_missed_is_told():
    rows = [Row('GET 1 KB', name, 'requests/s', [value]) for name, value in (('ours', 4.0),)]
    rows.append(Row('GET 1 KB', 'original', 'requests/s', [2.0]))

    assert '2 (goal 3, **missed**)' in table(rows)
    assert 'goal' not in table(rows, is_judged=False)
