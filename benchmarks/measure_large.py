"""Few large bodies: bytes a second, processor time a byte, memory, and who has to wait."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

from benchmarks import contents, limits, traffic
from benchmarks.bench import Bench, Row
from benchmarks.contents import Content
from benchmarks.subjects import Subject

_PARALLEL = 4


def gets(bench: Bench) -> Iterator[Row]:
    """GET of 4 MB and 100 MB (stored bytes), four at a time, and the processor time of it."""
    for size, label in ((bench.scale.medium, '4 MB'), (bench.scale.large, '100 MB')):
        content = contents.huge(bench.folder / 'get', size)
        name = 'large/%d' % size
        for subject in bench.subjects:
            traffic.place(subject.port, name, content)
        times = max(1, round(bench.scale.large * 20 / size / _PARALLEL)) * _PARALLEL
        cost: dict[str, list[float]] = {}

        def take(
            subject: Subject,
            number: int,
            name: str = name,
            times: int = times,
            cost: dict[str, list[float]] = cost,
        ) -> float:
            busy = subject.cpu_seconds()
            seconds, counts = _at_once(lambda _: traffic.get_large(subject.port, name), times)
            busy = subject.cpu_seconds() - busy
            cost.setdefault(subject.name, []).append(busy / sum(counts) * 1e9)
            return sum(counts) / seconds / 1e6

        yield from bench.interleaved('GET %s' % label, 'MB/s', take)
        for subject_name, values in cost.items():
            yield Row('GET %s, processor' % label, subject_name, 's/GB', values)


def puts(bench: Bench) -> Iterator[Row]:
    """PUT of 4 MB and 100 MB of text as gzip, four at a time; new contents each time.

    Counted in plain bytes. Beside it what the processors do that only inflate and hash it.
    """
    for size, label in ((bench.scale.medium, '4 MB'), (bench.scale.large, '100 MB')):
        count = _PARALLEL * max(1, round(bench.scale.large / size / 5))
        files = [
            contents.saved(bench.folder / ('put%d' % n), contents.numbers(size, n), 'speed')
            for n in range(min(count, _PARALLEL * 5))
        ]
        limit = Row('PUT %s gzip' % label, 'SHA-256 and inflate', 'MB/s', [])

        def take(
            subject: Subject,
            number: int,
            files: list[Content] = files,
            label: str = label,
            limit: Row = limit,
        ) -> float:
            if subject is bench.subjects[0]:
                limit.values.append(limits.verifying(files))

            def put(index: int) -> int:
                name = 'large/%s/%d' % (label[0], index)
                return traffic.put_large(subject.port, name, 5, files[index])

            seconds, statuses = _at_once(put, len(files))
            if not {*statuses} <= {200, 201, 204}:
                raise OSError('%s: statuses %s' % (subject.name, {*statuses}))
            for index in range(len(files)):
                name = 'large/%s/%d' % (label[0], index)
                traffic.ask(subject.port, traffic.delete_request(name, 5))
            return sum(content.size for content in files) / seconds / 1e6

        yield from bench.interleaved('PUT %s gzip' % label, 'MB/s', take)
        yield limit


def patience(bench: Bench) -> Iterator[Row]:
    """The slowest of a hundred GETs of 1 KB while four uploads of 100 MB run."""
    content, stream = contents.small(1000, 1000)
    small = bench.folder / 'small'
    small.write_bytes(stream)
    files = [
        contents.saved(
            bench.folder / ('put%d' % n), contents.numbers(bench.scale.large, n), 'speed'
        )
        for n in range(_PARALLEL)
    ]
    for subject in bench.servers.subjects:
        traffic.place(subject.port, 'small/1000', content._replace(path=small))

    def take(subject: Subject, number: int) -> float:
        over = threading.Event()

        def upload(index: int) -> None:
            name = 'busy/%d' % index
            while not over.is_set():
                try:
                    traffic.put_large(subject.port, name, 5, files[index])
                    traffic.ask(subject.port, traffic.delete_request(name, 5))
                except OSError as error:
                    # Busy workers of the original are ended by their parent.
                    bench.say('%s: an upload failed: %s' % (subject.name, error))

        with ThreadPoolExecutor(_PARALLEL) as pool:
            running = [pool.submit(upload, index) for index in range(_PARALLEL)]
            try:
                requests = [traffic.get_request('small/1000')]
                summary = traffic.hammer(subject.port, requests, 2, bench.scale.seconds)
            finally:
                over.set()
            for one in running:
                one.result()
        return summary.p99

    yield from bench.servers.interleaved('GET 1 KB beside four uploads, p99', 'ms', take)


def memory(bench: Bench) -> Iterator[Row]:
    """The most resident memory while 2 GB go in and 2 GB come out at once."""
    content = contents.huge(bench.folder / 'huge', bench.scale.huge)
    other = contents.huge(bench.folder / 'other', bench.scale.huge + 1)
    bench = bench._replace(scale=bench.scale._replace(rounds=1))
    for subject in bench.servers.subjects:
        traffic.place(subject.port, 'huge/down', content)

    def take(subject: Subject, number: int) -> float:
        most = [subject.memory()]
        over = threading.Event()

        def watch() -> None:
            while not over.wait(0.05):
                most.append(subject.memory())

        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            both: list[Callable[[], int]] = [
                lambda: traffic.put_large(subject.port, 'huge/up', 5, other),
                lambda: traffic.get_large(subject.port, 'huge/down'),
            ]
            _at_once(lambda index: both[index](), 2)
        finally:
            over.set()
            watcher.join()
        return max(most) / 1e6

    yield from bench.servers.interleaved('memory, 2 GB up and down', 'MB', take)
    for subject in bench.servers.subjects:
        for name in ('huge/up', 'huge/down'):
            traffic.ask(subject.port, traffic.delete_request(name, 5))


def _at_once(work: Callable[[int], int], times: int) -> tuple[float, list[int]]:
    """Does something so often, four at a time; returns how long it took, and what came."""
    with ThreadPoolExecutor(_PARALLEL) as pool:
        begun = time.perf_counter()
        results = list(pool.map(work, range(times)))
        return time.perf_counter() - begun, results
