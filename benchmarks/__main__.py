"""Measures filetracker against filetracker 2.3.3, nginx and the machine. See README.md here."""

from __future__ import annotations

import argparse
import contextlib
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks import limits, measure_large, measure_small, measure_whole, plots, report, traffic
from benchmarks.bench import LONG, SHORT, Bench, Row
from benchmarks.setting_up import ROOT, Unavailable, original_home
from benchmarks.subjects import Nginx, Original, Ours, Subject

MEASURES: dict[str, Callable[[Bench], Iterator[Row]]] = {
    'get-small': measure_small.gets,
    'put-small': measure_small.puts,
    'catalogue': limits.catalogue,
    'get-large': measure_large.gets,
    'put-large': measure_large.puts,
    'files': measure_whole.files,
    'lists': measure_whole.lists,
    'patience': measure_large.patience,
    'memory': measure_large.memory,
    # It removes many files, behind which a file system may be slow to make others.
    'machine': limits.machine,
}
_NEED_WRK = ('get-small', 'put-small', 'patience')


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog='python -m benchmarks',
        description=__doc__,
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument('--short', action='store_true', help='only see that everything runs')
    parser.add_argument('--rounds', type=int, help='how often everything is measured')
    parser.add_argument(
        '--only', nargs='+', choices=MEASURES, default=list(MEASURES), help='what is measured'
    )
    parser.add_argument('--original', metavar='VENV', help='an environment with filetracker 2.3.3')
    parser.add_argument('--alone', action='store_true', help='measure only this server')
    parser.add_argument(
        '--directory', type=Path, help='where the stores go while it runs (default: temporary)'
    )
    parser.add_argument('--out', type=Path, default=ROOT / 'var/benchmarks', help='the results')
    options = parser.parse_args(argv)
    scale = SHORT if options.short else LONG
    if options.rounds:
        scale = scale._replace(rounds=options.rounds)
    options.out.mkdir(parents=True, exist_ok=True)
    # Else servers would outlive it.
    signal.signal(signal.SIGTERM, signal.default_int_handler)

    missing: list[str] = []
    rows: list[Row] = []
    with contextlib.ExitStack() as stack:
        folder = Path(
            stack.enter_context(tempfile.TemporaryDirectory(dir=options.directory))
        ).resolve()
        subjects = _started(options, folder, stack, missing)
        bench = Bench(subjects, scale, folder, lambda line: print(line, flush=True))
        for name in options.only:
            try:
                if name in _NEED_WRK:
                    traffic.wrk()
                rows.extend(MEASURES[name](bench))
            except (Unavailable, OSError) as error:
                _tell(missing, '%s: not measured: %s' % (name, error))
    report.write(rows, scale, missing, options.out / 'results.json')
    text = report.table(rows, is_judged=not options.short)
    (options.out / 'results.md').write_text(text + '\n')
    try:
        plots.draw(rows, options.out / 'results.png')
    except Unavailable as error:
        _tell(missing, str(error))
    print('\n%s\n\nwritten to %s' % (text, options.out))
    return 0


def _started(
    options: argparse.Namespace, folder: Path, stack: contextlib.ExitStack, missing: list[str]
) -> list[Subject]:
    """Returns the servers that can be had here, serving until ``stack`` ends."""

    def original() -> Subject:
        return Original(folder / 'original', original_home(options.original, options.out))

    makers: list[Callable[[], Subject]] = [lambda: Ours(folder / 'ours')]
    if not options.alone:
        makers += [original, lambda: Nginx(folder / 'nginx')]
    subjects = []
    for make in makers:
        try:
            subjects.append(stack.enter_context(make()))
        except Unavailable as error:
            _tell(missing, 'not measured: %s' % error)
    return subjects


def _tell(missing: list[str], sentence: str) -> None:
    missing.append(sentence)
    print(sentence, flush=True)


if __name__ == '__main__':
    sys.exit(main())
