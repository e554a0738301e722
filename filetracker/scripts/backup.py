"""The command ``filetracker-backup``: copies a store, also while a server uses it."""

from __future__ import annotations

import argparse
import sys

from filetracker.scripts.outcome import status_of
from filetracker.scripts.progress import bars, say


def main(args: list[str] | None = None) -> int:
    """Makes the copy, says what it holds, and returns the exit status."""
    options = _parser().parse_args(args)
    return status_of('filetracker-backup', lambda: _run(options))


def _run(options: argparse.Namespace) -> int:
    # They need filetracker[server]; the help does not.
    from filetracker.servers.storage.pace import hidden
    from filetracker.servers.storage.upkeep.backup import back_up

    done = back_up(options.root, options.target, say, hidden if options.silent else bars)
    if not options.silent:
        say('%s; %d blobs of %d bytes were new' % (done.totals, done.blobs, done.stored_size))
    if done.missing:
        print('filetracker-backup: %d files are not in it' % done.missing, file=sys.stderr)
    return 1 if done.missing else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog='filetracker-backup',
        description='Makes TARGET a copy of the store in ROOT as it is at one instant, also while '
        'a server uses it. What TARGET has already is not copied again. TARGET is a store: a '
        'server can be started on it, or on a copy of it.',
    )
    parser.add_argument('root', metavar='ROOT', help='the directory of the store')
    parser.add_argument('target', metavar='TARGET', help='the directory of the copy')
    parser.add_argument('-s', '--silent', action='store_true', help='print only what went wrong')
    return parser


if __name__ == '__main__':
    sys.exit(main())
