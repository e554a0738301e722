"""Measures the client against that of filetracker 2.3.3, in interleaved rounds.

Three subjects: our client and our server; the original's client and our server, which tells what
the client alone makes of it; the original's client and the original's server. Every measurement
is a process of its own. The original has no bulk calls: there, eight threads share a client.
"""

from __future__ import annotations

import argparse
import contextlib
import filecmp
import json
import shutil
import signal
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from benchmarks.client_files import write_random, write_small, write_text
from benchmarks.client_subjects import Subject, original, ours, serving
from benchmarks.setting_up import ROOT, Unavailable


class Scale(NamedTuple):
    """How much is measured: rounds, files, and bytes."""

    rounds: int
    large_rounds: int
    times: int
    count: int
    large: int


LONG = Scale(rounds=3, large_rounds=1, times=2000, count=1000, large=500 * 10**6)
SMALL = Scale(rounds=1, large_rounds=1, times=20, count=20, large=2 * 10**6)

#: What is measured, the subject, the unit of the number, and the number.
Sample = tuple[str, str, str, float]


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog='python -m benchmarks.client', description=__doc__)
    parser.add_argument('--small', action='store_true', help='only see that everything runs')
    parser.add_argument('--original', metavar='VENV', help='an environment with filetracker 2.3.3')
    parser.add_argument('--alone', action='store_true', help='measure only our client')
    parser.add_argument('--directory', type=Path, help='where files go (default: temporary)')
    parser.add_argument(
        '--out', type=Path, default=ROOT / 'var/benchmarks', help='the folder of the results'
    )
    parser.add_argument('--rounds', type=int, help='how often the small things are measured')
    parser.add_argument('--megabytes', type=int, help='the size of a large file')
    options = parser.parse_args(argv)
    # Asked to end, it still ends the servers.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    scale = SMALL if options.small else LONG
    if options.rounds is not None:
        scale = scale._replace(rounds=options.rounds)
    if options.megabytes:
        scale = scale._replace(large=options.megabytes * 10**6)
    options.out.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=options.directory)))
        url = stack.enter_context(serving(ours(), folder / 'ours'))
        subjects = [Subject('ours', ours(), url)]
        if not options.alone:
            try:
                other = original(options.original, options.out)
                other_url = stack.enter_context(serving(other, folder / 'original'))
                subjects.append(Subject('original client, our server', other, url))
                subjects.append(Subject('original', other, other_url))
            except Unavailable as error:
                print('not measured: %s' % error, file=sys.stderr)
        samples = []
        for sample in _measured(subjects, scale, folder):
            samples.append(sample)
            print('%s: %s: %.4g %s' % (sample[1], sample[0], sample[3], sample[2]), file=sys.stderr)
    rows = summed_up(samples, [subject.name for subject in subjects])
    (options.out / 'client.json').write_text(
        json.dumps({'scale': scale._asdict(), 'rows': rows}, indent=1) + '\n'
    )
    print(table(rows))
    return 0


def _measured(subjects: list[Subject], scale: Scale, folder: Path) -> Iterator[Sample]:
    for number in range(scale.rounds):
        for subject in _in_turn(subjects, number):
            with _workplace(folder) as place:
                yield from _small(subject, scale, place, number)
    for number in range(scale.large_rounds):
        for kind, write in (('text', write_text), ('random', write_random)):
            for subject in _in_turn(subjects, number):
                with _workplace(folder) as place:
                    yield from _large(subject, scale, place, number, kind, write)


def _in_turn(subjects: list[Subject], number: int) -> list[Subject]:
    """Nobody is always the first."""
    start = number % len(subjects)
    return subjects[start:] + subjects[:start]


@contextlib.contextmanager
def _workplace(folder: Path) -> Iterator[Path]:
    place = Path(tempfile.mkdtemp(dir=folder))
    try:
        yield place
    finally:
        shutil.rmtree(place)


def _small(subject: Subject, scale: Scale, place: Path, number: int) -> Iterator[Sample]:
    label = subject.name.replace(' ', '').replace(',', '-')
    for kind, size, times in (
        ('1 KB', 1000, scale.times),
        ('10 MB', scale.large // 50, scale.times // 20),
    ):
        (path,) = write_small(place / ('one-%d' % size), 1, size)
        files = [('/%s/%d/one-%d' % (label, number, size), str(path))]
        said = _run(subject, place, 'cached-get', files, times)
        yield ('cached get, %s' % kind, subject.name, 'per second', times / said['seconds'])
    for how, put, get in (('one by one', 'put', 'get'), ('in bulk', 'bulk-put', 'bulk-get')):
        paths = write_small(place / put, scale.count, 1000)
        files = [('/%s/%d/%s/%s' % (label, number, put, p.name), str(p)) for p in paths]
        for what, task in (('put', put), ('get', get)):
            said = _run(subject, place, task, files)
            name = '%s %d of 1 KB %s' % (what, scale.count, how)
            yield (name, subject.name, 'per second', scale.count / said['seconds'])
            yield (name + ', memory', subject.name, 'MB', said['memory'] / 1e6)


def _large(
    subject: Subject,
    scale: Scale,
    place: Path,
    number: int,
    kind: str,
    write: Callable[[Path, int], None],
) -> Iterator[Sample]:
    path = place / 'large'
    write(path, scale.large)
    label = subject.name.replace(' ', '').replace(',', '-')
    files = [('/%s/%d/large-%s' % (label, number, kind), str(path))]
    for what, task in (('up', 'put'), ('down', 'get')):
        said = _run(subject, place, task, files)
        name = '%d MB of %s %s' % (scale.large / 1e6, kind, what)
        yield (name, subject.name, 'MB/s', scale.large / 1e6 / said['seconds'])
        yield (name + ', memory', subject.name, 'MB', said['memory'] / 1e6)


def _run(
    subject: Subject, place: Path, what: str, files: list[tuple[str, str]], times: int = 0
) -> dict[str, float]:
    """Runs a task with an empty cache, and checks that what was got is what was put."""
    out = place / ('out-' + what)
    cache = place / 'cache'
    out.mkdir()
    task = {'what': what, 'files': files, 'times': times, 'cache': str(cache), 'out': str(out)}
    try:
        said = subject.run(task)
        for at, (_, path) in enumerate(files):
            if what.endswith('get') and not filecmp.cmp(path, out / ('%d' % at), shallow=False):
                raise SystemExit('%s: %s came back as something else' % (subject.name, path))
        return said
    finally:
        shutil.rmtree(out)
        shutil.rmtree(cache, ignore_errors=True)


def summed_up(samples: list[Sample], names: list[str]) -> list[dict[str, object]]:
    """Returns a row for each thing measured: the median of each subject, and the ratios to ours."""
    rows: list[dict[str, object]] = []
    for what, unit in dict.fromkeys((sample[0], sample[2]) for sample in samples):
        row: dict[str, object] = {'what': what, 'unit': unit}
        for name in names:
            numbers = [sample[3] for sample in samples if sample[:3] == (what, name, unit)]
            row[name] = statistics.median(numbers)
            row[name + ', all'] = numbers
        rows.append(row)
    return rows


def table(rows: list[dict[str, object]]) -> str:
    """Returns the rows as a table in Markdown; the ratio is ours to the original's."""
    names = [key for key in rows[0] if key not in ('what', 'unit') and not key.endswith(', all')]
    titles = ['', 'unit', *names, *('ours / %s' % name for name in names[1:])]
    lines = ['| %s |' % ' | '.join(titles), '|%s' % ('---|' * len(titles))]
    for row in rows:
        numbers = [float(str(row[name])) for name in names]
        ratios = ['%.2f' % (numbers[0] / number) for number in numbers[1:]]
        cells = [row['what'], row['unit'], *('%.4g' % number for number in numbers), *ratios]
        lines.append('| %s |' % ' | '.join(map(str, cells)))
    return '\n'.join(lines)


if __name__ == '__main__':
    sys.exit(main())
