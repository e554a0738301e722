"""The command ``filetracker-server``: flags in, processes out; nothing else knows flags."""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
from collections.abc import Callable, Iterator, Sequence

from filetracker.errors import FiletrackerError
from filetracker.servers import daemon, processes
from filetracker.servers.logs import configure_logging, try_logging
from filetracker.servers.settings import DEFAULT_PORT, Settings, parse_settings
from filetracker.servers.succession import Succession
from filetracker.servers.supervisor import is_given_socket

__all__ = ['DEFAULT_PORT', 'db_init', 'main', 'serve']

_INSTALL = 'install filetracker[server]'


def main(args: Sequence[str] | None = None) -> int:
    """Runs the server: in the background, and returns when it serves; or with ``-D`` right here.

    Exits with status 1 and one line on standard error if that fails, with 2 if the arguments are
    wrong. Behind ``access`` it is :mod:`filetracker.scripts.access`. Behind ``test`` it says
    whether the server could start, and starts nothing.
    """
    arguments = sys.argv[1:] if args is None else list(args)
    if arguments[:1] == ['access']:
        try:
            from filetracker.scripts import access
        except ImportError as error:
            print('filetracker-server: %s; %s' % (error, _INSTALL), file=sys.stderr)
            sys.exit(1)
        return access.main(arguments[1:])
    if is_given_socket():
        # Whoever gave it waits for this process.
        arguments.append('--no-daemon')
    is_test = arguments[:1] == ['test']
    _check_directory()
    settings = parse_settings(arguments[is_test:])
    try:
        if is_test:
            _test(settings)
        elif settings.daemon:
            daemon.start(settings, arguments)
        else:
            # Who calls it from Python may be in the middle of something else.
            serve(settings, succession=_succession() if args is None else None)
    except FiletrackerError as error:
        print('filetracker-server: %s' % error, file=sys.stderr)
        sys.exit(1)
    return 0


def serve(
    settings: Settings,
    on_ready: Callable[[], None] = lambda: None,
    succession: Succession | None = None,
) -> None:
    """Serves in the foreground until it is told to stop; calls ``on_ready`` when it serves.

    Raises :class:`~filetracker.errors.FiletrackerError` if it cannot.
    """
    configure_logging(settings)
    with contextlib.ExitStack() as stack:

        def announce() -> None:
            if settings.pid_file:
                stack.enter_context(_pid_file(settings.pid_file))
            on_ready()

        processes.serve(settings, announce, succession)


def db_init(db_dir: str) -> None:
    """Makes the store to which the directory ``db_dir`` belongs, or repairs it after a crash.

    The store is the directory above. Kept for callers from before the server did so by itself.
    """
    from filetracker.servers.storage import open_storage

    open_storage(os.path.dirname(os.path.abspath(db_dir))).close()


def _test(settings: Settings) -> None:
    try:
        importlib.import_module('filetracker.servers.owner')
        from filetracker.servers.protection import Protection
    except ImportError as error:
        raise FiletrackerError('%s; %s' % (error, _INSTALL)) from None
    Protection(settings)
    for path in filter(None, (settings.pid_file, *try_logging(settings))):
        if not _may_be_written(path, settings.dir):
            raise FiletrackerError('cannot write %s' % path)
    print('filetracker-server: it could start')


def _check_directory() -> None:
    try:
        os.getcwd()
    except OSError as error:
        print('filetracker-server: the working directory: %s' % error.strerror, file=sys.stderr)
        sys.exit(1)


def _may_be_written(path: str, store: str) -> bool:
    if os.path.exists(path):
        return not os.path.isdir(path) and os.access(path, os.W_OK)
    folder = os.path.dirname(os.path.abspath(path))
    # That of the store is made if need be.
    return folder == store or os.access(folder, os.W_OK)


def _succession() -> Succession:
    flags = sys.argv[1:]
    program = [sys.executable, *sys.orig_argv[1 : len(sys.orig_argv) - len(flags)]]
    return Succession([*program, *flags], [*program, 'test', *flags], os.getcwd())


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
