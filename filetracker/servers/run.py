"""The command ``filetracker-server``: flags in, processes out; nothing else knows flags."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator, Sequence

from filetracker.errors import FiletrackerError
from filetracker.servers import daemon, processes
from filetracker.servers.logs import configure_logging
from filetracker.servers.settings import DEFAULT_PORT, Settings, parse_settings

__all__ = ['DEFAULT_PORT', 'db_init', 'main', 'serve']


def main(args: Sequence[str] | None = None) -> int:
    """Runs the server: in the background, and returns when it serves; or with ``-D`` right here.

    Exits with status 1 and one line on standard error if that fails, with 2 if the arguments are
    wrong. Behind ``access`` it is :mod:`filetracker.scripts.access`.
    """
    arguments = sys.argv[1:] if args is None else list(args)
    if arguments[:1] == ['access']:
        from filetracker.scripts import access

        return access.main(arguments[1:])
    settings = parse_settings(arguments)
    try:
        if settings.daemonize:
            daemon.start(settings, arguments)
        else:
            serve(settings)
    except FiletrackerError as error:
        print('filetracker-server: %s' % error, file=sys.stderr)
        sys.exit(1)
    return 0


def serve(settings: Settings, on_ready: Callable[[], None] = lambda: None) -> None:
    """Serves in the foreground until it is told to stop; calls ``on_ready`` when it serves.

    Raises :class:`~filetracker.errors.FiletrackerError` if it cannot.
    """
    configure_logging(settings)
    with contextlib.ExitStack() as stack:

        def announce() -> None:
            if settings.pid_file:
                stack.enter_context(_pid_file(settings.pid_file))
            on_ready()

        processes.serve(settings, announce)


def db_init(db_dir: str) -> None:
    """Makes the store to which the directory ``db_dir`` belongs, or repairs it after a crash.

    The store is the directory above. Kept for callers from before the server did so by itself.
    """
    from filetracker.servers.storage import open_storage

    open_storage(os.path.dirname(os.path.abspath(db_dir))).close()


@contextlib.contextmanager
def _pid_file(path: str) -> Iterator[None]:
    try:
        with open(path, 'w') as file:
            file.write('%d\n' % os.getpid())
    except OSError as error:
        raise FiletrackerError('cannot write %s: %s' % (path, error.strerror or error)) from None
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            os.unlink(path)


if __name__ == '__main__':
    sys.exit(main())
