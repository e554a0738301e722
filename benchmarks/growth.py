"""What each operation costs as names and connections grow: python -m benchmarks.growth."""

from __future__ import annotations

import argparse
import hashlib
import random
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from benchmarks import contents, plots, report, traffic
from benchmarks.bench import LONG, SHORT, Row, Scale
from benchmarks.setting_up import ROOT, Unavailable
from benchmarks.subjects import Ours, Subject
from filetracker.servers.storage import open_storage
from filetracker.servers.storage.bdb import Environment
from filetracker.servers.storage.catalog_berkeleydb import encode_entry, name_key, set_count
from filetracker.servers.storage.interfaces import Entry

_NAMES = (1_000, 100_000, 1_000_000)
_CONNECTIONS = (1, 8, 64, 500)
_REAL = 500


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog='python -m benchmarks.growth',
        description=__doc__,
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument('--short', action='store_true', help='only see that everything runs')
    parser.add_argument('--names', type=int, nargs='+', default=list(_NAMES))
    parser.add_argument('--connections', type=int, nargs='+', default=list(_CONNECTIONS))
    parser.add_argument('--seconds', type=float, default=3.0, help='for each value')
    parser.add_argument('--directory', type=Path, help='where the stores go while it runs')
    parser.add_argument('--out', type=Path, default=ROOT / 'var/benchmarks', help='the results')
    options = parser.parse_args(argv)
    options.out.mkdir(parents=True, exist_ok=True)
    scale = (SHORT if options.short else LONG)._replace(seconds=options.seconds)
    missing: list[str] = []
    rows: list[Row] = []
    try:
        traffic.wrk()
        # Some file systems are slow for a while behind the removal of many files.
        with tempfile.TemporaryDirectory(dir=options.directory) as folder:
            for names in [100] if options.short else options.names:
                store = Path(folder, 'store-%d' % names)
                fill(store, names)
                with Ours(store) as subject:
                    for row in measure(subject, names, scale, options.connections):
                        print('%s  %.5g %s' % (row.measure, row.median, row.unit), flush=True)
                        rows.append(row)
        plots.draw_growth(rows, options.out / 'growth.png')
    except Unavailable as error:
        missing.append(str(error))
        print('not measured: %s' % error)
    report.write(rows, scale, missing, options.out / 'growth.json')
    return 0


def fill(directory: Path, names: int) -> None:
    """Makes a store with so many names, each with a content of its own; some have a blob."""
    storage = open_storage(str(directory))
    content, stream = contents.small(1000, 0)
    for number in _real(names):
        content, stream = contents.small(1000, number)
        with storage.upload(True, content.digest, content.size) as upload:
            upload.write(stream)
            storage.put(_name(number), 1, upload)
    storage.close()
    real = {*_real(names)}
    environment = Environment(str(directory))
    for start in range(0, names, 1000):

        def put(transaction: object, start: int = start) -> None:
            for number in range(start, min(names, start + 1000)):
                if number not in real:
                    digest = hashlib.sha256(b'%d' % number).hexdigest()
                    entry = Entry(1, digest, 1000, 1020)
                    environment.names.put(
                        name_key(_name(number), 1), encode_entry(entry), transaction
                    )
                    set_count(environment.metadata, transaction, digest, 1, 1000)

        environment.transact(put)
    environment.close()


def measure(subject: Subject, names: int, scale: Scale, connections: list[int]) -> Iterator[Row]:
    """Yields the rates of each operation, over 32 connections and over others, and the memory."""
    label = ' at %s names' % format(names, ',')
    real = [_name(number) for number in _real(names)]

    def row(measure: str, unit: str, value: float) -> Row:
        return Row(measure + label, 'ours', unit, [value])

    gets = [traffic.get_request(name) for name in real]
    bodies = [contents.small(1000, 10**8 + number) for number in range(scale.small_requests // 2)]
    puts = [
        traffic.put_head('new/%d/%d' % (number % 97, number), 5, content) + stream
        for number, (content, stream) in enumerate(bodies)
    ]
    overwrites = [
        traffic.put_head(real[number % len(real)], 6 + number // len(real), content) + stream
        for number, (content, stream) in enumerate(bodies)
    ]
    yield row('memory at rest', 'MB', subject.memory() / 1e6)
    for what, requests in (
        ('GET 1 KB', gets),
        ('PUT 1 KB', puts),
        ('PUT 1 KB over another', overwrites),
    ):
        busy = subject.cpu_seconds()
        summary = traffic.hammer(subject.port, requests, 32, scale.seconds)
        yield row(what, 'requests/s', summary.rate)
        yield row(what + ', processor', 'us', (subject.cpu_seconds() - busy) / summary.count * 1e6)
    for many in connections:
        for what, requests in (('GET 1 KB', gets), ('PUT 1 KB', overwrites)):
            busy = subject.cpu_seconds()
            summary = traffic.hammer(subject.port, requests, many, scale.seconds)
            busy = subject.cpu_seconds() - busy
            said = '%s over %d connections' % (what, many)
            yield row(said, 'requests/s', summary.rate)
            yield row(said + ', p99', 'ms', summary.p99)
            yield row(said + ', processor', 'us', busy / summary.count * 1e6)
        yield row('memory after %d connections' % many, 'MB', subject.memory() / 1e6)
    deletes = [
        traffic.delete_request('new/%d/%d' % (number % 97, number), 10) for number in range(50)
    ]
    begun = time.perf_counter()
    for request in deletes:
        traffic.ask(subject.port, request)
    yield row('DELETE, one after the other', 'ms', (time.perf_counter() - begun) / 50 * 1e3)
    begun = time.perf_counter()
    with urllib.request.urlopen('%s/list/contests/0' % subject.url) as answer:
        answer.read()
    yield row('LIST of a directory of 1,000', 'ms', (time.perf_counter() - begun) * 1e3)
    busy = subject.cpu_seconds()
    with urllib.request.urlopen('%s/list' % subject.url) as answer:
        count = sum(piece.count(b'\n') for piece in iter(lambda: answer.read(1 << 16), b''))
    yield row(
        'LIST of all, processor, for a name', 'us', (subject.cpu_seconds() - busy) / count * 1e6
    )
    yield row('memory in the end', 'MB', subject.memory() / 1e6)
    begun = time.perf_counter()
    subject.stop()
    subject.__enter__()
    yield row('stop and start', 's', time.perf_counter() - begun)


def _real(names: int) -> list[int]:
    return sorted(random.Random(1).sample(range(names), min(names, _REAL)))


def _name(number: int) -> str:
    return 'contests/%d/%d.txt' % (number // 1000, number)


if __name__ == '__main__':
    sys.exit(main())
