"""The command ``filetracker-check``: verifies a store, also while a server uses it."""

from __future__ import annotations

import argparse
import json
import logging
import os
import re
import sys
import time
from typing import TYPE_CHECKING

from filetracker.scripts.outcome import status_of
from filetracker.scripts.progress import bars, say

if TYPE_CHECKING:
    from filetracker.servers.storage.upkeep.scrutiny import Finding

logger = logging.getLogger(__name__)

_UNITS = {'': 1, 'K': 1 << 10, 'M': 1 << 20, 'G': 1 << 30}


def main(args: list[str] | None = None) -> int:
    """Checks, says what was found, and returns the exit status: 1 if there is any harm."""
    options = _parser().parse_args(args)
    return status_of('filetracker-check', lambda: _run(options))


def _run(options: argparse.Namespace) -> int:
    # They need filetracker[server]; the help does not.
    from filetracker.servers.storage.pace import hidden
    from filetracker.servers.storage.upkeep.check import check

    if options.log:
        line = '%(asctime)s %(levelname)-8s %(message)s'
        logging.basicConfig(filename=options.log, level=logging.INFO, format=line)
    begun = time.monotonic()
    findings: list[Finding] = []

    def tell(finding: Finding) -> None:
        findings.append(finding)
        if options.log:
            logger.log(logging.ERROR if finding.harm else logging.INFO, '%s', finding)
        if not options.json:
            say(str(finding))

    report = check(options.root, tell, hidden if options.json else bars, options.rate)
    seconds = time.monotonic() - begun
    summary = '%s: %d names, %d blobs, %d bytes verified in %.1f s' % (
        'good' if report.good else 'DAMAGED',
        report.names,
        report.blobs,
        report.stored_size,
        seconds,
    )
    if options.log:
        logger.info('checked %s: %s', options.root, summary)
    if options.json:
        told = {
            'root': os.path.abspath(options.root),
            **report._asdict(),
            'seconds': round(seconds, 3),
            'findings': [finding._asdict() for finding in findings],
        }
        print(json.dumps(told, indent=2))
    else:
        say(summary)
    return 0 if report.good else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog='filetracker-check',
        description='Reads every blob of a store and verifies it, and looks whether all names have '
        'theirs. Changes nothing; a server may use the store meanwhile. Exits with 1 if anything '
        'is damaged, which filetracker-recover can set right.',
    )
    parser.add_argument('root', metavar='ROOT', help='the directory of the store')
    parser.add_argument(
        '--rate',
        type=_rate,
        metavar='BYTES',
        help='read at most so many bytes a second, such as 20M (default: as many as possible)',
    )
    parser.add_argument('--json', action='store_true', help='print one JSON document instead')
    parser.add_argument(
        '-L', '--log', metavar='FILE', help='write what is found to the end of this file, too'
    )
    return parser


def _rate(text: str) -> int:
    found = re.fullmatch('([1-9][0-9]*)([KMG]?)', text)
    if not found:
        raise argparse.ArgumentTypeError('not a number of bytes, such as 20M: %r' % text)
    return int(found.group(1)) * _UNITS[found.group(2)]


if __name__ == '__main__':
    sys.exit(main())
