"""Walks over the names of a catalogue, a page at a time."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator

import six

from filetracker.errors import NotFound
from filetracker.protocol import check_stored_name
from filetracker.servers.storage.interfaces import BEHIND_ALL, Catalog, Entry, See, Stretch

# Most directories are small.
_FIRST_PAGE, _PAGE = 100, 1000


def lines(catalog: Catalog, directory: str, cutoff: int | None) -> Iterator[bytes]:
    """As :meth:`~filetracker.servers.storage.core.Storage.lines`."""
    if directory:
        check_stored_name(directory)
    prefix = directory and directory + '/'
    page = catalog.page(prefix, '', _FIRST_PAGE, cutoff)
    if directory and not page.last:
        raise NotFound(directory, 'no such directory: %s' % directory)
    if cutoff is None and not page.is_final:
        yield from _below(catalog, six.ensure_binary(prefix))
        return
    yield page.text
    while not page.is_final:
        page = catalog.page(prefix, page.last, _PAGE, cutoff)
        yield page.text


def _below(catalog: Catalog, prefix: bytes) -> Iterator[bytes]:
    """Yields what :func:`lines` does of the names that begin so, of which there are many."""
    position, stop = prefix, prefix + BEHIND_ALL
    while position < stop:
        stretch = catalog.stretch(position)
        text = _between(stretch, position, stop)
        yield (b'\n' + text).replace(b'\n' + prefix, b'\n')[1:] if prefix else text
        position = stretch.stop


def _between(stretch: Stretch, start: bytes, stop: bytes) -> bytes:
    """Returns the text of those names of a stretch that are not outside of two positions."""
    if start <= stretch.start and stretch.stop <= stop:
        return stretch.text
    names = stretch.text.split(b'\n')[:-1]
    return b'\n'.join([*names[bisect_left(names, start) : bisect_left(names, stop)], b''])


def survey(catalog: Catalog, directory: str, see: See) -> None:
    """As :meth:`~filetracker.servers.storage.core.Storage.survey`."""
    prefix = directory + '/' if directory else ''
    after = ['']

    def note(page: list[tuple[str, Entry]]) -> None:
        after.append(page[-1][0] if page else '')
        see(page)

    while len(after) == 1 or after[-1]:
        catalog.survey(prefix, after[-1], _PAGE, note)
