"""Many small requests over connections that stay."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from benchmarks import contents, traffic
from benchmarks.bench import Bench, Row
from benchmarks.subjects import Subject

_CONNECTIONS = 32


def gets(bench: Bench) -> Iterator[Row]:
    """GET of 1 KB and of 64 KB."""
    for size, label in ((1000, '1 KB'), (64_000, '64 KB')):
        content, stream = contents.small(size, size)
        path = bench.folder / 'small'
        path.write_bytes(stream)
        name = 'small/%d' % size
        for subject in bench.subjects:
            traffic.place(subject.port, name, content._replace(path=path))
        requests = [traffic.get_request(name)]
        yield from _hammered(bench, 'GET %s' % label, lambda _, ready=requests: ready)


def puts(bench: Bench) -> Iterator[Row]:
    """PUT of contents of 1 KB that are new, each under a new name."""
    made: dict[int, list[bytes]] = {}

    def requests(number: int) -> list[bytes]:
        if number not in made:
            made.clear()
            made[number] = []
            for index in range(bench.scale.small_requests):
                content, stream = contents.small(1000, number * 10**7 + index)
                name = 'put/%d/%d/%d' % (number, index % 100, index)
                made[number].append(traffic.put_head(name, 5, content) + stream)
        return made[number]

    yield from _hammered(bench, 'PUT 1 KB', requests)


def _hammered(bench: Bench, measure: str, requests: Callable[[int], list[bytes]]) -> Iterator[Row]:
    """Yields how many requests a second there are, and the processor time of the server for one."""
    cost: dict[str, list[float]] = {}

    def take(subject: Subject, number: int) -> float:
        busy = subject.cpu_seconds()
        summary = traffic.hammer(subject.port, requests(number), _CONNECTIONS, bench.scale.seconds)
        busy = subject.cpu_seconds() - busy
        if summary.failed:
            bench.say('%s: %d requests failed' % (subject.name, summary.failed))
        cost.setdefault(subject.name, []).append(busy / summary.count * 1e6)
        return summary.rate

    yield from bench.interleaved(measure, 'requests/s', take)
    for name, values in cost.items():
        yield Row('%s, processor' % measure, name, 'us', values)
