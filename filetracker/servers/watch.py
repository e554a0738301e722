"""What a server tells of itself: whether it works, and its numbers."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from filetracker import __version__
from filetracker.errors import FiletrackerError, StoreFull
from filetracker.servers.base import Answer, Environ, Refusal, Routes
from filetracker.servers.figures import Figures, Sample
from filetracker.servers.storage import Storage
from filetracker.servers.storage.census import Totals
from filetracker.servers.storage.disk import Room

logger = logging.getLogger(__name__)

# For so long it holds what was found out about the store, and so long it may take, in seconds.
_FRESH = 1.0
_PATIENCE = 5.0

_TEXT = 'text/plain; charset=utf-8'
_READY = ''
_FULL = 'there is no room on the disk of the store'
_SICK = 'the store takes no changes now'


class _Status(NamedTuple):
    """What ``/status`` tells; ``None`` where it is not known, as too little is worse than that."""

    version: str
    uptime_seconds: float
    counted: bool
    names: int | None
    blobs: int | None
    logical_bytes: int | None
    plain_bytes: int | None
    stored_bytes: int | None
    deduplication_ratio: float | None
    compression_ratio: float | None
    disk_size_bytes: int | None
    disk_free_bytes: int | None
    connections: int
    requests_in_flight: int
    requests_in_flight_by_user: dict[str, int]

    @classmethod
    def of(cls, totals: Totals, room: Room | None, sample: Sample, uptime: float) -> _Status:
        known = totals if totals.counted else None
        return cls(
            version=__version__,
            uptime_seconds=round(uptime, 3),
            counted=totals.counted,
            names=known and known.names,
            blobs=known and known.blobs,
            logical_bytes=known and known.named_size,
            plain_bytes=known and known.size,
            stored_bytes=known and known.stored_size,
            deduplication_ratio=known and _ratio(known.named_size, known.size),
            compression_ratio=known and _ratio(known.size, known.stored_size),
            disk_size_bytes=room and room.total,
            disk_free_bytes=room and room.free,
            connections=sample.connections,
            requests_in_flight=sum(sample.in_flight.values()),
            requests_in_flight_by_user=sample.in_flight,
        )


class Watch:
    """Answers about ``storage`` and about what ``figures`` count; ``run`` calls what blocks.

    ``compute`` calls what takes long but does not.
    """

    def __init__(
        self,
        storage: Storage,
        figures: Figures,
        run: Callable[..., Any],
        compute: Callable[..., Any],
    ) -> None:
        self._storage = storage
        self._figures = figures
        self._run = run
        self._compute = compute
        self._reason = _READY
        self._fresh_until = 0.0
        self._looking_since: float | None = None
        storage.activity.log_synced = figures.syncs['log'].add
        storage.activity.content_synced = figures.syncs['content'].add
        figures.queues['commit'] = storage.activity.waiting
        #: What answers, as :meth:`~filetracker.servers.base.Server.routes` says it.
        self.routes: Routes = {
            'health': {'GET': self._health},
            'metrics': {'GET': self._metrics},
            'ready': {'GET': self._ready},
            'status': {'GET': self._status},
        }

    def _health(self, environ: Environ, rest: str) -> Answer:
        _check_alone('health', rest)
        return _told(_TEXT, b'alive\n')

    def _ready(self, environ: Environ, rest: str) -> Answer:
        _check_alone('ready', rest)
        reason = self._why_not_ready()
        if reason != _READY:
            raise Refusal('503 Service Unavailable', reason, [_NOT_KEPT])
        return _told(_TEXT, b'ready\n')

    def _status(self, environ: Environ, rest: str) -> Answer:
        _check_alone('status', rest)
        sample = self._figures.sample()
        totals, room = self._storage.begin_census(), self._run(self._room)
        said = _Status.of(totals, room, sample, self._figures.uptime)
        return _told('application/json', json.dumps(said._asdict(), indent=2).encode() + b'\n')

    def _metrics(self, environ: Environ, rest: str) -> Answer:
        _check_alone('metrics', rest)
        # On this thread: where others come to their end meanwhile, they must count once.
        sample = self._figures.sample()
        accepted = environ.get('HTTP_ACCEPT', '')
        totals, room = self._storage.begin_census(), self._run(self._room)
        text, kind = self._compute(self._metrics_of, sample, totals, room, accepted)
        return _told(kind, text)

    def _metrics_of(
        self, sample: Sample, totals: Totals, room: Room | None, accepted: str
    ) -> tuple[bytes, str]:
        try:
            from filetracker.servers import metrics
        except ImportError:
            sentence = "metrics need prometheus_client: pip install 'filetracker[server]'"
            raise Refusal('501 Not Implemented', sentence) from None
        holdings = metrics.Holdings(totals, room, self._storage.activity)
        return metrics.text(sample, holdings, accepted)

    def _room(self) -> Room | None:
        disk = self._storage.disk
        return disk.room() if disk else None

    def _why_not_ready(self) -> str:
        """Returns a reason that says little; everybody may ask, so the disk is not asked often."""
        now = time.monotonic()
        if self._looking_since is not None:
            # Somebody else asks the disk.
            return _SICK if now > self._looking_since + _PATIENCE else self._reason
        if now > self._fresh_until:
            self._looking_since = now
            try:
                self._reason = self._look()
            finally:
                self._looking_since = None
            self._fresh_until = time.monotonic() + _FRESH
        return self._reason

    def _look(self) -> str:
        try:
            self._run(self._storage.check_ready)
        except (FiletrackerError, OSError) as error:
            if self._reason == _READY:
                logger.warning('the server is not ready: %s', error)
            return _FULL if isinstance(error, StoreFull) else _SICK
        if self._reason != _READY:
            logger.warning('the server is ready again')
        return _READY


_NOT_KEPT = ('Cache-Control', 'no-store')


def _told(kind: str, body: bytes) -> Answer:
    headers = [('Content-Type', kind), ('Content-Length', str(len(body))), _NOT_KEPT]
    return Answer('200 OK', headers, [body])


def _check_alone(endpoint: str, rest: str) -> None:
    if rest:
        raise Refusal('400 Bad Request', 'nothing is below /%s' % endpoint)


def _ratio(large: int, small: int) -> float | None:
    return round(large / small, 4) if small else None
