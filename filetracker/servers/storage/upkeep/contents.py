"""Which contents of a store that nobody has open can be had, and under which digest."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import NamedTuple

from filetracker.servers.storage import bulk, inspection
from filetracker.servers.storage.bdb import Environment
from filetracker.servers.storage.inspection import Verdict
from filetracker.servers.storage.interfaces import Entry
from filetracker.servers.storage.pace import Progress
from filetracker.servers.storage.upkeep.blob_files import BlobFile, BlobFiles
from filetracker.servers.storage.upkeep.parallel import in_parallel

_REMEMBERED = 1 << 16


class Task(NamedTuple):
    """A blob to be looked at, and what the database says of the size of its content."""

    file: BlobFile
    size: int | None


Inspect = Callable[[Task], 'Verdict | None']


def quick(task: Task) -> Verdict | None:
    """Reads a blob only if there is a reason to; returns ``None`` if there is none."""
    file, size = task
    if file.well_named and size is not None:
        with open(file.path, 'rb') as blob:
            if inspection.looks_whole(blob, file.stored_size, size):
                return None
    return thorough(task)


def thorough(task: Task) -> Verdict | None:
    """Reads and verifies a blob."""
    with open(task.file.path, 'rb') as blob:
        return inspection.inspect(blob)


class _Found(NamedTuple):
    trouble: str
    digest: str = ''
    size: int = 0
    stored_size: int = 0


class Contents:
    """What is known of the blobs. Those that were verified are marked, and the database is told
    the sizes of their contents.

    A whole blob whose name is not the digest of its content gets that as a second name.
    """

    def __init__(self, environment: Environment, blobs: BlobFiles) -> None:
        self._environment = environment
        self._blobs = blobs
        #: Digest to why the content cannot be read.
        self.damaged: dict[str, str] = {}
        #: The name of a blob to the digest of its content, where they differ.
        self.misfiled: dict[str, str] = {}
        # The digests of these contents to their plain and stored sizes.
        self._refiled: dict[str, tuple[int, int]] = {}
        # Nothing of it changes behind :meth:`inspect`.
        self._found = functools.lru_cache(_REMEMBERED)(self._look_up)

    def inspect(self, inspect: Inspect, progress: Progress) -> None:
        """Looks at each blob, in parallel."""
        total = self._blobs.stored_bytes() if inspect is thorough else None
        with progress('inspecting blobs', total, 'B') as step:
            for batch in bulk.batches(in_parallel(inspect, self._tasks())):
                sizes: list[tuple[str, int]] = []
                for (file, said), verdict in batch:
                    step(file.stored_size)
                    if verdict and file.digest:
                        self._judge(file.digest, file.verified, verdict)
                        if said != verdict.size:
                            sizes.append((file.digest, verdict.size))
                bulk.set_sizes(self._environment, sizes)
        for digest, actual in self.misfiled.items():
            self._refile(digest, actual)

    def trouble(self, digest: str) -> str:
        """Returns why a content cannot be had, ``''`` if it can."""
        return self._found(digest).trouble

    def entry(self, version: int, digest: str) -> Entry:
        """Returns what ``names`` should say of a content that can be had."""
        found = self._found(digest)
        return Entry(version, found.digest, found.size, found.stored_size)

    def sizes(self, digest: str) -> tuple[int, int]:
        """Returns the plain and the stored size of a blob. Raises ``FileNotFoundError``."""
        stored_size = self._blobs.stored_size(digest)
        if stored_size is None:
            raise FileNotFoundError(digest)
        return bulk.plain_size(self._environment, digest) or 0, stored_size

    def _look_up(self, digest: str) -> _Found:
        if digest in self.damaged:
            return _Found('its content is damaged (%s)' % self.damaged[digest])
        actual = self.misfiled.get(digest, digest)
        if actual in self._refiled:
            return _Found('', actual, *self._refiled[actual])
        stored_size = self._blobs.stored_size(digest)
        if stored_size is None:
            return _Found('its content is missing')
        return _Found('', digest, bulk.plain_size(self._environment, digest) or 0, stored_size)

    def save_sizes(self) -> None:
        """Tells the database the sizes of contents that were found under another digest.

        To be called when names have them: the database keeps no sizes of other contents.
        """
        sizes = [(digest, size) for digest, (size, _) in self._refiled.items()]
        bulk.set_sizes(self._environment, sizes)

    def _tasks(self) -> Iterator[Task]:
        for file in self._blobs.walk():
            if file.digest:
                yield Task(file, bulk.plain_size(self._environment, file.digest))

    def _judge(self, digest: str, verified: bool, verdict: Verdict) -> None:
        if verdict.damage:
            self.damaged[digest] = verdict.damage
        elif verdict.digest != digest:
            self.misfiled[digest] = verdict.digest
        elif not verified:
            self._blobs.mark_verified(digest)

    def _refile(self, digest: str, actual: str) -> None:
        """Lets a content be found under its own digest too, if it is not yet."""
        stored_size = self._blobs.stored_size(actual)
        if stored_size is None or actual in self.damaged:
            stored_size = self._blobs.stored_size(digest) or 0
            self._blobs.name(digest, actual)
            self._blobs.mark_verified(actual)
            self.damaged.pop(actual, None)
        self._refiled[actual] = bulk.plain_size(self._environment, digest) or 0, stored_size
