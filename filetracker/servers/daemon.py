"""The server in the background: started anew, so that nothing of the starter lives on in it."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Sequence

from filetracker.errors import FiletrackerError
from filetracker.servers.processes import READY, say
from filetracker.servers.settings import DAEMON_LOG, Settings
from filetracker.servers.succession import Succession
from filetracker.utils import mkdir

_MODULE = 'filetracker.servers.daemon'
_LONGEST_LINE = 1 << 12
# Stands for the pipe to a starter, where a daemon becomes another one and nobody waits for it.
_NOBODY = '-'


def start(settings: Settings, arguments: Sequence[str]) -> None:
    """Starts a server with these arguments of the command; returns when it serves.

    Raises :class:`~filetracker.errors.FiletrackerError` with what it says, if it does not.
    """
    try:
        mkdir(settings.dir)
        log = open(os.path.join(settings.dir, DAEMON_LOG), 'ab')
    except OSError as error:
        reason = error.strerror or error
        raise FiletrackerError('cannot use %s as a store: %s' % (settings.dir, reason)) from None
    ready, say_ready = os.pipe()
    with open(ready, 'rb', 0) as pipe, log:
        try:
            process = subprocess.Popen(
                [sys.executable, '-m', _MODULE, str(say_ready), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=(say_ready,),
                start_new_session=True,
                env={**os.environ, 'PYTHONPATH': os.pathsep.join(map(os.path.abspath, sys.path))},
            )
        finally:
            os.close(say_ready)
        # Other processes of the daemon may hold the other end for as long as they live.
        said = pipe.read(_LONGEST_LINE).decode()
    process.wait()
    if said != READY:
        raise FiletrackerError(said or 'the server ended before it served; see its log')


def main(arguments: Sequence[str]) -> int:
    """Serves as told, and says on a pipe whether it does; returns an exit status."""
    from filetracker.servers import run

    unsaid = []
    if arguments[0] != _NOBODY:
        if os.fork():
            # Whoever started us has nobody to wait for then.
            os._exit(0)
        unsaid.append(int(arguments[0]))
        os.set_inheritable(unsaid[0], False)
    flags = arguments[1:]
    # Whatever the file of settings may say by now.
    settings = run.parse_settings([*flags, '--daemon'])
    succession = Succession(
        [sys.executable, '-m', _MODULE, _NOBODY, *flags],
        [sys.executable, '-m', run.__name__, 'test', *flags],
        os.getcwd(),
    )
    os.chdir('/')

    def announce() -> None:
        for pipe in unsaid:
            say(pipe, READY)
        unsaid.clear()

    try:
        run.serve(settings, announce, succession)
    except FiletrackerError as error:
        for pipe in unsaid:
            say(pipe, str(error))
        # There may be no room in the log.
        with contextlib.suppress(OSError):
            print('filetracker-server: %s' % error, file=sys.stderr)
        return 1
    return 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
