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
from functools import partial

import gevent
from gevent.event import Event
from gevent.socket import wait_read
from gevent.threadpool import ThreadPool

from filetracker.errors import FiletrackerError
from filetracker.gz import MOST
from filetracker.servers.figures import Figures
from filetracker.servers.files import FiletrackerServer
from filetracker.servers.http import HttpServer, Patience
from filetracker.servers.logs import reopen_logs
from filetracker.servers.migration import MigrationFiletrackerServer
from filetracker.servers.page.history import PERIOD, History
from filetracker.servers.pool import Pool
from filetracker.servers.processes import READY, say
from filetracker.servers.protection import Protection
from filetracker.servers.settings import Settings
from filetracker.servers.storage import Storage, open_storage, takes_changes
from filetracker.servers.storage.control import Control

logger = logging.getLogger(__name__)

# How many wait for the fallback at once.
_ASKING = 8
# How many make pages and metrics at once: with more of them who serves has to wait for its turn.
_COMPUTING = 1
_CLOSING = 10.0
# Where the parent has died, another one may wait for the store.
_ORPHANED = 1.0
# How often a disk that failed is tried, and how long requests may take when it works again.
_TRY_AGAIN = 1.0
_LAST_REQUESTS = 3.0
# What the process has open by itself, and what one call of the store has at most, with room.
_OWN_DESCRIPTORS = 64
_WORKER_DESCRIPTORS = 2
_FEW_CONNECTIONS = 100
# The most files that are kept open for the next who wants them.
_MOST_SHELVED = 4096

# The memory of larger objects goes back to the system at once, and comes from there as empty pages,
# which takes longer than to use it: in bytes. More than a piece of a file takes; glibc learns it.
_KEPT = 4 * MOST


def run(settings: Settings, listener: socket.socket, say_ready: int, lifeline: int) -> int:
    """Serves on ``listener`` until SIGTERM or the end of ``lifeline``; returns an exit status.

    Says on ``say_ready`` that it serves, or why not, and closes it.
    """
    # Ctrl-C reaches the parent too, which says what is to be done.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gevent.reinit()
    bytes(_KEPT)
    try:
        most_connections, most_shelved = _share(_allow_many_files(), settings.workers)
        protection = Protection(settings)
        storage = open_storage(settings.dir, settings.compression)
    except FiletrackerError as error:
        say(say_ready, str(error))
        return 1
    stop = Event()
    storage.shelf.most = most_shelved
    run_on_pool = Pool(settings.workers)
    disk = _Disk(settings.dir, stop)
    run_on_pool.when_not_writable = disk.wait
    figures = Figures()
    files = _application(settings, storage, run_on_pool, figures)
    application = protection.around(files, storage, run_on_pool)
    patience = Patience(settings.idle_timeout, settings.keep_alive_timeout)
    encrypt = protection.encrypt
    server = HttpServer(listener, application, patience, most_connections, encrypt, figures)
    gevent.signal_handler(signal.SIGTERM, stop.set)
    gevent.spawn(_watch, lifeline, stop)
    gevent.spawn(_remember, files.pages.history)
    protection.keep_fresh(run_on_pool)
    gevent.signal_handler(signal.SIGUSR1, reopen_logs, settings)
    storage.begin_census()
    control = _control(settings.dir)
    server.start()
    say(say_ready, READY)
    stop.wait()
    stop_timeout = settings.stop_timeout if _is_told(lifeline) else _ORPHANED
    if disk.works_again:
        stop_timeout = min(stop_timeout, _LAST_REQUESTS)
    # Should a disk hang now, nobody would come to the end of it.
    limit = threading.Timer(stop_timeout + _CLOSING, os._exit, (1,))
    limit.daemon = True
    limit.start()
    if not server.stop(stop_timeout):
        logger.warning('cut off the requests that did not finish in time')
    if control:
        run_on_pool(control.close)
    if not server.is_busy:
        run_on_pool(storage.close)
    return 0


def _application(
    settings: Settings, storage: Storage, run: Pool, figures: Figures
) -> FiletrackerServer:
    # More threads than processors would only take them, and the interpreter, from each other.
    verify = Pool(min(settings.workers, len(os.sched_getaffinity(0))))
    figures.queues['threads'] = lambda: run.waiting() + verify.waiting()
    make: Callable[..., FiletrackerServer] = FiletrackerServer
    if settings.fallback_url:
        # Who waits for another server must not keep others from the disk.
        make = partial(MigrationFiletrackerServer, settings.fallback_url, ask=Pool(_ASKING))
    return make(
        storage=storage,
        run=run,
        run_short=run.together,
        max_size=settings.max_size,
        figures=figures,
        compute=Pool(_COMPUTING),
        verify=verify,
    )


def _remember(history: History) -> None:
    """Takes samples of the figures, for ever."""
    while True:
        history.sample()
        gevent.sleep(PERIOD)


def _control(directory: str) -> Control | None:
    """Lets commands on this machine look at the store; without that, the rest goes on."""
    try:
        return Control(directory)
    except OSError as error:
        logger.warning('no check or backup is possible while this serves: %s', error)
        return None


class _Disk:
    """The disk of a store that can only be read, until it takes changes again."""

    def __init__(self, directory: str, stop: Event) -> None:
        self._directory = directory
        self._stop = stop
        self._waits = False
        #: Whether another process should open the store now.
        self.works_again = False

    def wait(self) -> None:
        """Lets this process stop as soon as the disk works; returns at once."""
        if not self._waits:
            self._waits = True
            gevent.spawn(self._wait)

    def _wait(self) -> None:
        trying = ThreadPool(1)
        while not trying.apply(takes_changes, (self._directory,)):
            gevent.sleep(_TRY_AGAIN)
        logger.warning('the disk takes changes again; the store is opened anew')
        self.works_again = True
        self._stop.set()


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


def _share(descriptors: int, workers: int) -> tuple[int, int]:
    """Returns how many connections there may be, and how many files on the shelf."""
    taken = _OWN_DESCRIPTORS + _WORKER_DESCRIPTORS * workers
    # A connection takes one descriptor, the file that goes over it another.
    shelved = min(_MOST_SHELVED, max(0, descriptors - taken) // 8)
    most = (descriptors - taken - shelved) // 2
    if most < 1:
        raise FiletrackerError(
            'only %d files may be open at a time (ulimit -n), and at least %d are needed'
            % (descriptors, taken + 2)
        )
    if most < _FEW_CONNECTIONS:
        logger.warning(
            'only %d files may be open at a time (ulimit -n), which is little', descriptors
        )
    return most, shelved


def _allow_many_files() -> int:
    """Takes all file descriptors that may be had, and returns how many there are."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]
