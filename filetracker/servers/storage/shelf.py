"""Blobs that were found good, open, so that the next reader need not look for them.

A name is on the shelf only while nobody changes it, and its blob is relied upon only while the file
is what it was when it was read to its end: its size, and the times of its last change. That is
looked at each time. What a disk loses by itself changes no time, so that even a good blob is
read anew after a while.
"""

from __future__ import annotations

import contextlib
import copy
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import BinaryIO

from filetracker.errors import NotFound
from filetracker.servers.storage.interfaces import Entry

#: The content of a smaller blob is kept in memory, where nothing can happen to it; in bytes.
SMALL = 1 << 16

# The most memory for that, in bytes.
_MEMORY = 32 << 20
# For so long a blob is relied upon, in seconds.
_LIFE = 600.0
# What is in memory is good whatever becomes of the file; but that should be noticed: in seconds.
_LOOK = 1.0
# The clock that the kernel takes times of change from makes steps: more than one, in nanoseconds.
_STEP = 100_000_000


class Shelved:
    """The blob of an entry, open for reading by position; for several threads.

    ``content`` is all of it where that is kept in memory, else ``None``. ``descriptor`` is closed
    when nobody uses the object any more. Raises ``OSError``.
    """

    descriptor = -1

    def __init__(self, entry: Entry, blob: BinaryIO) -> None:
        self.entry = entry
        self.descriptor = os.dup(blob.fileno())
        self.content: bytes | None = None
        if entry.stored_size <= SMALL:
            self.content = os.pread(self.descriptor, entry.stored_size, 0)
        now = time.monotonic()
        self._until = now + _LIFE
        self._next_look = now + _LOOK
        status = os.fstat(self.descriptor)
        self._size = status.st_size
        self._modified = status.st_mtime_ns
        self._changed = status.st_ctime_ns

    def __del__(self) -> None:
        if self.descriptor >= 0:
            os.close(self.descriptor)

    def without_content(self) -> Shelved:
        """Returns the same, with nothing in memory. Raises ``OSError``."""
        descriptor = os.dup(self.descriptor)
        leaner = copy.copy(self)
        leaner.descriptor, leaner.content = descriptor, None
        return leaner

    def is_settled(self, since: int) -> bool:
        """Whether it has not changed since a time, in nanoseconds of Unix time."""
        return self._changed < since - _STEP

    def is_good(self) -> bool:
        """Whether it can be relied upon: it was verified not too long ago, and has not changed.

        One that has been unlinked since has. Does not block.
        """
        if self.content is not None and not self.is_due():
            return True
        # Whatever is done to a file changes its time of change.
        is_same = os.fstat(self.descriptor).st_ctime_ns == self._changed
        return is_same and time.monotonic() < self._until

    def is_unlinked(self) -> bool:
        """Whether the file has no name any more. Does not block."""
        return not os.fstat(self.descriptor).st_nlink

    def is_due(self) -> bool:
        """Whether it should be looked at whether the file is still there, in memory or at all.

        It is so once in a while; then this is the only caller who is told.
        """
        now = time.monotonic()
        if now < self._next_look:
            return False
        self._next_look = now + _LOOK
        return True

    def is_unchanged(self) -> bool:
        """Whether its bytes are still the same; it may have been unlinked. Does not block."""
        status = os.fstat(self.descriptor)
        return status.st_mtime_ns == self._modified and status.st_size == self._size


class Shelf:
    """Verified blobs by name, ``most`` of them: those used last. For several threads."""

    def __init__(self, most: int = 0) -> None:
        self.most = most
        self._by_name: OrderedDict[str, Shelved] = OrderedDict()
        # Those of them whose content is in memory.
        self._kept: OrderedDict[str, Shelved] = OrderedDict()
        self._lock = threading.Lock()
        self._changing: dict[str, int] = {}
        self._changes = 0
        self._memory = 0

    def get(self, name: str) -> Shelved | None:
        """Returns the good blob of a name, ``None`` if it has to be looked for. Does not block."""
        shelved = self._by_name.get(name)
        if shelved is None:
            return None
        if not shelved.is_good():
            with self._lock:
                self._drop(name)
            return None
        try:
            self._by_name.move_to_end(name)
            if shelved.content is not None:
                self._kept.move_to_end(name)
        except KeyError:
            # A change of the name has begun, or others have the memory now.
            return None
        return shelved

    def ticket(self) -> int:
        """Returns what :meth:`put` wants; to be got before the entry is looked up."""
        return self._changes

    def put(self, ticket: int, name: str, shelved: Shelved) -> None:
        """Takes a blob, unless its name may have changed since the ticket."""
        with self._lock:
            if ticket == self._changes and name not in self._changing:
                self._drop(name)
                self._by_name[name] = shelved
                if shelved.content is not None:
                    self._kept[name] = shelved
                    self._memory += len(shelved.content)
                # In one step each: readers move names to the end without the lock.
                while self._memory > _MEMORY:
                    self._drop_content(*self._kept.popitem(last=False))
                while len(self._by_name) > self.most:
                    self._drop(self._by_name.popitem(last=False)[0])

    def keep(
        self,
        name: str,
        entry: Entry,
        blob: BinaryIO,
        since: int,
        look_up: Callable[[str], Entry],
    ) -> None:
        """Takes a blob that was verified, having been opened behind ``since`` (nanoseconds).

        Not if it may have changed meanwhile, or is not what ``look_up`` says of the name.
        """
        if not self.most:
            return
        try:
            shelved = Shelved(entry, blob)
        except OSError:
            # There is no descriptor to spare, or it is not that kind of file.
            return
        ticket = self.ticket()
        with contextlib.suppress(NotFound):
            if shelved.is_settled(since) and look_up(name) == entry:
                self.put(ticket, name, shelved)

    @contextlib.contextmanager
    def changing(self, name: str) -> Iterator[None]:
        """Keeps a name off the shelf while it is changed."""
        with self._lock:
            self._changing[name] = self._changing.get(name, 0) + 1
            self._drop(name)
        try:
            yield
        finally:
            with self._lock:
                self._changes += 1
                self._changing[name] -= 1
                if not self._changing[name]:
                    del self._changing[name]

    def clear(self) -> None:
        """Forgets everything, also what is just being put there."""
        with self._lock:
            self._changes += 1
            self._by_name.clear()
            self._kept.clear()
            self._memory = 0

    def _drop(self, name: str) -> None:
        self._by_name.pop(name, None)
        kept = self._kept.pop(name, None)
        if kept is not None:
            self._memory -= len(kept.content or b'')

    def _drop_content(self, name: str, kept: Shelved) -> None:
        self._memory -= len(kept.content or b'')
        try:
            self._by_name[name] = kept.without_content()
        except OSError:
            # There is no descriptor to spare.
            del self._by_name[name]
