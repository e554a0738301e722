"""The names of a store as people look at them: a directory, or those that begin alike."""

from __future__ import annotations

from filetracker.protocol import check_stored_name
from filetracker.servers.storage.interfaces import Catalog, Entry


class Tree:
    """A look at the names of a catalogue, some at a time.

    Every method blocks, for as long as what it returns takes to be read, and may be called from
    any thread. All raise :class:`~filetracker.errors.Busy` and
    :class:`~filetracker.errors.StoreUnusable`.
    """

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def entry(self, name: str) -> Entry | None:
        """Returns the entry of a name, ``None`` if it has none."""
        return self._catalog.entry(name)

    def children(self, directory: str, after: str, limit: int) -> list[tuple[str, Entry | None]]:
        """Returns what is directly in a directory, ``''`` for the root, in the order of bytes.

        Files come with their entries, directories with a slash at the end and ``None``. Only what
        is behind ``after``, which is one of them, or ``''``; at most ``limit``. One that is there
        all the time is never left out. Raises :class:`~filetracker.errors.InvalidName`.
        """
        if directory:
            check_stored_name(directory)
            directory += '/'
        return self._catalog.children(directory, after, limit)

    def names(self, beginning: str, after: str, limit: int) -> list[str]:
        """Returns names that begin so, behind ``after`` (``''``: from the first), as sorted.

        At most ``limit`` of them. One that is there all the time is never left out.
        """
        text = self._catalog.page(beginning, after, limit).text.decode()
        return [beginning + name for name in text.split('\n')[:-1]]
