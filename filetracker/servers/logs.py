"""Where the log of the server goes, that nobody waits for whoever reads it, and its rotation."""

from __future__ import annotations

import contextlib
import json
import logging.config
import logging.handlers
import os
import queue
import select
import threading
from collections.abc import Iterator
from typing import Any

from filetracker.errors import FiletrackerError
from filetracker.servers.access_log import Accesses
from filetracker.servers.log_formats import Json, Lines, LogFormat
from filetracker.servers.request_ids import current
from filetracker.servers.settings import DAEMON_LOG, Settings

# In lines.
_MOST_WAITING = 10_000
_LAST_LINES = 2.0
_OUTPUTS = 1, 2


def configure_logging(settings: Settings) -> None:
    """Sets up logging for this process, where what cannot be written at once is dropped.

    Raises :class:`~filetracker.errors.FiletrackerError`.
    """
    _configure(log_configuration(settings))
    for logger in _loggers():
        for handler in logger.handlers:
            handler.addFilter(_IfTaken(handler))
            _bear(handler)


def try_logging(settings: Settings) -> list[str]:
    """Sets up logging without a line; returns the files that would be written.

    Raises :class:`~filetracker.errors.FiletrackerError`.
    """
    configuration = log_configuration(settings)
    named = configuration.get('handlers')
    files = []
    for handler in named.values() if isinstance(named, dict) else ():
        kind = str(handler.get('class')) if isinstance(handler, dict) else ''
        if kind.startswith('logging.') and kind.endswith('FileHandler'):
            # Not opened: there may be one that empties it.
            handler['delay'] = True
            files += [handler['filename']] if isinstance(handler.get('filename'), str) else []
    _configure(configuration)
    return files


def _configure(configuration: dict[str, Any]) -> None:
    try:
        logging.config.dictConfig(configuration)
    except (OSError, ValueError, TypeError, AttributeError, ImportError) as error:
        # dictConfig wraps the reason in an error of its own.
        cause = error.__cause__ or error
        raise FiletrackerError('cannot set up the log: %s' % cause) from error


def reopen_logs(settings: Settings) -> None:
    """Has each file of the log opened anew, for what is logged from now on.

    Returns before that, where the log is written by a thread; not to be called by the handler of a
    signal, which may come in the middle of a line.
    """
    for logger in _loggers():
        for handler in logger.handlers:
            if isinstance(handler, _Aside):
                handler.reopen()
            else:
                _reopen(handler)
    if settings.daemon:
        path = os.path.join(settings.dir, DAEMON_LOG)
        with contextlib.suppress(OSError), open(path, 'ab') as output:
            for descriptor in _OUTPUTS:
                os.dup2(output.fileno(), descriptor)


@contextlib.contextmanager
def logging_aside() -> Iterator[None]:
    """Has the log written by a thread, while the context lasts.

    A full disk, or a pipe that nobody reads, then holds up only that thread. What is too much for
    its queue is dropped, and counted in the log later. At the end of the context all is written
    that can be.
    """
    with contextlib.ExitStack() as stack:
        for logger in _loggers():
            if logger.handlers:
                aside = _Aside(logger.handlers)
                logger.handlers = [aside]
                stack.callback(aside.finish)
        yield


class _IfTaken(logging.Filter):
    """Lets pass what a handler can write without waiting."""

    def __init__(self, handler: logging.Handler) -> None:
        super().__init__()
        self._handler = handler

    def filter(self, record: logging.LogRecord) -> bool:
        try:
            descriptor = self._handler.stream.fileno()  # type: ignore[attr-defined]
        except (AttributeError, OSError, ValueError):
            # It does not write to a file.
            return True
        poll = select.poll()
        poll.register(descriptor, select.POLLOUT)
        return bool(poll.poll(0))


class _Reopening:
    """Stands in the queue of the log where its files are to be opened anew."""


class _Aside(logging.handlers.QueueHandler):
    """Hands what is logged to a thread, which hands it to ``handlers``."""

    def __init__(self, handlers: list[logging.Handler]) -> None:
        self._waiting: queue.SimpleQueue[logging.LogRecord | _Reopening | None]
        self._waiting = queue.SimpleQueue()
        super().__init__(self._waiting)
        self._handlers = handlers
        for handler in handlers:
            handler.filters = [one for one in handler.filters if not isinstance(one, _IfTaken)]
        # In lines; the first is counted by those who log, the second by the thread alone.
        self._put = 0
        self._taken = 0
        self._dropped = 0
        self._thread = threading.Thread(target=self._run, name='filetracker-log', daemon=True)
        self._thread.start()

    def prepare(self, record: logging.LogRecord) -> logging.LogRecord:
        if not isinstance(record, Accesses):
            # What it speaks of may change before it is written; a traceback does not.
            record.msg, record.args = record.getMessage(), None
            record.request_id = current.get().request_id
        return record

    def enqueue(self, record: logging.LogRecord) -> None:
        # Else what is lost would be told of with each line that fits in.
        if self._dropped and self._put - self._taken < _MOST_WAITING // 2:
            lost, self._dropped = self._dropped, 0
            self._enqueue(_record_of_loss(lost))
        self._enqueue(record)

    def _enqueue(self, record: logging.LogRecord) -> None:
        count = _lines_of(record)
        if self._put - self._taken + count > _MOST_WAITING:
            self._dropped += count
        else:
            self._put += count
            self._waiting.put(record)

    def reopen(self) -> None:
        """Has files opened anew behind what was logged up to now."""
        self._waiting.put(_Reopening())

    def finish(self) -> None:
        """Waits until all is written, but not for long where it cannot be."""
        self._waiting.put(None)
        self._thread.join(_LAST_LINES)

    def _run(self) -> None:
        while (record := self._waiting.get()) is not None:
            if isinstance(record, _Reopening):
                for handler in self._handlers:
                    _reopen(handler)
                continue
            for handler in self._handlers:
                if record.levelno >= handler.level:
                    self._hand(record, handler)
            self._taken += _lines_of(record)
        for handler in self._handlers:
            handler.flush()

    def _hand(self, record: logging.LogRecord, handler: logging.Handler) -> None:
        if not isinstance(record, Accesses) or isinstance(handler.formatter, LogFormat):
            handler.handle(record)
            return
        for line in record:
            handler.handle(line)


def _bear(handler: logging.Handler) -> None:
    """Sees to it that a file that cannot be opened now costs its lines, and nothing else."""
    emit = handler.emit

    def emit_if_possible(record: logging.LogRecord) -> None:
        with contextlib.suppress(OSError):
            emit(record)

    handler.emit = emit_if_possible  # type: ignore[method-assign]


def _reopen(handler: logging.Handler) -> None:
    with contextlib.suppress(OSError), handler.lock or contextlib.nullcontext():
        if isinstance(handler, logging.handlers.WatchedFileHandler):
            handler.reopenIfNeeded()
        elif isinstance(handler, logging.FileHandler) and handler.mode != 'w':
            # The next line opens it again; with 'w' it would not.
            handler.close()


def _lines_of(record: logging.LogRecord) -> int:
    return len(record.entries) if isinstance(record, Accesses) else 1


def _record_of_loss(count: int) -> logging.LogRecord:
    return logging.LogRecord(
        __name__,
        logging.WARNING,
        __file__,
        0,
        '%d lines of the log were dropped, as they were not taken in time',
        (count,),
        None,
    )


def _loggers() -> list[logging.Logger]:
    named = logging.root.manager.loggerDict.values()
    return [logging.root, *(one for one in named if isinstance(one, logging.Logger))]


def log_configuration(settings: Settings) -> dict[str, Any]:
    """Returns what the settings say of the log, for ``logging.config.dictConfig``.

    Raises :class:`~filetracker.errors.FiletrackerError` where a file of that cannot be read.
    """
    if settings.log_config:
        try:
            with open(settings.log_config, encoding='utf-8') as file:
                configuration = json.load(file)
        except (OSError, ValueError) as error:
            raise FiletrackerError('cannot set up the log: %s' % error) from error
        if not isinstance(configuration, dict):
            raise FiletrackerError(
                'cannot set up the log: %s holds no JSON object' % settings.log_config
            )
        # Else the loggers of the modules that are imported already would be silenced.
        return {'disable_existing_loggers': False, **configuration}
    if settings.log:
        # Its file may be moved away, and another one is begun then.
        target = {'class': 'logging.handlers.WatchedFileHandler', 'filename': settings.log}
    else:
        target = {'class': 'logging.StreamHandler', 'stream': 'ext://sys.stdout'}
    return {
        'version': 1,
        'disable_existing_loggers': False,
        'formatters': {
            'line': {'()': Lines},
            'json': {'()': Json},
        },
        'handlers': {'log': {**target, 'formatter': settings.log_format}},
        'root': {'level': settings.log_level, 'handlers': ['log']},
    }
