"""What is wrong with the names, links, counts and spare blobs of a store, at one look."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import NamedTuple

import six

from filetracker.errors import InvalidName
from filetracker.protocol import check_stored_name
from filetracker.servers.storage import bulk
from filetracker.servers.storage.bdb import Environment
from filetracker.servers.storage.interfaces import Entry
from filetracker.servers.storage.links import Link, Links
from filetracker.servers.storage.lost_found import printable
from filetracker.servers.storage.upkeep.blob_files import BlobFiles


class Finding(NamedTuple):
    """Something that is not as it should be, with a name or a blob.

    What does no ``harm`` takes room, or is worth knowing.
    """

    kind: str
    what: str
    why: str
    harm: bool = True

    def __str__(self) -> str:
        return '%s: %s: %s' % (self.kind, self.what, self.why)


class Scrutiny:
    """Looks at a store, with ``environment`` for what it says of its names.

    Without one the links are believed. ``why(digest)`` says what is wrong with a blob that is
    there, ``''`` if nothing is.
    """

    def __init__(
        self,
        environment: Environment | None,
        files: BlobFiles,
        links: Links,
        why: Callable[[str], str],
    ) -> None:
        self._environment = environment
        self._files = files
        self._links = links
        self._why = why
        self._counts = bulk.Counts()
        #: How many were looked at.
        self.names = 0

    def all(self, step: Callable[[int], object]) -> Iterator[Finding]:
        """Yields all that looks wrong; ``step`` is called for each name and link."""
        if self._environment:
            for page in bulk.pages(self._environment):
                self.names += len(page)
                step(len(page))
                for name, entry in page:
                    self._counts.add(entry.digest)
                    yield from self._of_name(name, entry)
        for encoded, link in self._links.scan():
            step(1)
            self.names += not self._environment
            yield from self._of_link(encoded, link)
        for digest, count in self._counts.items():
            yield from self._of_count(digest, count)
        for file in self._files.walk():
            if not file.digest or file.digest not in self._counts:
                name = printable(os.path.basename(file.path))
                yield Finding('stray blob', name, 'no name leads to it', harm=False)

    def _of_name(self, name: str, entry: Entry) -> Iterator[Finding]:
        what = '%s@%d' % (name, entry.version)
        if self._files.stored_size(entry.digest) is None:
            yield Finding('missing content', what, entry.digest)
        elif why := self._why(entry.digest):
            yield Finding('damaged content', what, '%s (%s)' % (why, entry.digest))
        if not self._links.leads_to(name, entry.digest, entry.version):
            yield Finding('wrong link', what, 'it is not what the database says')

    def _of_link(self, encoded: bytes, link: Link | None) -> Iterator[Finding]:
        is_servable = _is_servable(encoded)
        if self._environment and is_servable:
            if bulk.find(self._environment, six.ensure_str(encoded)):
                return
        elif link:
            self._counts.add(link.digest)
        if link is None:
            yield Finding('link without a name', printable(encoded), 'it is no link')
            return
        what = '%s@%d' % (printable(encoded), link.version)
        if self._files.stored_size(link.digest) is None:
            yield Finding('missing content', what, printable(link.target))
        elif why := self._why(link.digest):
            yield Finding('damaged content', what, '%s (%s)' % (why, link.digest))
        elif not is_servable:
            yield Finding('odd name', what, 'it cannot be served', harm=False)
        elif self._environment:
            yield Finding('link without a name', what, 'the database has no such name')

    def _of_count(self, digest: str, count: int) -> Iterator[Finding]:
        if self._environment:
            said = bulk.count(self._environment, digest)
            if said != count:
                # One that is too low lets a content go too early.
                why = '%d names, and the database says %d' % (count, said)
                yield Finding('wrong count', digest, why, harm=said < count)


def _is_servable(encoded: bytes) -> bool:
    try:
        check_stored_name(six.ensure_str(encoded))
    except (UnicodeDecodeError, InvalidName):
        return False
    return True
