"""The catalogue in Berkeley DB, with its mirror in ``links/``.

``names`` is the truth, ``metadata`` what filetracker 2.3.3 keeps
(:mod:`filetracker.servers.storage.records`). Both change in one transaction. The mirror changes
inside it, before the commit; whatever a crash could leave behind is noted first
(:class:`~filetracker.servers.storage.intents.Intents`).
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterable, Iterator
from functools import partial

import six

from filetracker.durable import reporting_full_disk
from filetracker.errors import Busy, FiletrackerError, StoreFull, StoreUnusable
from filetracker.servers.storage import bdb, tombstones
from filetracker.servers.storage.activity import Activity
from filetracker.servers.storage.conflicts import check_conflicts
from filetracker.servers.storage.environments import release_environment
from filetracker.servers.storage.holds import holds_of
from filetracker.servers.storage.intents import Intents, Note
from filetracker.servers.storage.interfaces import (
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
from filetracker.servers.storage.level import children, page, stretch_of, survey
from filetracker.servers.storage.links import Aside, Links
from filetracker.servers.storage.records import (
    encode_entry,
    metadata_keys,
    name_key,
    newest,
    set_count,
    sizes_of,
)
from filetracker.servers.storage.stretches import stretches_of

logger = logging.getLogger(__name__)


class BerkeleyCatalog(Catalog):
    """The catalogue of the store that ``environment`` belongs to."""

    def __init__(self, environment: bdb.Environment, links: Links, intents: Intents) -> None:
        self.activity = Activity()
        self._environment = environment
        self._links = links
        self._intents = intents
        self._stretches = stretches_of(environment)
        self._metadata = environment.metadata
        self._names = environment.names
        self._notes: dict[str, list[Note]] = {}
        # Contents whose collection failed or was put off; their notes stay.
        self._uncollected: set[str] = set()
        self._closed = False

    @contextlib.contextmanager
    def intent(self, name: str, digest: str) -> Iterator[None]:
        note = self._intents.record(name, digest)
        try:
            yield
        except StoreUnusable:
            # Nobody knows what is durable; the next start will.
            raise
        except BaseException:
            self._settle(digest, note)
            raise
        self._settle(digest, note)

    @contextlib.contextmanager
    def _mirrored(self, name: str, digest: str | None = None) -> Iterator[None]:
        """Sets the mirror right where a transaction fails that may have changed it already."""
        try:
            yield
        except (OSError, Busy):
            try:
                self._environment.alone(partial(self._mirror, name))
            except (FiletrackerError, OSError) as error:
                logger.warning('the link of %s may be wrong until the next start: %s', name, error)
                if digest:
                    self._uncollected.add(digest)
            raise

    def _settle(self, digest: str, note: Note) -> None:
        if digest in self._uncollected:
            self._notes.setdefault(digest, []).append(note)
        else:
            self._intents.forget(note)

    def unfinished(self) -> Iterator[tuple[str, Callable[[], None]]]:
        for note, name, digest in self._intents.pending():
            try:
                self._environment.alone(partial(self._mirror, name))
            except OSError as error:
                logger.warning('the link of %s may be wrong until the next start: %s', name, error)
            else:
                yield digest, partial(self._intents.forget, note)

    def entry(self, name: str) -> Entry | None:
        return self._environment.read(partial(newest, self._names, name, None))

    def put(self, name: str, entry: Entry, has_blob: Callable[[Entry | None], bool]) -> Put:
        with (
            self._links.aside(name, entry.digest, entry.version) as link,
            self._mirrored(name, entry.digest),
        ):
            change = partial(self._put, name=name, entry=entry, has_blob=has_blob, link=link)
            result, note, _ = self._environment.transact(change, self._tell)
        self._keep(result.freed, note)
        return result

    def _tell(self, result: tuple[object, object, Change | None]) -> None:
        if result[2]:
            self.activity.census.changed(result[2])

    def _put(
        self,
        transaction: bdb.Transaction,
        name: str,
        entry: Entry,
        has_blob: Callable[[Entry | None], bool],
        link: Aside,
    ) -> tuple[Put, Note | None, Change | None]:
        old = newest(self._names, name, transaction)
        if old and old.version > entry.version:
            return Put(old.version), None, None
        if not old:
            check_conflicts(self._names, name, transaction)
        if not has_blob(old):
            return Put(entry.version, blob_is_missing=True), None, None
        freed, is_fresh = None, False
        if old:
            self._names.delete(name_key(name, old.version), transaction)
        if not old or old.digest != entry.digest:
            count = self._count(transaction, entry.digest) + 1
            is_fresh = count == 1
            set_count(self._metadata, transaction, entry.digest, count, entry.size)
            freed = old and self._remove_name(transaction, old.digest)
        self._names.put(name_key(name, entry.version), encode_entry(entry), transaction)
        if not old:
            self._stretches.change(six.ensure_binary(name))
        note = self._intents.record(name, freed) if freed else None
        with self._undone(note):
            self._links.place(link)
        return Put(entry.version, freed), note, Change(name, old, entry, is_fresh, bool(freed))

    def delete(self, name: str, version: int, condition: Condition = unconditionally) -> Delete:
        return self._remove(name, version, condition, self._delete)

    def bury(self, name: str, version: int, condition: Condition = unconditionally) -> Delete:
        return self._remove(name, version, condition, self._bury)

    def buried_version(self, name: str) -> int | None:
        return self._environment.read(partial(tombstones.buried_version, self._names, name, None))

    def _remove(
        self,
        name: str,
        version: int,
        condition: Condition,
        remove: Callable[..., tuple[Delete, Note | None, Change | None]],
    ) -> Delete:
        change = partial(remove, name=name, version=version, condition=condition)
        with self._mirrored(name):
            result, note, _ = self._environment.transact(change, self._tell)
        self._keep(result.freed, note)
        return result

    def _bury(
        self, transaction: bdb.Transaction, name: str, version: int, condition: Condition
    ) -> tuple[Delete, Note | None, Change | None]:
        old = newest(self._names, name, transaction)
        if old:
            # It may look at the tombstone, outside the transaction: not when that is changed.
            condition(old)
        is_first = False
        if not old or old.version <= version:
            is_first = tombstones.bury(self._names, name, version, transaction)
        result, note, change = self._delete(transaction, name, version, unconditionally)
        return result._replace(found=result.found or is_first), note, change

    def _delete(
        self, transaction: bdb.Transaction, name: str, version: int, condition: Condition
    ) -> tuple[Delete, Note | None, Change | None]:
        old = newest(self._names, name, transaction)
        if old:
            condition(old)
        if not old or old.version > version:
            return Delete(bool(old), old and old.version), None, None
        self._names.delete(name_key(name, old.version), transaction)
        self._stretches.change(six.ensure_binary(name))
        freed = self._remove_name(transaction, old.digest)
        note = None
        # Where there is no room for a note, this is what makes some.
        with contextlib.suppress(StoreFull), reporting_full_disk():
            note = self._intents.record(name, old.digest)
        with self._undone(note):
            self._links.remove(name)
        return Delete(found=True, freed=freed), note, Change(name, old, None, False, bool(freed))

    @contextlib.contextmanager
    def _undone(self, note: Note | None) -> Iterator[None]:
        """Forgets a note if the context fails."""
        try:
            yield
        except BaseException:
            if note:
                self._intents.forget(note)
            raise

    def _keep(self, freed: str | None, note: Note | None) -> None:
        if freed and note:
            self._notes.setdefault(freed, []).append(note)
        elif note:
            self._intents.forget(note)

    def page(self, directory: str, after: str, limit: int, cutoff: int | None = None) -> Page:
        return page(self._environment, directory, after, limit, cutoff)

    def stretch(self, position: bytes) -> Stretch:
        read = partial(stretch_of, self._environment)
        return self._environment.read(partial(self._stretches.find, position, read))

    def children(self, directory: str, after: str, limit: int) -> list[tuple[str, Entry | None]]:
        return children(self._environment, directory, after, limit)

    def survey(self, directory: str, after: str, limit: int, see: See) -> None:
        survey(self._environment, directory, after, limit, see)

    def count(self, digest: str) -> int:
        return self._environment.read(lambda: self._count(None, digest))

    def sizes(self, digests: Iterable[str]) -> dict[str, int]:
        with self._environment.staying_open:
            return self._environment.read(partial(sizes_of, self._metadata, list(digests)))

    def collect(self, digest: str, remove: Callable[[str], None]) -> bool:
        notes = self._notes.pop(digest, [])

        def collect(transaction: bdb.Transaction) -> bool | None:
            if self._count(transaction, digest):
                return False
            if holds_of(self._environment).postpone(partial(self.collect, digest, remove)):
                return None
            # What took the last name away must not be undone by a crash behind this.
            self._environment.flush()
            remove(digest)
            return True

        removed = None
        try:
            removed = self._environment.alone(collect)
        finally:
            if removed is None:
                self._uncollected.add(digest)
                self._notes.setdefault(digest, []).extend(notes)
        if removed is not None:
            self._uncollected.discard(digest)
            for note in notes:
                self._intents.forget(note)
        return bool(removed)

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._intents.close()
            release_environment(self._environment)

    def _count(self, transaction: bdb.Transaction, digest: str) -> int:
        return int(self._metadata.get(six.ensure_binary(digest), b'0', transaction))

    def _remove_name(self, transaction: bdb.Transaction, digest: str) -> str | None:
        """Takes one name from the count; returns the digest if it was the last."""
        count = self._count(transaction, digest)
        if count > 1:
            self._metadata.put(six.ensure_binary(digest), b'%d' % (count - 1), transaction)
            return None
        for key in metadata_keys(digest):
            if self._metadata.has_key(key, transaction):
                self._metadata.delete(key, transaction)
        return digest

    def _mirror(self, name: str, transaction: bdb.Transaction) -> None:
        entry = newest(self._names, name, transaction)
        if not entry:
            return self._links.remove(name)
        self._links.set(name, entry.digest, entry.version)
