"""What ``filetracker-recover`` does to the parts of a store, one pass after the other.

Nothing here asks whether it is a rehearsal: then the parts do not change.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import NamedTuple

import six

from filetracker.errors import InvalidName
from filetracker.protocol import check_stored_name, check_version
from filetracker.servers.storage import bulk
from filetracker.servers.storage.bdb import Environment
from filetracker.servers.storage.bulk import Change
from filetracker.servers.storage.findings import Findings
from filetracker.servers.storage.interfaces import Entry
from filetracker.servers.storage.links import Link, Links
from filetracker.servers.storage.lost_found import LostAndFound, printable
from filetracker.servers.storage.mojibake import restored_name
from filetracker.servers.storage.pace import Progress
from filetracker.servers.storage.staleness import forget_staleness
from filetracker.servers.storage.takeover import take_over
from filetracker.servers.storage.upkeep.blob_files import BlobFiles
from filetracker.servers.storage.upkeep.contents import Contents, Inspect

Tell = Callable[[str], object]


class Parts(NamedTuple):
    """What a store is made of; nobody else has it."""

    environment: Environment
    links: Links
    blobs: BlobFiles
    lost: LostAndFound


class Report:
    """How much was found."""

    def __init__(self) -> None:
        self.broken_links = 0
        self.stray_blobs = 0


def repair(parts: Parts, inspect: Inspect, tell: Tell, progress: Progress) -> Report:
    """Goes over the whole store; each finding is told in one line."""
    return _Repair(parts, tell, progress).run(inspect)


class _Repair:
    def __init__(self, parts: Parts, tell: Tell, progress: Progress) -> None:
        self._environment, self._links, self._blobs, self._lost = parts
        self._tell = tell
        self._progress = progress
        self._report = Report()
        self._contents = Contents(self._environment, self._blobs)
        self._findings = _Findings(tell)
        self._counts = bulk.Counts()
        #: Names that were lost. In a rehearsal their links are still there.
        self._gone: set[bytes] = set()

    def run(self, inspect: Inspect) -> Report:
        self._contents.inspect(inspect, self._progress)
        self._keep_names()
        take_over(
            self._environment,
            self._links,
            self._blobs,
            self._progress,
            self._findings,
            self._contents.sizes,
        )
        self._check_names()
        self._check_links()
        self._check_blobs()
        self._contents.save_sizes()
        wrong = bulk.set_counts(self._environment, self._counts)
        if wrong:
            self._tell('%d records of counts and sizes were wrong' % wrong)
        return self._report

    def _keep_names(self) -> None:
        """Lets no take-over remove what only the database knows, since all links are lost."""
        if any(self._links.scan()) or not any(bulk.pages(self._environment)):
            return
        bulk.mark_complete(self._environment)
        forget_staleness(self._environment.home)

    # Names, and what their links should be

    def _check_names(self) -> None:
        with self._progress('checking names', None, 'names') as step:
            for page in bulk.pages(self._environment):
                checked = [Change(name, old, self._checked(name, old)) for name, old in page]
                bulk.apply(self._environment, [one for one in checked if one.new != one.old])
                for name, old, new in checked:
                    if new:
                        self._counts.add(new.digest)
                        self._set_link(name, old, new)
                step(len(page))

    def _checked(self, name: str, entry: Entry) -> Entry | None:
        """Returns what ``names`` should say of a name, ``None`` if it is lost."""
        why = self._contents.trouble(entry.digest)
        if not why:
            new = self._contents.entry(entry.version, entry.digest)
            self._tell_change(name, entry, new)
            return new
        self._report.broken_links += 1
        said = '%s (version %d, %s)' % (why, entry.version, entry.digest)
        link = self._links.look(name)
        if link and link.digest != entry.digest and not self._contents.trouble(link.digest):
            self._lost.note(name, said)
            self._tell(
                'broken link: %s: %s; version %d, to which its link leads, is served instead'
                % (name, said, link.version)
            )
            return self._contents.entry(link.version, link.digest)
        self._lose_link(six.ensure_binary(name), said)
        return None

    def _tell_change(self, name: str, old: Entry, new: Entry) -> None:
        if new.digest not in (old.digest, old.digest.lower()):
            self._tell('%s: its content was filed under a wrong digest, %s' % (name, old.digest))
        elif new.digest != old.digest:
            self._tell('%s: its content was filed in upper case' % name)
        elif new != old:
            self._tell('%s: its size was not what the database said' % name)

    def _set_link(self, name: str, old: Entry | None, new: Entry) -> None:
        if not self._links.leads_to(name, new.digest, new.version):
            self._links.set(name, new.digest, new.version)
            if new == old and name not in self._findings.names_restored:
                self._tell('%s: its link was not what the database says' % name)

    def _lose_link(self, name: bytes, why: str) -> None:
        self._gone.add(name)
        self._tell('broken link: %s: %s' % (printable(name), why))
        path = self._links.path(name)
        if os.path.lexists(path):
            self._lost.take(path, why)
            self._links.tidy(path)
        else:
            self._lost.note(os.fsdecode(name), why)

    # Links without a name

    def _check_links(self) -> None:
        with self._progress('checking links', None, 'names') as step:
            for encoded, link in self._links.scan():
                step(1)
                if self._gone & {encoded, _unmangled(encoded)}:
                    continue
                why = self._check_link(encoded, link) if link else 'it is no link'
                if why:
                    self._report.broken_links += 1
                    self._lose_link(encoded, why)

    def _check_link(self, encoded: bytes, link: Link) -> str:
        """Returns why a link is good for nothing, ``''`` if it stays."""
        name = _servable(encoded, link)
        if name and bulk.has(self._environment, name, link.version):
            return ''
        if name and bulk.find(self._environment, name):
            return ''
        why = self._contents.trouble(link.digest)
        if why:
            return '%s (version %d, %s)' % (why, link.version, printable(link.target))
        if self._restored(encoded, link):
            return ''
        if name:
            return 'the database knows no such name (version %d, %s)' % (link.version, link.digest)
        self._counts.add(link.digest)
        self._tell('%s: cannot be served under this name' % printable(encoded))
        return ''

    def _restored(self, encoded: bytes, link: Link) -> bool:
        """Restores the name of a link if it is mangled, and that is sure now."""
        mangled = encoded.decode('utf-8', 'replace')
        name = restored_name(mangled)
        if not name:
            return False
        new = self._contents.entry(link.version, link.digest)
        there = bulk.find(self._environment, name)
        if there == new:
            self._links.remove(mangled)
            return True
        if there or _servable(encoded, link) or not self._links.restore(mangled, name):
            return False
        bulk.apply(self._environment, [Change(name, None, new)])
        self._counts.add(new.digest)
        self._findings.name_restored(mangled, name)
        return True

    # Blobs without a name

    def _check_blobs(self) -> None:
        for file in self._blobs.walk():
            digest = file.digest or ''
            if digest in self._counts:
                continue
            if digest in self._contents.misfiled:
                self._blobs.drop(digest)
                self._tell('blob %s: is now %s' % (digest, self._contents.misfiled[digest]))
                continue
            self._report.stray_blobs += 1
            if digest in self._contents.damaged:
                why = 'damaged blob: %s' % self._contents.damaged[digest]
            else:
                why = 'stray blob: no name leads to it'
            self._tell('%s: %s' % (printable(os.path.basename(file.path)), why))
            self._lost.take(file.path, why)


class _Findings(Findings):
    """What a take-over finds and nobody would see later."""

    def __init__(self, tell: Tell) -> None:
        super().__init__()
        self._tell = tell
        self.names_restored: set[str] = set()

    def name_restored(self, mangled: str, name: str) -> None:
        self.names_restored.add(name)
        self._tell('%s: is the name that was stored as %s' % (name, printable(mangled.encode())))

    def name_taken(self, mangled: str, name: str) -> None:
        self._tell(
            '%s: may be what is stored as %s, but there is another file of that name'
            % (name, printable(mangled.encode()))
        )

    def name_unservable(self, name: bytes, why: str) -> None:
        pass

    def link_dangling(self, name: bytes, link: Link) -> None:
        pass

    def no_link(self, name: bytes) -> None:
        pass

    def blob_damaged(self, digest: str, why: str) -> None:
        pass

    def blob_misfiled(self, digest: str, actual: str) -> None:
        pass


def _unmangled(encoded: bytes) -> bytes:
    name = restored_name(encoded.decode('utf-8', 'replace'))
    return name.encode() if name else encoded


def _servable(encoded: bytes, link: Link) -> str | None:
    try:
        name = six.ensure_str(encoded)
        check_stored_name(name)
        check_version(link.version)
    except (UnicodeDecodeError, InvalidName):
        return None
    return name
