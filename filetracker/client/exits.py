"""How a command ends: its exit status, and what it says when it failed."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator

logger = logging.getLogger(__name__)

DONE = 0
FAILED = 1
MISUSED = 2
INTERRUPTED = 130


def exit_status(program: str, command: Callable[[], int]) -> int:
    """Runs a command that returns its exit status, and returns that or what an error stands for.

    An error is one line on the standard error, that begins with ``program``. An interrupt is
    :data:`INTERRUPTED`, without a word; so is, but :data:`FAILED`, that nobody reads the output
    any more. Whoever is asked to end does so as after an error: what is half done goes.
    """
    try:
        with _ending_tidily():
            status = command()
        sys.stdout.flush()
        return status
    except KeyboardInterrupt:
        _give_up_output()
        return INTERRUPTED
    except BrokenPipeError:
        _give_up_output()
        return FAILED
    except Exception as error:
        _give_up_output()
        logger.debug('failed', exc_info=True)
        complain(program, error)
        return FAILED


@contextlib.contextmanager
def _ending_tidily() -> Iterator[None]:
    """Lets what runs inside clean up after itself when the process is asked to end."""

    def end(number: int, frame: object) -> None:
        sys.exit(128 + number)

    before = {}
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGTERM, signal.SIGHUP):
            # Who was told to ignore it (nohup) goes on doing so.
            if signal.getsignal(number) == signal.SIG_DFL:
                before[number] = signal.signal(number, end)
    try:
        yield
    finally:
        for number, action in before.items():
            signal.signal(number, action)


def complain(program: str, error: object) -> None:
    """Says what went wrong, in one line on the standard error."""
    text = ' '.join(str(error).split()) or type(error).__name__
    print('%s: %s' % (program, text), file=sys.stderr)


def _give_up_output() -> None:
    """Drops what cannot be written: at its exit the interpreter would try, and complain."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
