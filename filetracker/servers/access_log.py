"""A line of the log for each request, written in batches: one alone costs as much as a request."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Iterator
from typing import NamedTuple

logger = logging.getLogger('filetracker.access')

#: For so long a line may wait for others, in seconds.
PAUSE = 0.1

#: A request, in the log for people.
LINE = '%s "%s %s" %s %d %.3f %s %s'

_MOST = 1000
_UNSAFE = re.compile(r'["\\]|[^!-~]')
# One of these is in each query that has a secret; see below.
_SUSPECT = re.compile('auth|credential|ftk_|key|pass|pwd|secret|sig|token', re.IGNORECASE)
_SECRET = re.compile(
    # What is in front of a host; values that are called so; tokens, wherever they are.
    r'\A(?!/)(?P<scheme>(?:[^/?]*//)?)[^/?]*(?=@)'
    r'|(?<=[?&;])(?P<key>[^=&;]*(?:auth|credential|key|pass|pwd|secret|sig|token)[^=&;]*=)[^&;]*'
    r'|ftk_[A-Za-z0-9_-]+',
    re.IGNORECASE,
)


class Access(NamedTuple):
    """One request: when it was answered, who asked for what, and what came of it.

    ``length`` is the number of bytes of the body of the answer, ``seconds`` how long it took;
    ``user`` is '-' where nobody is known, ``status`` where there was no answer.
    """

    when: float
    peer: str
    method: str
    target: str
    status: str
    length: int
    seconds: float
    user: str
    request_id: str


#: The same, made in a fifth of the time.
Entry = tuple[float, str, str, str, str, int, float, str, str]


class Accesses(logging.LogRecord):
    """Several lines of the log at once."""

    def __init__(self, entries: list[Entry]) -> None:
        super().__init__(logger.name, logging.INFO, __file__, 0, '', None, None)
        self.entries = entries

    def getMessage(self) -> str:
        return '\n'.join(LINE % entry[1:] for entry in self.entries)

    def __iter__(self) -> Iterator[logging.LogRecord]:
        """Yields a record for each line."""
        for entry in self.entries:
            record = logging.LogRecord(self.name, self.levelno, __file__, 0, LINE, entry[1:], None)
            record.created = entry[0]
            record.msecs = int(entry[0] % 1 * 1000)
            yield record


def shown(target: str) -> str:
    """Returns the target of a request as it may be in a log.

    It has no secrets, and nothing that could end a line or a quoted text.
    """
    if '?' in target or 'ftk_' in target or not target.startswith('/'):
        target = _SECRET.sub(_masked, target)
    if not target.isascii() or '"' in target or '\\' in target:
        target = _UNSAFE.sub(lambda found: '\\x%02x' % ord(found.group()), target)
    return target


def _masked(found: re.Match[str]) -> str:
    return (found.group('scheme') or found.group('key') or '') + '***'


class AccessLog:
    """Collects lines; :meth:`flush` has to be called each :data:`PAUSE`."""

    def __init__(self) -> None:
        self._entries: list[Entry] = []

    @property
    def is_wanted(self) -> bool:
        """Whether there is a log for these lines."""
        return logger.isEnabledFor(logging.INFO)

    def add(
        self,
        peer: str,
        method: str,
        target: str,
        status: str,
        count: int,
        seconds: float,
        user: str,
        request_id: str,
    ) -> None:
        """Notes a request that was answered now."""
        self._entries.append(
            (time.time(), peer, method, target, status, count, seconds, user, request_id)
        )
        if len(self._entries) >= _MOST:
            self.flush()

    def flush(self) -> None:
        """Hands what there is to the log."""
        if self._entries:
            entries, self._entries = self._entries, []
            if not _are_plain([entry[3] for entry in entries]):
                entries = [(*entry[:3], shown(entry[3]), *entry[4:]) for entry in entries]
            logger.handle(Accesses(entries))


def _are_plain(targets: list[str]) -> bool:
    """Whether all targets can be shown as they are; quicker than to look at each."""
    text = '\n' + '\n'.join(targets)
    return (
        text.isascii()
        and text.count('\n/') == len(targets)
        and not any(mark in text for mark in ('ftk_', '"', '\\'))
        and not ('?' in text and _SUSPECT.search(text))
    )
