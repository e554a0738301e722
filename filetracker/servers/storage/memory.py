"""A store in memory: quick and without a disk, and as strict as the others."""

from __future__ import annotations

import contextlib
import threading
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from io import BytesIO
from typing import BinaryIO

import six

from filetracker.errors import NameConflict
from filetracker.servers.storage.activity import Activity
from filetracker.servers.storage.interfaces import (
    BEHIND_ALL,
    BlobStore,
    Catalog,
    Change,
    Condition,
    Delete,
    Entry,
    Page,
    Put,
    See,
    Stretch,
    unconditionally,
)

# So many names are returned at once.
_STRETCH = 1000


class MemoryBlobStore(BlobStore):
    """Blobs in a dictionary."""

    def __init__(self) -> None:
        self._blobs: dict[str, bytes] = {}
        self._distrusted: set[str] = set()

    def spool(self) -> BinaryIO:
        return BytesIO()

    def add(self, digest: str, spooled: BinaryIO) -> int:
        if digest not in self._blobs or digest in self._distrusted:
            spooled.seek(0)
            self._blobs[digest] = spooled.read()
            self._distrusted.discard(digest)
        return len(self._blobs[digest])

    def open(self, digest: str) -> BinaryIO:
        try:
            return BytesIO(self._blobs[digest])
        except KeyError:
            raise FileNotFoundError(digest) from None

    def stored_size(self, digest: str) -> int | None:
        blob = self._blobs.get(digest)
        return None if blob is None else len(blob)

    def distrust(self, digest: str) -> None:
        self._distrusted.add(digest)

    def remove(self, digest: str) -> None:
        self._blobs.pop(digest, None)

    def digests_with(self, prefix: str) -> list[str]:
        return sorted(digest for digest in list(self._blobs) if digest.startswith(prefix))

    def digests(self) -> Iterator[str]:
        yield from list(self._blobs)


class MemoryCatalog(Catalog):
    """Names in a dictionary, behind one lock."""

    def __init__(self) -> None:
        self.activity = Activity()
        self._entries: dict[str, Entry] = {}
        self._buried: dict[str, int] = {}
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def intent(self, name: str, digest: str) -> Iterator[None]:
        yield

    def unfinished(self) -> Iterator[tuple[str, Callable[[], None]]]:
        # What is in memory dies with the process.
        yield from ()

    def entry(self, name: str) -> Entry | None:
        return self._entries.get(name)

    def put(self, name: str, entry: Entry, has_blob: Callable[[Entry | None], bool]) -> Put:
        with self._lock:
            old = self._entries.get(name)
            if old and old.version > entry.version:
                return Put(old.version)
            for other in self._entries:
                if other.startswith(name + '/') or name.startswith(other + '/'):
                    raise NameConflict(name, other)
            if not has_blob(old):
                return Put(entry.version, blob_is_missing=True)
            is_fresh = not self.count(entry.digest)
            self._entries[name] = entry
            freed = self._freed(old)
            self.activity.census.changed(Change(name, old, entry, is_fresh, bool(freed)))
            return Put(entry.version, freed)

    def delete(self, name: str, version: int, condition: Condition = unconditionally) -> Delete:
        with self._lock:
            return self._delete(name, version, condition)

    def bury(self, name: str, version: int, condition: Condition = unconditionally) -> Delete:
        with self._lock:
            result = self._delete(name, version, condition)
            is_new = name not in self._buried
            if result.kept is None:
                self._buried[name] = max(version, self._buried.get(name, version))
            return result._replace(found=result.found or is_new)

    def buried_version(self, name: str) -> int | None:
        return self._buried.get(name)

    def page(self, directory: str, after: str, limit: int, cutoff: int | None = None) -> Page:
        with self._lock:
            found = self._range(directory, after, limit)
        text = ''.join(
            name[len(directory) :] + '\n'
            for name, entry in found
            if cutoff is None or entry.version <= cutoff
        )
        last = found[-1][0] if found else ''
        return Page(six.ensure_binary(text), last, is_final=len(found) < limit)

    def stretch(self, position: bytes) -> Stretch:
        with self._lock:
            names = sorted(map(six.ensure_binary, self._entries))
        some = names[bisect_left(names, position) :][:_STRETCH]
        stop = some[-1] + b'\0' if len(some) == _STRETCH else BEHIND_ALL
        return Stretch(position, stop, b'\n'.join([*some, b'']))

    def children(self, directory: str, after: str, limit: int) -> list[tuple[str, Entry | None]]:
        with self._lock:
            found = self._range(directory, '', len(self._entries))
        level: dict[str, Entry | None] = {}
        for name, entry in found:
            child, slash, _ = name[len(directory) :].partition('/')
            level[child + slash] = None if slash else entry
        start = six.ensure_binary(after)
        return [each for each in level.items() if six.ensure_binary(each[0]) > start][:limit]

    def survey(self, directory: str, after: str, limit: int, see: See) -> None:
        with self._lock:
            see(self._range(directory, after, limit))

    def count(self, digest: str) -> int:
        return sum(entry.digest == digest for entry in self._entries.values())

    def sizes(self, digests: Iterable[str]) -> dict[str, int]:
        with self._lock:
            known = {entry.digest: entry.size for entry in self._entries.values()}
        return {digest: known[digest] for digest in digests if digest in known}

    def collect(self, digest: str, remove: Callable[[str], None]) -> bool:
        with self._lock:
            if self.count(digest):
                return False
            remove(digest)
            return True

    def close(self) -> None:
        pass

    def _delete(self, name: str, version: int, condition: Condition) -> Delete:
        old = self._entries.get(name)
        if not old:
            return Delete(found=False)
        condition(old)
        if old.version > version:
            return Delete(found=True, kept=old.version)
        del self._entries[name]
        freed = self._freed(old)
        self.activity.census.changed(Change(name, old, None, False, bool(freed)))
        return Delete(found=True, freed=freed)

    def _range(self, directory: str, after: str, limit: int) -> list[tuple[str, Entry]]:
        start = six.ensure_binary(after)
        found = sorted(
            (six.ensure_binary(name), name)
            for name in self._entries
            if name.startswith(directory) and six.ensure_binary(name) > start
        )
        return [(name, self._entries[name]) for _, name in found[:limit]]

    def _freed(self, old: Entry | None) -> str | None:
        return old.digest if old and not self.count(old.digest) else None
