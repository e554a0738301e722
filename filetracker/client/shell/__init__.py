"""The command ``filetracker``: files from the shell."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from filetracker.client.client import Client
from filetracker.client.exits import exit_status
from filetracker.client.shell.parser import PROGRAM, parse

__all__ = ['main']


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command and returns the exit status.

    0 is done, 1 failed, also in part; 130 is interrupted. Wrong usage exits with 2.
    """
    options = parse(argv)
    logging.basicConfig(
        format=PROGRAM + ': %(message)s',
        level=logging.DEBUG if options.verbose else logging.WARNING,
    )

    def run() -> int:
        client = Client(remote_url=options.remote_url, cache_dir=options.cache_dir, ca=options.ca)
        return options.run(client, options)

    return exit_status(PROGRAM, run)
