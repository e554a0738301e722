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
from collections.abc import Callable
from ipaddress import ip_address
from typing import NoReturn

from filetracker.errors import FiletrackerError
from filetracker.servers.listening import listen, url_of
from filetracker.servers.logs import logging_aside, reopen_logs
from filetracker.servers.settings import Settings
from filetracker.servers.signals import SIGNALS, Signals
from filetracker.servers.succession import Succession
from filetracker.servers.supervisor import Taken, take_socket, tell

logger = logging.getLogger(__name__)

#: What an owner says when it serves; anything else is why it cannot.
READY = 'ready'

#: What a parent says when the owner is to stop.
STOP = b'stop'

_MAX_PAUSE = 5.0


def serve(
    settings: Settings,
    on_ready: Callable[[], None] = lambda: None,
    succession: Succession | None = None,
) -> None:
    """Serves until SIGTERM or SIGINT, of which a second one ends requests in flight at once.

    SIGHUP makes it read again the files that the settings name, SIGUSR1 open those of the log
    anew, and SIGUSR2 become what is installed now, by ``succession``.

    It listens on the socket that it was given (:mod:`filetracker.servers.supervisor`), or else as
    the settings say. Calls ``on_ready`` when it serves for the first time. To be called on the main
    thread. Raises :class:`~filetracker.errors.FiletrackerError` if it cannot listen or the store
    cannot be opened.
    """
    taken = take_socket() or Taken(listen(settings.listen_on, settings.port), False)
    with taken.socket:
        _Parent(settings, taken, on_ready, succession).run()


def say(pipe: int, what: str) -> None:
    """Writes to a pipe, if there is still somebody who reads, and closes it."""
    with contextlib.suppress(BrokenPipeError):
        os.write(pipe, what.encode('utf-8', 'backslashreplace'))
    os.close(pipe)


class _Parent:
    def __init__(
        self,
        settings: Settings,
        taken: Taken,
        on_ready: Callable[[], None],
        succession: Succession | None,
    ) -> None:
        self._settings = settings
        self._listener = taken.socket
        # Nobody waits to be told that it failed, but maybe clients in the backlog.
        self._must_serve = taken.is_from_predecessor
        self._on_ready: Callable[[], None] | None = on_ready
        self._succession = succession
        self._succeeding = False
        self._stopping = False
        self._owner = 0
        # The owner reads the other end of it: a byte says that it is to stop, the end that we died.
        self._lifeline = -1

    def run(self) -> None:
        # Where a signal has closed it, nobody can tell any more.
        self._address = url_of(self._listener, 'https' if self._settings.tls_cert else 'http')
        self._host = self._listener.getsockname()[0]
        with Signals(self._stop) as self._signals:
            try:
                said = self._start()
                if said == READY:
                    self._announce()
                elif not self._stopping and not self._must_serve:
                    raise FiletrackerError(said or 'the store could not be opened; see the log')
                self._keep_alive(said)
            finally:
                self._cut_lifeline()
                self._wait()

    def _announce(self) -> None:
        tell('READY=1')
        if self._on_ready:
            logger.info('filetracker-server: serving %s on %s', self._settings.dir, self._address)
            self._warn()
            self._on_ready()
            self._on_ready = None

    def _warn(self) -> None:
        address = ip_address(self._host.partition('%')[0])
        if not self._settings.access and not address.is_loopback:
            logger.warning(
                'there is no access control (--access): who reaches %s can read, replace and '
                'delete every file',
                self._host,
            )

    def _keep_alive(self, said: str) -> None:
        """Has an owner at all times, until we are to stop; the first one has ``said`` so."""
        failures = 0
        while True:
            if said != READY and not self._stopping:
                failures += 1
                logger.error('cannot serve: %s', said or 'no reason was given')
            status = self._wait()
            if not self._stopping and not self._succeeding:
                logger.error('the process that owned the store %s; starting another', status)
                self._pause(failures)
                # An owner is made of what it imports now, and must not be made of two versions.
                if self._succession and self._succession.is_due():
                    self._begin_succession()
            if self._succeeding:
                self._succeed()
            if self._stopping:
                logger.info('stopped')
                return
            said = self._start()
            if said == READY:
                failures = 0
                self._announce()

    def _start(self) -> str:
        """Starts an owner, unless we are to stop; returns what it says, when it says it."""
        _flush_output()
        # A signal in between would find no owner to be passed on to.
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        try:
            if self._stopping:
                return ''
            ready = self._fork()
        except OSError as error:
            return 'cannot start a process: %s' % error
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
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
            self._signals.leave()
            os.close(self._lifeline)
            os.close(ready)
            _own(self._settings, self._listener, say_ready, lifeline)
        os.close(say_ready)
        os.close(lifeline)
        return ready

    def _wait(self) -> str:
        """Waits for the end of the owner, doing what signals ask for; returns how it ended."""
        if not self._owner:
            return 'was not started'
        while True:
            ended, status = os.waitpid(self._owner, os.WNOHANG)
            if ended:
                break
            self._attend()
            self._signals.wait()
        self._owner = 0
        self._cut_lifeline()
        code = os.waitstatus_to_exitcode(status)
        return 'was killed by signal %d' % -code if code < 0 else 'ended with status %d' % code

    def _pause(self, failures: int) -> None:
        until = time.monotonic() + min(_MAX_PAUSE, 0.1 * 2**failures if failures else 0)
        while not self._stopping and not self._succeeding and time.monotonic() < until:
            self._attend()
            time.sleep(0.05)

    def _attend(self) -> None:
        """Does what signals ask for."""
        for number in self._signals.asked():
            if number == signal.SIGUSR2:
                self._begin_succession()
                continue
            if number == signal.SIGUSR1:
                reopen_logs(self._settings)
            if self._owner:
                os.kill(self._owner, number)

    def _begin_succession(self) -> None:
        if self._stopping or self._succeeding:
            return
        try:
            if self._succession is None:
                raise FiletrackerError('it was not started by its command')
            self._succession.check()
        except FiletrackerError as error:
            logger.error('what is installed now cannot take over: %s', error)
            return
        if not self._stopping:
            logger.info('what is installed now takes over when the requests in flight are answered')
            tell('RELOADING=1\nMONOTONIC_USEC=%d' % (time.monotonic_ns() // 1000))
            self._succeeding = True
            self._ask_owner_to_stop()

    def _succeed(self) -> None:
        """Becomes what is installed now; returns if that fails, or if we are to stop."""
        self._succeeding = False
        # They wait for the successor.
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        try:
            if self._succession and not self._stopping:
                self._succession.succeed(self._listener)
        except OSError as error:
            logger.error('what is installed now cannot take over: %s', error)
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)

    def _stop(self) -> None:
        """Called by a signal, at any moment."""
        if self._stopping and self._owner:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._owner, signal.SIGKILL)
        self._stopping = True
        # From now on connections are refused, rather than left to wait for nobody.
        self._listener.close()
        tell('STOPPING=1')
        self._ask_owner_to_stop()

    def _ask_owner_to_stop(self) -> None:
        if self._lifeline >= 0:
            with contextlib.suppress(OSError):
                os.write(self._lifeline, STOP)
        self._cut_lifeline()

    def _cut_lifeline(self) -> None:
        lifeline, self._lifeline = self._lifeline, -1
        # A signal may come in between, and be the first to do so.
        with contextlib.suppress(OSError):
            os.close(lifeline)


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
