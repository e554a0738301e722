"""The process that owns the store: it alone opens it, and serves it until it is told to stop."""

from __future__ import annotations

import contextlib
import logging
import os
import resource
import signal
import socket
import threading
from collections.abc import Callable
from typing import Any, TypeVar

import gevent
from gevent.event import Event
from gevent.socket import wait_read
from gevent.threadpool import ThreadPool

from filetracker.errors import FiletrackerError, StoreUnusable
from filetracker.servers.files import FiletrackerServer
from filetracker.servers.http import HttpServer, Patience
from filetracker.servers.processes import READY, say
from filetracker.servers.settings import Settings
from filetracker.servers.storage import open_storage

logger = logging.getLogger(__name__)

_LAST_WORDS = 0.5
_CLOSING = 10.0
# Where the parent has died, another one may wait for the store.
_ORPHANED = 1.0
_GAVE_UP = 3
# What the process has open by itself, and what one call of the store has at most, with room.
_OWN_DESCRIPTORS = 64
_WORKER_DESCRIPTORS = 2

T = TypeVar('T')


def run(settings: Settings, listener: socket.socket, say_ready: int, lifeline: int) -> int:
    """Serves on ``listener`` until SIGTERM or the end of ``lifeline``; returns an exit status.

    Says on ``say_ready`` that it serves, or why not, and closes it.
    """
    # Ctrl-C reaches the parent too, which says what is to be done.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gevent.reinit()
    descriptors = _allow_many_files()
    try:
        storage = open_storage(settings.dir)
    except FiletrackerError as error:
        say(say_ready, str(error))
        return 1
    run_on_pool = _Pool(settings.workers)
    application = FiletrackerServer(storage=storage, run=run_on_pool, max_size=settings.max_size)
    patience = Patience(settings.idle_timeout, settings.keep_alive_timeout)
    # A connection takes one descriptor, the file that goes over it another.
    spare = descriptors - _OWN_DESCRIPTORS - _WORKER_DESCRIPTORS * settings.workers
    server = HttpServer(listener, application, patience, max(1, spare // 2))
    stop = Event()
    gevent.signal_handler(signal.SIGTERM, stop.set)
    gevent.spawn(_watch, lifeline, stop)
    server.start()
    say(say_ready, READY)
    stop.wait()
    stop_timeout = settings.stop_timeout if _is_told(lifeline) else _ORPHANED
    # Should a disk hang now, nobody would come to the end of it.
    limit = threading.Timer(stop_timeout + _CLOSING, os._exit, (1,))
    limit.daemon = True
    limit.start()
    if not server.stop(stop_timeout):
        logger.warning('cut off the requests that did not finish in time')
    if not server.is_busy:
        run_on_pool(storage.close)
    return 0


class _Pool:
    """Calls functions on real threads, while other greenlets go on."""

    def __init__(self, size: int) -> None:
        self._threads = ThreadPool(size)
        self._gave_up = False

    def __call__(self, function: Callable[..., T], *arguments: Any) -> T:
        result, error = self._threads.apply(_outcome, (function, arguments))
        if error is None:
            return result
        if isinstance(error, StoreUnusable):
            self._give_up()
        raise error

    def _give_up(self) -> None:
        """Ends this process soon: only one that opens the store anew can use it again."""
        if not self._gave_up:
            self._gave_up = True
            logger.critical('the store cannot be used any more by this process')
            gevent.spawn_later(_LAST_WORDS, os._exit, _GAVE_UP)


def _outcome(function: Callable[..., Any], arguments: tuple[Any, ...]) -> tuple[Any, Any]:
    # An error that gets through to the pool is printed by it.
    try:
        return function(*arguments), None
    except Exception as error:
        return None, error


def _is_told(lifeline: int) -> bool:
    """Whether somebody wants the process to stop; ``False`` where the parent died."""
    os.set_blocking(lifeline, False)
    try:
        return os.read(lifeline, 1) != b''
    except BlockingIOError:
        # The signal was for this process alone.
        return True


def _watch(lifeline: int, stop: Event) -> None:
    """Waits for the parent to close its end, or to die."""
    wait_read(lifeline)
    stop.set()


def _allow_many_files() -> int:
    """Takes all file descriptors that may be had, and returns how many there are."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]
