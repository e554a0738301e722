"""How much is stored: counted once, in steps, and from then on each change is counted.

First the names are counted, in their order; what changes behind the last name that was seen is
counted as it changes. Then the contents in the same way, in the order of their digests. They are
listed by their first two digits, and looked up while others change names, so that this takes a page
at a time from nobody but the disk.
"""

from __future__ import annotations

import logging
import threading
import time
from functools import partial
from itertools import product
from typing import NamedTuple

from filetracker.errors import FiletrackerError, StoreUnusable
from filetracker.servers.storage.interfaces import BlobStore, Catalog, Change, Entry

logger = logging.getLogger(__name__)

#: The name of the thread that counts.
THREAD = 'filetracker-census'

_PAGE = 250
# For each second of counting so many are left to others, but not more at a time.
_REST = 4.0
_LONGEST_REST = 1.0
# In the order of their bytes. Contents in capitals are those of filetracker 2.3.3.
_PREFIXES = [''.join(digits) for digits in product('0123456789ABCDEFabcdef', repeat=2)]
# Sorts behind all digests.
_END = 'g'


class Totals(NamedTuple):
    """``names`` have together ``named_size`` plain bytes, where each counts in full.

    Their ``blobs``, different contents, have ``size`` plain bytes and ``stored_size`` as they are
    stored. ``counted`` says whether all that is so; until then it is less.
    """

    names: int = 0
    named_size: int = 0
    blobs: int = 0
    size: int = 0
    stored_size: int = 0
    counted: bool = False


class Census:
    """Counts a store from :meth:`begin` on; for several threads.

    ``puts`` and ``deletes`` are the changes that were made since the store was opened, ``found``
    those puts whose content had a name already.
    """

    def __init__(self) -> None:
        self.puts = self.deletes = self.found = 0
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._rested = 0.0
        self._start_over()

    def _start_over(self) -> None:
        self._names = self._named_size = 0
        self._blobs = self._size = self._stored_size = 0
        self._counted = False
        # The last name that was seen, ``None`` when all were.
        self._last_name: str | None = ''
        # The contents that are being listed, and the last of them that was seen.
        self._prefix = self._last_digest = ''
        # Those behind it that are counted as they come and go.
        self._followed: set[str] = set()

    def get(self) -> Totals:
        """Returns what is counted by now."""
        with self._lock:
            return Totals(
                self._names,
                self._named_size,
                self._blobs,
                self._size,
                self._stored_size,
                self._counted,
            )

    def begin(self, blobs: BlobStore, catalog: Catalog) -> Totals:
        """Counts on a thread of its own, unless that is done or being done.

        Returns at once, what is counted by now.
        """
        with self._lock:
            if self._thread is None:
                count = partial(self._count, blobs, catalog)
                self._thread = threading.Thread(target=count, name=THREAD, daemon=True)
                self._thread.start()
        return self.get()

    def _count(self, blobs: BlobStore, catalog: Catalog) -> None:
        begun = self._rested = time.monotonic()
        try:
            self._count_names(catalog)
            for prefix in _PREFIXES:
                self._count_contents(prefix, blobs, catalog)
            self._move_on(_END)
        except StoreUnusable:
            # It was closed, or will soon be.
            return
        except (FiletrackerError, OSError) as error:
            logger.warning('cannot count what is stored: %s', error)
            with self._lock:
                self._start_over()
                self._thread = None
        else:
            totals, seconds = self.get(), time.monotonic() - begun
            logger.info(
                'there are %d names and %d blobs, which was counted in %.1f s',
                totals.names,
                totals.blobs,
                seconds,
            )

    def _rest(self) -> None:
        time.sleep(min(_LONGEST_REST, (time.monotonic() - self._rested) * _REST))
        self._rested = time.monotonic()

    def _count_names(self, catalog: Catalog) -> None:
        while self._last_name is not None:
            catalog.survey('', self._last_name, _PAGE, self._see_names)
            self._rest()

    def _see_names(self, page: list[tuple[str, Entry]]) -> None:
        with self._lock:
            self._names += len(page)
            self._named_size += sum(entry.size for _, entry in page)
            self._last_name = page[-1][0] if page else None

    def _count_contents(self, prefix: str, blobs: BlobStore, catalog: Catalog) -> None:
        # What gets its first name from now on may not be listed.
        self._move_on(prefix)
        # Whatever else somebody left there may have any bytes as its name.
        digests = [digest for digest in blobs.digests_with(prefix) if digest.isalnum()]
        for start in range(0, len(digests), _PAGE):
            page = digests[start : start + _PAGE]
            sizes = catalog.sizes(page)
            found = [
                (digest, size, blobs.stored_size(digest) or 0) for digest, size in sizes.items()
            ]
            # When the last change that others see has been told, and the next is not made.
            catalog.survey('', '', 1, partial(self._see_contents, page[-1], found))
            self._rest()

    def _see_contents(self, last: str, found: list[tuple[str, int, int]], names: object) -> None:
        with self._lock:
            for digest, size, stored_size in found:
                if digest not in self._followed:
                    self._add_content(size, stored_size)
            self._last_digest = last

    def _move_on(self, prefix: str) -> None:
        """Counts the contents that begin with ``prefix`` from now on; all before are counted."""
        with self._lock:
            self._prefix = self._last_digest = prefix
            self._followed.clear()
            self._counted = prefix == _END

    def changed(self, change: Change) -> None:
        """Counts a change; to be called in the order of the changes."""
        name, old, new, is_fresh, is_freed = change
        with self._lock:
            if new:
                self.puts += 1
                self.found += not is_fresh
            else:
                self.deletes += 1
            if self._last_name is None or name <= self._last_name:
                self._names += bool(new) - bool(old)
                self._named_size += (new.size if new else 0) - (old.size if old else 0)
            if new and is_fresh and (self._is_counted(new.digest) or self._follow(new.digest)):
                self._add_content(new.size, new.stored_size)
            if old and is_freed:
                if self._is_counted(old.digest):
                    self._remove_content(old.size, old.stored_size)
                else:
                    # It may have been looked up already.
                    self._follow(old.digest)

    def _is_counted(self, digest: str) -> bool:
        return digest <= self._last_digest or digest in self._followed

    def _follow(self, digest: str) -> bool:
        """Counts a content as it comes and goes, if it is one of those that are being listed."""
        is_listed = digest[:2] == self._prefix
        if is_listed:
            self._followed.add(digest)
        return is_listed

    def _add_content(self, size: int, stored_size: int) -> None:
        self._blobs += 1
        self._size += size
        self._stored_size += stored_size

    def _remove_content(self, size: int, stored_size: int) -> None:
        self._blobs -= 1
        self._size -= size
        self._stored_size -= stored_size
