"""The numbers of a server as Prometheus reads them, by its client library."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from itertools import accumulate
from typing import NamedTuple

from prometheus_client import CollectorRegistry, GCCollector, ProcessCollector, exposition
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)

from filetracker import __version__
from filetracker.servers.durations import BOUNDS, Distribution
from filetracker.servers.figures import Sample
from filetracker.servers.storage.activity import Activity
from filetracker.servers.storage.census import Totals
from filetracker.servers.storage.disk import Room

_BOUNDS = [*map(str, BOUNDS), '+Inf']


class Holdings(NamedTuple):
    """What a store holds, the disk where it has one, and what goes on in it."""

    totals: Totals
    room: Room | None
    activity: Activity


def text(sample: Sample, holdings: Holdings, accepted: str) -> tuple[bytes, str]:
    """Returns the numbers in the form that the header ``Accept`` asks for, and its content type."""
    registry = CollectorRegistry()
    registry.register(_Collected([*_of_server(sample), *_of_store(holdings)]))
    ProcessCollector(registry=registry)
    GCCollector(registry=registry)
    try:
        encode, kind = exposition.choose_encoder(accepted)
    except (TypeError, ValueError):
        # It asks for a version that is no version.
        encode, kind = exposition.choose_encoder('')
    return encode(registry), kind


class _Collected:
    def __init__(self, metrics: Collection[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Collection[Metric]:
        return self._metrics


def _of_server(sample: Sample) -> Iterator[Metric]:
    requests = CounterMetricFamily(
        'filetracker_http_requests', 'Requests that were answered.', labels=['method', 'status']
    )
    for labels, number in sample.answers.items():
        requests.add_metric(labels, number)
    yield requests
    yield _histogram(
        'filetracker_http_request_duration_seconds',
        'From the head of a request to the end of its answer.',
        'method',
        sample.durations,
    )
    for name, said, count in (
        ('received_bytes', 'Bytes of the bodies of requests.', sample.received),
        ('sent_bytes', 'Bytes of the bodies of answers.', sample.sent),
        ('cut_off', 'Answers that did not come to their end.', sample.cut_off),
        ('accepted', 'Connections that there ever were.', sample.accepted),
    ):
        yield CounterMetricFamily('filetracker_http_' + name, said, count)
    yield GaugeMetricFamily(
        'filetracker_http_connections', 'Connections that there are.', sample.connections
    )
    yield _gauge(
        'filetracker_http_requests_in_flight',
        'Requests that are being answered, by the name of their credentials.',
        'user',
        sample.in_flight,
    )
    yield _histogram(
        'filetracker_sync_duration_seconds',
        'Syncs of the log of the database, each for all changes that wait, and of contents.',
        'what',
        sample.syncs,
    )
    yield _gauge(
        'filetracker_queue_length',
        'How many wait: for a thread, for their change to be durable, for the log to be written.',
        'queue',
        sample.queues,
    )


def _of_store(holdings: Holdings) -> Iterator[Metric]:
    totals, room, activity = holdings
    census = activity.census
    yield _gauge('filetracker_build_info', 'The version.', 'version', {__version__: 1})
    for name, said, count in (
        ('puts', 'Files that were put.', census.puts),
        ('deletes', 'Files that were deleted.', census.deletes),
        ('deduplication_hits', 'Puts whose content was there already.', census.found),
        ('damaged', 'How often a damaged content was met.', activity.damaged),
    ):
        yield CounterMetricFamily('filetracker_store_' + name, said, count)
    numbers = [
        ('store_counted', 'Whether names and bytes are counted by now.', int(totals.counted))
    ]
    if totals.counted:
        numbers += [
            ('store_names', 'Names of files.', totals.names),
            ('store_blobs', 'Different contents.', totals.blobs),
            ('store_logical_bytes', 'Plain bytes of all names, each in full.', totals.named_size),
            ('store_plain_bytes', 'Plain bytes of all contents.', totals.size),
            ('store_stored_bytes', 'Bytes of all contents on the disk.', totals.stored_size),
        ]
    if room:
        numbers += [
            ('disk_size_bytes', 'The size of the disk.', room.total),
            ('disk_free_bytes', 'What is free of it.', room.free),
        ]
    for name, said, number in numbers:
        yield GaugeMetricFamily('filetracker_' + name, said, number)


def _gauge(name: str, said: str, label: str, numbers: Mapping[str, int]) -> Metric:
    gauge = GaugeMetricFamily(name, said, labels=[label])
    for value, number in numbers.items():
        gauge.add_metric([value], number)
    return gauge


def _histogram(
    name: str, said: str, label: str, distributions: Mapping[str, Distribution]
) -> Metric:
    histogram = HistogramMetricFamily(name, said, labels=[label])
    for value, (counts, total) in distributions.items():
        buckets = list(zip(_BOUNDS, accumulate(counts), strict=True))
        histogram.add_metric([value], buckets, total)
    return histogram
