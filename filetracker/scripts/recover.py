"""The command ``filetracker-recover``: sets right a store that no server has open."""

from __future__ import annotations

import argparse
import sys

from filetracker.scripts.outcome import status_of
from filetracker.scripts.progress import bars, say


def main(args: list[str] | None = None) -> int:
    """Recovers, says what was found, and returns the exit status."""
    options = _parser().parse_args(args)
    return status_of('filetracker-recover', lambda: _run(options))


def _run(options: argparse.Namespace) -> int:
    # They need filetracker[server]; the help does not.
    from filetracker.servers.storage.pace import hidden
    from filetracker.servers.storage.upkeep import contents, recovery

    inspect = contents.thorough if options.full else contents.quick
    progress = hidden if options.silent else bars
    recover = recovery.rehearse if options.dry_run else recovery.recover
    tell = _say_nothing if options.silent else say
    if options.purge:
        recovery.purge(options.root)
    report = recover(options.root, inspect, tell, progress)
    tell(
        'Completed, %d broken links and %d stray blobs found.'
        % (report.broken_links, report.stray_blobs)
    )
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog='filetracker-recover',
        description='Sets right a store after damage to its disk: names, links, blobs and counts. '
        'A server that uses the store must be stopped first. What is good for nothing is moved to '
        'lost+found, with a list of what it was and why.',
    )
    parser.add_argument('root', metavar='ROOT', help='the directory of the store')
    parser.add_argument('-s', '--silent', action='store_true', help='print nothing but errors')
    parser.add_argument(
        '-f', '--full', action='store_true', help='read and verify every blob; this takes long'
    )
    first = parser.add_mutually_exclusive_group()
    first.add_argument(
        '--dry-run', action='store_true', help='say what would be done, and change nothing'
    )
    first.add_argument(
        '--purge',
        action='store_true',
        help='first remove for good what earlier runs have moved to lost+found',
    )
    return parser


def _say_nothing(line: str) -> None:
    pass


if __name__ == '__main__':
    sys.exit(main())
