"""The command ``filetracker``: files from the shell."""

from __future__ import annotations

import argparse
import logging
import os
import shutil
import sys
from collections.abc import Sequence

from filetracker.client.client import Client
from filetracker.gz import PIECE

logger = logging.getLogger(__name__)

_FAILED = 1
_INTERRUPTED = 130

_EPILOG = """\
FILETRACKER_URL and FILETRACKER_DIR in the environment stand in for --remote-url and --cache-dir.
Each command explains itself with --help.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command and returns the exit status: 0 done, 1 failed, 2 wrong usage."""
    parser = _parser()
    options = parser.parse_args(argv)
    if options.command is _put and not (options.to_local_store or options.to_remote_store):
        parser.error('put: --no-local-cache and --no-remote-cache leave nowhere to put it')
    logging.basicConfig(
        format='filetracker: %(message)s',
        level=logging.DEBUG if options.verbose else logging.WARNING,
    )
    try:
        options.command(Client(remote_url=options.remote_url, cache_dir=options.cache_dir), options)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return _INTERRUPTED
    except BrokenPipeError:
        # Who read our output has enough of it.
        _give_up_output()
        return _FAILED
    except Exception as error:
        _give_up_output()
        logger.debug('failed', exc_info=True)
        text = ' '.join(str(error).split()) or type(error).__name__
        print('filetracker: %s' % text, file=sys.stderr)
        return _FAILED
    return 0


def _give_up_output() -> None:
    """Drops what cannot be written: at its exit the interpreter would try, and complain."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog='filetracker', description='Puts files to a filetracker and gets them.', epilog=_EPILOG
    )
    parser.add_argument('-r', '--remote-url', metavar='URL', help='the URL of the server')
    parser.add_argument('-c', '--cache-dir', metavar='DIR', help='the directory of the cache')
    parser.add_argument('-v', '--verbose', action='count', default=0, help='tell what happens')
    commands = parser.add_subparsers(metavar='COMMAND', required=True)

    get = _command(commands, 'get', _get, 'save a file')
    _add_get_options(get)
    get.add_argument('name', metavar='NAME', help='its name, with a version or without')
    get.add_argument('file', metavar='FILE', help='where to save it')

    cat = _command(commands, 'cat', _cat, 'write a file to the standard output')
    _add_get_options(cat)
    cat.add_argument('name', metavar='NAME', help='its name, with a version or without')

    put = _command(commands, 'put', _put, 'store a file, and print its versioned name')
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
    put.add_argument('file', metavar='FILE', help='the file to store')
    put.add_argument('name', metavar='NAME', help='the name it gets, with a version or without')

    rm = _command(commands, 'rm', _rm, 'remove a file')
    rm.add_argument('name', metavar='NAME', help='its name; with a version, unless it is newer')

    version = _command(commands, 'version', _version, 'print the version of a file')
    version.add_argument('name', metavar='NAME', help='its name')
    return parser


def _command(commands, name, function, help) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=help, description=help.capitalize() + '.')
    parser.set_defaults(command=function)
    return parser


def _add_get_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        '-c',
        '--no-cache',
        dest='add_to_cache',
        action='store_false',
        help='do not store it in the local cache',
    )
    parser.add_argument(
        '-f',
        '--refresh',
        dest='force_refresh',
        action='store_true',
        help='do not read it from the local cache',
    )


def _get(client: Client, options: argparse.Namespace) -> None:
    client.get_file(
        options.name,
        options.file,
        add_to_cache=options.add_to_cache,
        force_refresh=options.force_refresh,
    )


def _cat(client: Client, options: argparse.Namespace) -> None:
    stream, _ = client.get_stream(
        options.name,
        force_refresh=options.force_refresh,
        serve_from_cache=options.add_to_cache,
    )
    with stream:
        shutil.copyfileobj(stream, sys.stdout.buffer, PIECE)


def _put(client: Client, options: argparse.Namespace) -> None:
    versioned = client.put_file(
        options.name,
        options.file,
        to_local_store=options.to_local_store,
        to_remote_store=options.to_remote_store,
    )
    print(versioned)


def _rm(client: Client, options: argparse.Namespace) -> None:
    client.delete_file(options.name)


def _version(client: Client, options: argparse.Namespace) -> None:
    print(client.file_version(options.name))


if __name__ == '__main__':
    sys.exit(main())
