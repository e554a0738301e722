"""The command ``rm``."""

from __future__ import annotations

import argparse
import contextlib

from filetracker.client.client import Client
from filetracker.client.shell.bars import bar
from filetracker.client.shell.failures import Failures, each
from filetracker.client.shell.routes import check_listed, files_below
from filetracker.errors import FiletrackerError, NotFound


def misuse_of_rm(options: argparse.Namespace) -> str | None:
    """Says what is wrong with the arguments, if anything."""
    if options.is_recursive and not all(name.strip('/') for name in options.names):
        return '--recursive does not remove every file there is: name directories'
    return None


def rm(client: Client, options: argparse.Namespace) -> int:
    failures = Failures()
    for name in options.names:
        try:
            below = files_below(client, name) if options.is_recursive else None
            if below is None:
                client.delete_file(name)
            else:
                _remove_all(client, below, failures)
        except FiletrackerError as error:
            failures.add(error)
    return failures.status


def _remove_all(client: Client, names: list[str], failures: Failures) -> None:
    def remove(name: str) -> None:
        check_listed(name)
        # Somebody else may have been quicker.
        with contextlib.suppress(NotFound):
            client.delete_file(name)

    with bar(len(names)) as told:
        for name, _ in each(remove, names, failures):
            told(name, 0, 0)
