"""The processes of the server: a parent that holds the port, and an owner of the store.

The parent imports neither gevent nor Berkeley DB and does next to nothing, so that nothing can
happen to it. When the owner dies, connections wait in the backlog of the socket until the next
one serves.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from ipaddress import ip_address
from types import FrameType
from typing import NoReturn

from filetracker.errors import FiletrackerError
from filetracker.servers.logs import logging_aside
from filetracker.servers.settings import Settings

logger = logging.getLogger(__name__)

#: What an owner says when it serves; anything else is why it cannot.
READY = 'ready'

#: What a parent says when the owner is to stop.
STOP = b'stop'

_BACKLOG = 1024
_MAX_PAUSE = 5.0
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def serve(settings: Settings, on_ready: Callable[[], None] = lambda: None) -> None:
    """Serves until SIGTERM or SIGINT, of which a second one ends requests in flight at once.

    SIGHUP makes it read again the files that the settings name.

    Calls ``on_ready`` when it serves for the first time. To be called on the main thread. Raises
    :class:`~filetracker.errors.FiletrackerError` if it cannot listen or the store cannot be
    opened.
    """
    with _listening(settings) as listener:
        _Parent(settings, listener).run(on_ready)


def say(pipe: int, what: str) -> None:
    """Writes to a pipe, if there is still somebody who reads, and closes it."""
    with contextlib.suppress(BrokenPipeError):
        os.write(pipe, what.encode('utf-8', 'backslashreplace'))
    os.close(pipe)


class _Parent:
    def __init__(self, settings: Settings, listener: socket.socket) -> None:
        self._settings = settings
        self._listener = listener
        self._stopping = False
        self._owner = 0
        # The owner reads the other end of it: a byte says that it is to stop, the end that we died.
        self._lifeline = -1

    def run(self, on_ready: Callable[[], None]) -> None:
        address = _url(self._listener, 'https' if self._settings.tls_cert else 'http')
        host = self._listener.getsockname()[0]
        with _handling(self._on_signal):
            try:
                said = self._start()
                if said == READY:
                    logger.info('filetracker-server: serving %s on %s', self._settings.dir, address)
                    self._warn(host)
                    on_ready()
                    self._keep_alive()
                elif not self._stopping:
                    raise FiletrackerError(said or 'the store could not be opened; see the log')
            finally:
                self._cut_lifeline()
                self._wait()

    def _warn(self, host: str) -> None:
        if not self._settings.access and not ip_address(host.partition('%')[0]).is_loopback:
            logger.warning(
                'there is no access control (--access): who reaches %s can read, replace and '
                'delete every file',
                host,
            )

    def _keep_alive(self) -> None:
        failures = 0
        while True:
            status = self._wait()
            if self._stopping:
                logger.info('stopped')
                return
            logger.error('the process that owned the store %s; starting another', status)
            self._pause(failures)
            said = self._start()
            failures = 0 if said == READY else failures + 1
            if failures and not self._stopping:
                logger.error('cannot serve: %s', said or 'no reason was given')

    def _start(self) -> str:
        """Starts an owner, unless we are to stop; returns what it says, when it says it."""
        _flush_output()
        # A signal in between would find no owner to be passed on to.
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        try:
            if self._stopping:
                return ''
            ready = self._fork()
        except OSError as error:
            return 'cannot start a process: %s' % error
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
        with open(ready, encoding='utf-8') as pipe:
            return pipe.read()

    def _fork(self) -> int:
        """Starts an owner; returns a pipe from which to read what it says."""
        with contextlib.ExitStack() as on_error:
            ready, say_ready = os.pipe()
            on_error.callback(os.close, ready)
            on_error.callback(os.close, say_ready)
            lifeline, self._lifeline = os.pipe()
            on_error.callback(os.close, lifeline)
            on_error.callback(self._cut_lifeline)
            self._owner = os.fork()
            on_error.pop_all()
        if not self._owner:
            for number in _SIGNALS:
                signal.signal(number, signal.SIG_DFL)
            # Until it can read anything again, which it just did.
            signal.signal(signal.SIGHUP, signal.SIG_IGN)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
            os.close(self._lifeline)
            os.close(ready)
            _own(self._settings, self._listener, say_ready, lifeline)
        os.close(say_ready)
        os.close(lifeline)
        return ready

    def _wait(self) -> str:
        """Waits for the end of the owner; returns how it ended."""
        if not self._owner:
            return 'was not started'
        _, status = os.waitpid(self._owner, 0)
        self._owner = 0
        self._cut_lifeline()
        code = os.waitstatus_to_exitcode(status)
        return 'was killed by signal %d' % -code if code < 0 else 'ended with status %d' % code

    def _pause(self, failures: int) -> None:
        until = time.monotonic() + min(_MAX_PAUSE, 0.1 * 2**failures if failures else 0)
        while not self._stopping and time.monotonic() < until:
            time.sleep(0.05)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if number == signal.SIGHUP:
            if self._owner:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(self._owner, number)
            return
        if self._stopping and self._owner:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._owner, signal.SIGKILL)
        self._stopping = True
        # From now on connections are refused, rather than left to wait for nobody.
        self._listener.close()
        if self._lifeline >= 0:
            with contextlib.suppress(OSError):
                os.write(self._lifeline, STOP)
        self._cut_lifeline()

    def _cut_lifeline(self) -> None:
        if self._lifeline >= 0:
            os.close(self._lifeline)
            self._lifeline = -1


def _own(settings: Settings, listener: socket.socket, say_ready: int, lifeline: int) -> NoReturn:
    """Becomes the owner, and never returns."""
    status = 1
    try:
        with logging_aside():
            status = _owned(settings, listener, say_ready, lifeline)
    finally:
        # Threads of the pool may be in the middle of something, and need not be waited for.
        os._exit(status)


def _owned(settings: Settings, listener: socket.socket, say_ready: int, lifeline: int) -> int:
    try:
        from filetracker.servers import owner
    except ImportError as error:
        say(say_ready, '%s; install filetracker[server]' % error)
        return 1
    try:
        return owner.run(settings, listener, say_ready, lifeline)
    except BaseException:
        logger.exception('the process that owns the store failed')
        return 1


def _flush_output() -> None:
    """Else a process that is forked would say again what was said before."""
    for stream in (sys.stdout, sys.stderr):
        # There may be none, or no room for it.
        with contextlib.suppress(AttributeError, OSError, ValueError):
            stream.flush()


@contextlib.contextmanager
def _handling(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    before = {number: signal.signal(number, handler) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)


def _listening(settings: Settings) -> socket.socket:
    address = settings.listen_on, settings.port
    try:
        family, kind, protocol, _, resolved = socket.getaddrinfo(
            *address, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(resolved)
            listener.listen(_BACKLOG)
        except BaseException:
            listener.close()
            raise
        return listener
    except OSError as error:
        reason = error.strerror or error
        raise FiletrackerError('cannot listen on %s:%d: %s' % (*address, reason)) from None


def _url(listener: socket.socket, scheme: str) -> str:
    host, port = listener.getsockname()[:2]
    return '%s://%s:%d' % (scheme, '[%s]' % host if ':' in host else host, port)
