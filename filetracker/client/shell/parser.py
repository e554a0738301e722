"""What can be said to ``filetracker``, and what it says of itself."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence

from filetracker.client.shell import asking, examples, removing, transfers
from filetracker.client.shell.completion import SHELLS, Completion
from filetracker.client.shell.failures import PROGRAM


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Returns what was said, with ``run(client, options)`` that does it and returns the status.

    Exits with 2, and shows the usage, where that makes no sense; with 0 where only help was asked.
    """
    options = _parser().parse_args(argv)
    misuse = options.misuse(options)
    if misuse:
        options.parser.error(misuse)
    return options


class _Command(argparse.ArgumentParser):
    """Takes options between arguments, as in ``get NAME -f FILE``, and none after ``--``."""

    _is_parsing = False

    def parse_known_args(self, args=None, namespace=None):
        # It is what the other one is made of.
        if self._is_parsing:
            return super().parse_known_args(args, namespace)
        self._is_parsing = True
        try:
            found, rest = self.parse_known_intermixed_args(_marked(args), namespace)
        finally:
            self._is_parsing = False
        for key, value in vars(found).items():
            if isinstance(value, list):
                setattr(found, key, [each.removeprefix(_MARK) for each in value])
        return found, rest


#: Before an argument that only looks like an option. Nobody can give one with this in it.
_MARK = '\0'


def _marked(args: Sequence[str]) -> list[str]:
    """Marks what is after ``--``, which the parser would forget between its two passes."""
    args = list(args)
    if '--' not in args:
        return args
    end = args.index('--')
    return args[:end] + [_MARK + argument for argument in args[end + 1 :]]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=PROGRAM,
        description='Puts files to a filetracker and gets them.',
        epilog=examples.EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('-r', '--remote-url', metavar='URL', help='the URL of the server')
    parser.add_argument(
        '--ca', metavar='FILE', help='the authorities to trust, in PEM (default: FILETRACKER_CA)'
    )
    parser.add_argument('-c', '--cache-dir', metavar='DIR', help='the directory of the cache')
    parser.add_argument('-v', '--verbose', action='count', default=0, help='tell what happens')
    parser.add_argument(
        '--completion',
        action=Completion,
        choices=SHELLS,
        help='print a script that completes words in this shell, and exit',
    )
    commands = parser.add_subparsers(metavar='COMMAND', required=True, parser_class=_Command)
    _add_get(commands)
    _add_cat(commands)
    _add_put(commands)
    _add_ls(commands)
    _add_stat(commands)
    _add_version(commands)
    _add_rm(commands)
    return parser


def _add(
    commands,
    name: str,
    run: Callable,
    help: str,
    epilog: str | None = None,
    misuse: Callable[[argparse.Namespace], str | None] = lambda options: None,
) -> argparse.ArgumentParser:
    parser = commands.add_parser(
        name,
        help=help,
        description=help.capitalize() + '.',
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=run, misuse=misuse, parser=parser)
    return parser


def _add_get(commands) -> None:
    get = _add(commands, 'get', transfers.get, 'save files', examples.GET, transfers.misuse_of_get)
    get.usage = '%(prog)s [options] NAME... FILE\n       %(prog)s [options] -t DIR NAME...'
    _add_cache_options(get)
    _add_recursive(get, 'save all files below a NAME that is a directory')
    _add_into(get, 'DIR', 'save them in this directory, which is made if it is missing')
    get.add_argument(
        'names',
        metavar='NAME',
        nargs='+',
        help='what to save, with a version or without; the last one is the FILE or directory where',
    )


def _add_cat(commands) -> None:
    cat = _add(commands, 'cat', transfers.cat, 'write files to the standard output', examples.CAT)
    _add_cache_options(cat)
    _add_names(cat)


def _add_put(commands) -> None:
    put = _add(
        commands,
        'put',
        transfers.put,
        'store files, and print their versioned names',
        examples.PUT,
        transfers.misuse_of_put,
    )
    put.usage = '%(prog)s [options] FILE... NAME\n       %(prog)s [options] -t NAME FILE...'
    put.add_argument(
        '--no-local-cache',
        dest='to_local_store',
        action='store_false',
        help='do not store it in the local cache',
    )
    put.add_argument(
        '--no-remote-cache',
        dest='to_remote_store',
        action='store_false',
        help='do not store it on the server',
    )
    _add_recursive(put, 'store all files in a FILE that is a directory')
    _add_into(put, 'NAME', 'give them names below this one')
    _add_json(put)
    put.add_argument(
        'files',
        metavar='FILE',
        nargs='+',
        help='what to store; the last one is the NAME it gets, with a version or without',
    )


def _add_ls(commands) -> None:
    ls = _add(commands, 'ls', asking.ls, 'list directories', examples.LS)
    ls.add_argument(
        '-l',
        '--long',
        dest='is_long',
        action='store_true',
        help='also tell sizes in bytes, dates in UTC, and versions',
    )
    _add_recursive(ls, 'list all files, at any depth')
    _add_json(ls)
    ls.add_argument('names', metavar='NAME', nargs='*', help='what to list (default: /)')


def _add_stat(commands) -> None:
    stat = _add(
        commands, 'stat', asking.stat, 'print version, size and SHA-256 of files', examples.STAT
    )
    _add_json(stat)
    _add_names(stat)


def _add_version(commands) -> None:
    version = _add(commands, 'version', asking.version, 'print the versions of files')
    _add_json(version)
    _add_names(version)


def _add_rm(commands) -> None:
    rm = _add(commands, 'rm', removing.rm, 'remove files', examples.RM, removing.misuse_of_rm)
    _add_recursive(rm, 'remove all files below a NAME that is a directory')
    _add_names(rm, 'what to remove; with a version, unless the file is newer')


def _add_cache_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        '-c',
        '--no-cache',
        dest='add_to_cache',
        action='store_false',
        help='do not store it in the local cache (as cat never does)',
    )
    parser.add_argument(
        '-f',
        '--refresh',
        dest='force_refresh',
        action='store_true',
        help='do not read it from the local cache',
    )


def _add_recursive(parser: argparse.ArgumentParser, help: str) -> None:
    parser.add_argument('-R', '--recursive', dest='is_recursive', action='store_true', help=help)


def _add_into(parser: argparse.ArgumentParser, metavar: str, help: str) -> None:
    parser.add_argument('-t', '--target-directory', dest='into', metavar=metavar, help=help)


def _add_json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('--json', dest='as_json', action='store_true', help='print JSON')


def _add_names(
    parser: argparse.ArgumentParser, help: str = 'its name, with a version or without'
) -> None:
    parser.add_argument('names', metavar='NAME', nargs='+', help=help)
