"""Walks over the names of a catalogue, a page at a time."""

from __future__ import annotations

from collections.abc import Iterator

from filetracker.errors import NotFound
from filetracker.protocol import check_stored_name
from filetracker.servers.storage.interfaces import Catalog, Entry, See

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
    yield page.text
    while not page.is_final:
        page = catalog.page(prefix, page.last, _PAGE, cutoff)
        yield page.text


def survey(catalog: Catalog, directory: str, see: See) -> None:
    """As :meth:`~filetracker.servers.storage.core.Storage.survey`."""
    prefix = directory + '/' if directory else ''
    after = ['']

    def note(page: list[tuple[str, Entry]]) -> None:
        after.append(page[-1][0] if page else '')
        see(page)

    while len(after) == 1 or after[-1]:
        catalog.survey(prefix, after[-1], _PAGE, note)
