"""Files and directories with links that lead to them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple
from urllib.parse import urlencode

from filetracker.protocol import quote_name
from filetracker.servers.base import Environ
from filetracker.servers.storage import Entry


class Row(NamedTuple):
    """A file with its ``entry``, or a directory without one; what it is called, where it leads.

    What is downloaded is called ``save_as``.
    """

    text: str
    href: str
    save_as: str
    entry: Entry | None


class Crumb(NamedTuple):
    """A directory on the way to another."""

    text: str
    href: str


def root_of(environ: Environ) -> str:
    """Returns the way from a page to ``/``, whatever a proxy may have in front of that."""
    return '../' * (environ['PATH_INFO'].count('/') - 1) or './'


def browse_url(root: str, directory: str, **query: str) -> str:
    """Returns where a directory is shown; ``query`` without what is empty."""
    url = '%sbrowse%s' % (root, '/' + quote_name(directory) if directory else '')
    told = urlencode({key: value for key, value in query.items() if value})
    return '%s?%s' % (url, told) if told else url


def rows(root: str, above: str, named: Iterable[tuple[str, Entry | None]]) -> list[Row]:
    """Returns what is called so below ``above``, which is ``''`` or ends with a slash."""
    return [_row(root, above, *each) for each in named]


def _row(root: str, above: str, text: str, entry: Entry | None) -> Row:
    name = above + text
    if entry is None:
        return Row(text, browse_url(root, name.removesuffix('/')), '', None)
    return Row(text, '%sfiles/%s' % (root, quote_name(name)), name.rpartition('/')[2], entry)


def crumbs(root: str, directory: str) -> list[Crumb]:
    """Returns the way down to a directory, the root first."""
    parts = directory.split('/') if directory else []
    way = [
        Crumb(part, browse_url(root, '/'.join(parts[: depth + 1])))
        for depth, part in enumerate(parts)
    ]
    return [Crumb('', browse_url(root, '')), *way]
