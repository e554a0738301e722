"""Filling ``names`` from ``links/``: stores of filetracker 2.3.3, and ours after it was used there.

Nothing is copied and no blob is touched. What is in ``names`` already and is as in ``links/`` stays
as it is, so that what was interrupted goes on quickly where it was.
"""

from __future__ import annotations

import functools
import logging
import os
import re
from collections.abc import Callable, Iterator
from typing import BinaryIO, Protocol

import six

from filetracker.errors import InvalidName, StoreUnusable
from filetracker.protocol import check_stored_name, check_version
from filetracker.servers.storage import bdb, bulk, inspection
from filetracker.servers.storage.bulk import Change
from filetracker.servers.storage.findings import Findings
from filetracker.servers.storage.interfaces import Entry
from filetracker.servers.storage.links import Link, Links
from filetracker.servers.storage.mojibake import restored_name
from filetracker.servers.storage.pace import Progress, logged
from filetracker.servers.storage.staleness import forget_staleness, is_stale

logger = logging.getLogger(__name__)

# 2.3.3 believed any digest, so that blobs may be there under odd names.
_BLOB_NAME = re.compile(r'[!-~]{3,}\Z')
_REMEMBERED = 1 << 16


class Blobs(Protocol):
    """What is needed of a :class:`~filetracker.servers.storage.interfaces.BlobStore`."""

    def open(self, digest: str) -> BinaryIO: ...

    def stored_size(self, digest: str) -> int | None: ...


ContentOf = Callable[[str], tuple[int, int]]


def take_over(
    environment: bdb.Environment,
    links: Links,
    blobs: Blobs,
    progress: Progress = logged,
    findings: Findings | None = None,
    content_of: ContentOf | None = None,
) -> None:
    """Makes ``names`` say what ``links/`` says, and sets all counts, if that has to be done.

    It has to be if ``names`` was never filled to the end, or if filetracker 2.3.3 has had the store
    since. May die anywhere, and is then done at the next start. Links without their blob and names
    that cannot be served stay where they are and are passed over; a blob that such a name has is
    counted, so that it stays too. Raises :class:`~filetracker.errors.StoreUnusable` if the store
    has a format of a later filetracker.

    ``content_of`` returns the plain and the stored size of a blob, for those who know; otherwise
    blobs are looked at. It raises ``FileNotFoundError``.
    """
    if bulk.is_complete(environment) and not is_stale(environment.home):
        return
    _TakeOver(environment, links, blobs, findings or Findings(), content_of).run(progress)


class _TakeOver:
    def __init__(
        self,
        environment: bdb.Environment,
        links: Links,
        blobs: Blobs,
        findings: Findings,
        content_of: ContentOf | None,
    ) -> None:
        self._environment = environment
        self._links = links
        self._blobs = blobs
        self._findings = findings
        #: The contents of names that cannot be served, one for each.
        self._kept: list[str] = []
        # Whether names may be there from before.
        self._again = any(True for _ in bulk.pages(environment))
        # Whether they were all there, and filetracker 2.3.3 came after that.
        self._stale = bulk.is_complete(environment)
        self._content_of = content_of or functools.lru_cache(_REMEMBERED)(self._measured)

    def run(self, progress: Progress) -> None:
        with progress('reading links', self._expected(), 'names') as step:
            for changes in bulk.batches(self._changes(step)):
                bulk.apply(self._environment, changes)
        if self._again:
            self._check_links()
            self._remove_unlinked(progress)
        with progress('counting', None, 'names') as step:
            totals = bulk.recount(self._environment, self._kept, step)
        bulk.mark_complete(self._environment)
        forget_staleness(self._environment.home)
        if totals.names or self._findings.any():
            logger.info('took over %s; %s', totals, self._findings)

    def _expected(self) -> int:
        """Returns how many names filetracker 2.3.3 counted."""
        return sum(
            int(value)
            for key, value in bulk.records(self._environment.metadata)
            if b':' not in key and value.isdigit()
        )

    def _changes(self, step: Callable[[int], object]) -> Iterator[Change]:
        for encoded, link in self._links.scan():
            step(1)
            if link is None:
                self._findings.no_link(encoded)
                continue
            try:
                name = self._name(encoded, link)
                old = bulk.find(self._environment, name) if self._again else None
                new = self._entry(link, old)
            except InvalidName as error:
                self._keep(encoded, link, str(error))
            except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
                self._findings.link_dangling(encoded, link)
            else:
                if new != old:
                    yield Change(name, old, new)

    def _name(self, encoded: bytes, link: Link) -> str:
        try:
            name = six.ensure_str(encoded)
        except UnicodeDecodeError:
            raise InvalidName('the name is not valid UTF-8') from None
        restored = restored_name(name)
        if restored and not (self._again and bulk.find(self._environment, name)):
            if self._links.restore(name, restored) or self._supersedes(name, link, restored):
                self._findings.name_restored(name, restored)
                return restored
            self._findings.name_taken(name, restored)
        check_stored_name(name)
        return name

    def _supersedes(self, mangled: str, link: Link, name: str) -> bool:
        """Lets a link replace that of a name of ours, if 2.3.3 has put it since."""
        ours = bulk.find(self._environment, name) if self._stale else None
        if not ours or ours.version > link.version:
            return False
        self._links.supersede(mangled, name)
        return True

    def _entry(self, link: Link, old: Entry | None) -> Entry:
        check_version(link.version)
        if not _BLOB_NAME.match(link.digest):
            raise InvalidName('it does not point to a blob')
        if old and _is_to(link, old):
            if self._blobs.stored_size(old.digest) == old.stored_size:
                return old
        return Entry(link.version, link.digest, *self._content_of(link.digest))

    def _measured(self, digest: str) -> tuple[int, int]:
        with self._blobs.open(digest) as blob:
            stored_size = os.fstat(blob.fileno()).st_size
            said = bulk.plain_size(self._environment, digest)
            if said is not None and inspection.looks_whole(blob, stored_size, said):
                return said, stored_size
            verdict = inspection.inspect(blob)
        if verdict.damage:
            self._findings.blob_damaged(digest, verdict.damage)
            # Not its size: whoever opens it looks again, and it may be good by then.
            return 0, int(not stored_size)
        if verdict.digest != digest.lower():
            self._findings.blob_misfiled(digest, verdict.digest)
        return verdict.size, stored_size

    def _keep(self, encoded: bytes, link: Link, why: str) -> None:
        self._findings.name_unservable(encoded, why)
        if _BLOB_NAME.match(link.digest) and self._blobs.stored_size(link.digest) is not None:
            self._kept.append(link.digest)

    def _remove_unlinked(self, progress: Progress) -> None:
        with progress('looking for names without a link', None, 'names') as step:
            for page in bulk.pages(self._environment):
                gone = [
                    Change(name, old, None) for name, old in page if not self._is_linked(name, old)
                ]
                bulk.apply(self._environment, gone)
                step(len(page))

    def _check_links(self) -> None:
        """Raises if all links were lost, which is not how names are deleted: blobs go with them."""
        if any(self._links.scan()):
            return
        for page in bulk.pages(self._environment):
            if any(self._blobs.stored_size(entry.digest) is not None for _, entry in page):
                raise StoreUnusable('"links" is empty, and lost; filetracker-recover makes it anew')

    def _is_linked(self, name: str, entry: Entry) -> bool:
        link = self._links.look(name)
        return bool(
            link and _is_to(link, entry) and self._blobs.stored_size(entry.digest) is not None
        )


def _is_to(link: Link, entry: Entry) -> bool:
    return link.version == entry.version and link.digest == entry.digest
