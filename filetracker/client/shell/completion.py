"""Scripts that complete words in a shell; the only module that knows what writes them."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

SHELLS = ('bash', 'fish', 'tcsh', 'zsh')

#: The arguments that are paths, each by its command and what it is called there.
_FILES = {('get', 'names'), ('put', 'files')}
_DIRECTORIES = {('', 'cache_dir'), ('get', 'into')}


class Completion(argparse.Action):
    """Prints such a script, and exits."""

    def __call__(self, parser, namespace, values, option_string=None) -> None:
        try:
            import shtab
        except ImportError:
            parser.exit(1, "filetracker: completion needs: pip install 'filetracker[completion]'\n")
        for command, action in _actions(parser):
            if (command, action.dest) in _FILES:
                action.complete = shtab.FILE  # type: ignore[attr-defined]
            elif (command, action.dest) in _DIRECTORIES:
                action.complete = shtab.DIRECTORY  # type: ignore[attr-defined]
        print(shtab.complete(parser, values))
        parser.exit()


def _actions(parser: argparse.ArgumentParser) -> Iterator[tuple[str, argparse.Action]]:
    """Yields every option and argument, with the name of its command."""
    for action in parser._actions:
        yield '', action
        if isinstance(action, argparse._SubParsersAction):
            for name, command in action.choices.items():
                yield from ((name, each) for _, each in _actions(command))
