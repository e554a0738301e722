"""The command ``filetracker-migrate``: copies files to a server."""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Sequence
from urllib.parse import urlsplit

from filetracker.client.credentials import without_credentials
from filetracker.client.migration.connection import Server
from filetracker.client.migration.copying import Copying, Outcome
from filetracker.client.migration.remote import Remote
from filetracker.client.migration.sources import Item, Source
from filetracker.client.migration.target import Target
from filetracker.client.migration.tree import Tree
from filetracker.errors import FiletrackerError
from filetracker.scripts.copy_bar import Bar, Tally

_INTERRUPTED = 130

_DESCRIPTION = """
Copies files to a filetracker server, with their modification times as versions. What the server
has already in that version is passed over, so that a run that was interrupted can be repeated. What
cannot be copied is told, and the rest goes on. MIGRATING.md says how to move a whole installation.
"""


def main(args: Sequence[str] | None = None) -> int:
    """Copies, and returns the exit status: 0 if all is there now, 1 if anything is not."""
    parser = _parser()
    options = parser.parse_args(args)
    if not _is_url(options.url):
        parser.error('not an http URL: %s' % without_credentials(options.url))
    if _is_url(options.files) and options.root is not None:
        parser.error('--root is for files in a directory')
    try:
        server = Server(options.url)
    except FiletrackerError as error:
        return _failed(str(error))
    try:
        source = _source(options.files, options.root)
        with _watcher(source, options.silent) as watcher, contextlib.closing(source):
            Copying(source, Target(server), watcher).run()
    except FiletrackerError as error:
        return _failed(str(error))
    except KeyboardInterrupt:
        return _failed('interrupted; run it again to go on', _INTERRUPTED)
    finally:
        server.close()
    if not options.silent:
        try:
            print(watcher.summary(), flush=True)
        except OSError as error:
            return _failed('cannot say what was done: %s' % error.strerror)
    failed = watcher.counts[Outcome.FAILED]
    return _failed('%d files were not copied' % failed) if failed else 0


def _failed(sentence: str, status: int = 1) -> int:
    print('filetracker-migrate: %s' % sentence, file=sys.stderr)
    return status


def _source(files: str, root: str | None) -> Source:
    return Remote(Server(files)) if _is_url(files) else Tree(files, root)


def _watcher(source: Source, is_silent: bool) -> Tally:
    if is_silent or not sys.stderr.isatty():
        return Tally()
    files = size = 0
    is_known = True
    for item in source.items():
        files += 1
        if isinstance(item, Item):
            size += item.size or 0
            is_known = is_known and item.size is not None
    return Bar(files, size if is_known else None)


def _is_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme in ('http', 'https') and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog='filetracker-migrate', description=_DESCRIPTION)
    parser.add_argument(
        'files',
        metavar='FILES',
        help='the directory with the files, or the URL of a server, of which all are copied',
    )
    parser.add_argument('url', metavar='URL', help='the server that they are copied to')
    parser.add_argument(
        '--root',
        help='names are relative to this directory, which has FILES in it (default: FILES)',
    )
    parser.add_argument(
        '-s', '--silent', action='store_true', help='print nothing but what was not copied'
    )
    return parser


if __name__ == '__main__':
    sys.exit(main())
