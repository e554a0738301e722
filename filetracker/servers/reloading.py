"""Files of settings that are read again when they change, or when the operator says so."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

from gevent.event import Event

from filetracker.errors import FiletrackerError

logger = logging.getLogger(__name__)

T = TypeVar('T')

_LOOK = 1.0


class Reloaded(Generic[T]):
    """What ``read()`` makes of the files at ``paths``, of which the first is in ``value``.

    Each later one is handed to ``use``. ``read`` raises
    :class:`~filetracker.errors.FiletrackerError` where it cannot: here, and later it is logged, and
    what was read before still holds.
    """

    def __init__(self, paths: Sequence[str], read: Callable[[], T]) -> None:
        self.use: Callable[[T], object] = lambda value: None
        self._paths = paths
        self._read = read
        # What changes while it is read is read again.
        self._seen = self._look()
        self.value = read()

    def refresh(self, run: Callable[..., T]) -> None:
        """Reads the files again if they look different, by ``run(read)``."""
        if self._look() != self._seen:
            self.reload(run)

    def reload(self, run: Callable[..., T]) -> None:
        """Reads the files again, by ``run(read)``."""
        self._seen = self._look()
        try:
            self.value = run(self._read)
        except FiletrackerError as error:
            logger.error('%s; what was read before still holds', error)
            return
        self.use(self.value)
        logger.info('read again: %s', ', '.join(self._paths))

    def _look(self) -> list[object]:
        return [_fingerprint(path) for path in self._paths]


def keep_fresh(reloaded: Sequence[Reloaded[Any]], asked: Event, run: Callable[..., Any]) -> None:
    """Reads files again when they change, and all of them when ``asked`` is set; never returns.

    ``run`` calls what blocks.
    """
    while True:
        if asked.wait(_LOOK):
            asked.clear()
            for each in reloaded:
                each.reload(run)
        else:
            for each in reloaded:
                each.refresh(run)


def _fingerprint(path: str) -> object:
    try:
        status = os.stat(path)
    except OSError as error:
        return error.errno
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
