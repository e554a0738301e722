"""The forms of the log: lines for people, and JSON. Nothing that a peer sends can forge a line."""

from __future__ import annotations

import json
import logging
import re
import time
from datetime import datetime, timezone
from typing import Any

from filetracker.servers.access_log import LINE, Access, Accesses

_CONTROL = re.compile(r'[\x00-\x1f\x7f-\x9f\u2028\u2029]')


class LogFormat(logging.Formatter):
    """The form of all lines of the log, quick for those about requests."""

    def format(self, record: logging.LogRecord) -> str:
        if not isinstance(record, Accesses):
            return self._format_other(record)
        return '\n'.join(self._format_requests(record))

    def _format_other(self, record: logging.LogRecord) -> str:
        raise NotImplementedError

    def _format_requests(self, record: Accesses) -> list[str]:
        raise NotImplementedError


class Lines(LogFormat):
    """Time, level, process and logger in front of what there is to say; for people."""

    def __init__(self) -> None:
        super().__init__('%(asctime)s %(levelname)-8s (%(process)d) %(name)s %(message)s')

    def formatMessage(self, record: logging.LogRecord) -> str:
        record.message = _CONTROL.sub(lambda found: repr(found.group())[1:-1], record.message)
        request_id = getattr(record, 'request_id', '')
        if request_id:
            record.message += ' [%s]' % request_id
        return super().formatMessage(record)

    def formatException(self, ei: Any) -> str:
        # What an error quotes cannot begin a line of the log, where all else begins with a time.
        return '  ' + super().formatException(ei).replace('\n', '\n  ')

    def _format_other(self, record: logging.LogRecord) -> str:
        return logging.Formatter.format(self, record)

    def _format_requests(self, record: Accesses) -> list[str]:
        middle = '%-8s (%s) %s' % (record.levelname, record.process, record.name)
        lines = []
        second, text = 0, ''
        for entry in record.entries:
            now = int(entry[0])
            if now != second:
                second, text = now, time.strftime(self.default_time_format, time.localtime(now))
            milliseconds = int((entry[0] - now) * 1000)
            lines.append('%s,%03d %s %s' % (text, milliseconds, middle, LINE % entry[1:]))
        return lines


class Json(LogFormat):
    """An object on each line, in ASCII; times are in UTC as RFC 3339 has them."""

    def _format_other(self, record: logging.LogRecord) -> str:
        said = {**_common(record, record.created), 'message': record.getMessage()}
        if getattr(record, 'request_id', ''):
            said['request_id'] = record.request_id  # type: ignore[attr-defined]
        if record.exc_info:
            said['exception'] = self.formatException(record.exc_info)
        return json.dumps(said)

    def _format_requests(self, record: Accesses) -> list[str]:
        return [
            json.dumps({**_common(record, entry[0]), **_request(Access._make(entry))})
            for entry in record.entries
        ]


def _common(record: logging.LogRecord, when: float) -> dict[str, Any]:
    moment = datetime.fromtimestamp(when, timezone.utc)
    return {
        'time': moment.isoformat(timespec='milliseconds').replace('+00:00', 'Z'),
        'level': record.levelname,
        'logger': record.name,
        'process': record.process,
    }


def _request(entry: Access) -> dict[str, Any]:
    return {
        'message': '%s %s' % (entry.method, entry.target),
        'peer': entry.peer,
        'user': _or_none(entry.user),
        'method': _or_none(entry.method),
        'target': _or_none(entry.target),
        'status': int(entry.status) if entry.status.isdigit() else None,
        'bytes': entry.length,
        'seconds': round(entry.seconds, 6),
        'request_id': entry.request_id,
    }


def _or_none(said: str) -> str | None:
    return None if said == '-' else said
