"""A line of the log for each request, written in batches: one alone costs as much as a request."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from typing import NamedTuple

logger = logging.getLogger('filetracker.access')

#: For so long a line may wait for others, in seconds.
PAUSE = 0.1

_MOST = 1000
_LINE = '%s "%s %s" %s %d %.3f'


class Access(NamedTuple):
    """One request: when it was answered, who asked for what, and what came of it.

    ``length`` is the number of bytes of the body of the answer, ``seconds`` how long it took.
    """

    when: float
    peer: str
    method: str
    target: str
    status: str
    length: int
    seconds: float


class Accesses(logging.LogRecord):
    """Several lines of the log at once."""

    def __init__(self, entries: list[Access]) -> None:
        super().__init__(logger.name, logging.INFO, __file__, 0, '', None, None)
        self.entries = entries

    def getMessage(self) -> str:
        return '\n'.join(_LINE % entry[1:] for entry in self.entries)

    def __iter__(self) -> Iterator[logging.LogRecord]:
        """Yields a record for each line."""
        for entry in self.entries:
            record = logging.LogRecord(self.name, self.levelno, __file__, 0, _LINE, entry[1:], None)
            record.created = entry.when
            record.msecs = int(entry.when % 1 * 1000)
            yield record


class LineFormatter(logging.Formatter):
    """The form of all lines of the log, quick for those about requests."""

    def __init__(self) -> None:
        super().__init__('%(asctime)s %(levelname)-8s (%(process)d) %(name)s %(message)s')

    def format(self, record: logging.LogRecord) -> str:
        if not isinstance(record, Accesses):
            return super().format(record)
        middle = '%-8s (%s) %s' % (record.levelname, record.process, record.name)
        lines = []
        second, text = 0, ''
        for entry in record.entries:
            now = int(entry.when)
            if now != second:
                second, text = now, time.strftime(self.default_time_format, time.localtime(now))
            milliseconds = int((entry.when - now) * 1000)
            lines.append('%s,%03d %s %s' % (text, milliseconds, middle, _LINE % entry[1:]))
        return '\n'.join(lines)


class AccessLog:
    """Collects lines; :meth:`flush` has to be called each :data:`PAUSE`."""

    def __init__(self) -> None:
        self._entries: list[Access] = []

    @property
    def is_wanted(self) -> bool:
        """Whether there is a log for these lines."""
        return logger.isEnabledFor(logging.INFO)

    def add(
        self, peer: str, method: str, target: str, status: str, count: int, seconds: float
    ) -> None:
        """Notes a request that was answered now."""
        self._entries.append(Access(time.time(), peer, method, target, status, count, seconds))
        if len(self._entries) >= _MOST:
            self.flush()

    def flush(self) -> None:
        """Hands what there is to the log."""
        if self._entries:
            entries, self._entries = self._entries, []
            logger.handle(Accesses(entries))
