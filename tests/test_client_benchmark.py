"""The benchmark of the client runs; what it finds is for people."""

from __future__ import annotations

import json
import subprocess
import sys

from benchmarks.client import summed_up, table
from tests.support import ROOT, environment


def test_everything_is_measured_in_its_small_form(tmp_path):
    done = subprocess.run(
        [sys.executable, '-m', 'benchmarks.client', '--small', '--alone']
        + ['--directory', str(tmp_path), '--out', str(tmp_path / 'out')],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
    )

    assert done.returncode == 0, done.stderr
    rows = json.loads((tmp_path / 'out' / 'client.json').read_text())['rows']
    assert len(rows) == 18
    assert all(row['ours'] > 0 for row in rows)
    assert len(done.stdout.splitlines()) == len(rows) + 2
    assert [path.name for path in tmp_path.iterdir()] == ['out']


def test_the_ratio_is_that_of_the_medians():
    samples = [
        ('get', name, 'MB/s', number) for name, number in zip('aabbb', [2, 4, 1, 9, 6], strict=True)
    ]
    rows = summed_up(samples, ['a', 'b'])

    assert [(row['a'], row['b']) for row in rows] == [(3, 6)]
    assert table(rows).splitlines()[-1] == '| get | MB/s | 3 | 6 | 0.50 |'
