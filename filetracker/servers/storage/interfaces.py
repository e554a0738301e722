"""What a store is made of: bytes, which are known by their digest, and names.

A *name* is checked (:func:`filetracker.protocol.check_stored_name`) and a *version* too before
they come here, and no backend checks them again. A *digest* is the SHA-256 of the plain bytes in
hex.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, BinaryIO, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from filetracker.servers.storage.activity import Activity


class Entry(NamedTuple):
    """What the catalogue knows of a name.

    ``size`` counts the plain bytes, ``stored_size`` those of the blob.
    """

    version: int
    digest: str
    size: int
    stored_size: int


class Change(NamedTuple):
    """The entry of a name was ``old`` and is ``new``; ``None`` where it had or has none.

    ``is_fresh`` says whether no name had the content of ``new`` before, ``is_freed`` whether none
    has that of ``old`` any more.
    """

    name: str
    old: Entry | None
    new: Entry | None
    is_fresh: bool
    is_freed: bool


#: Is called with names and their entries.
See: TypeAlias = Callable[[list[tuple[str, Entry]]], None]

#: Is called with the entry that a name has, and raises where that is not to be changed.
Condition: TypeAlias = Callable[[Entry | None], object]


def unconditionally(entry: Entry | None) -> None:
    """The condition that always holds."""


class BlobStore(ABC):
    """Immutable gzip blobs, addressed by the SHA-256 of their plain bytes."""

    @abstractmethod
    def spool(self) -> BinaryIO:
        """Returns an empty file, to be written and handed to :meth:`add`.

        It has no name that a reader could find, and is gone when it is closed or when the
        process ends.
        """

    @abstractmethod
    def add(self, digest: str, spooled: BinaryIO) -> int:
        """Takes over the content of ``spooled``, a gzip file that inflates to ``digest``.

        The blob is durable on return. If it is already there and good, it stays and ``spooled``
        is not used. Returns the size of the blob that is there now, in bytes. The caller closes
        ``spooled``.
        """

    @abstractmethod
    def open(self, digest: str) -> BinaryIO:
        """Returns the blob for reading; the caller closes it.

        Raises ``FileNotFoundError`` if there is none.
        """

    @abstractmethod
    def stored_size(self, digest: str) -> int | None:
        """Returns the size of the blob in bytes, ``None`` if there is none."""

    @abstractmethod
    def distrust(self, digest: str) -> None:
        """Remembers that the blob may be damaged; an absent one is fine.

        The next :meth:`add` compares it, and replaces it if it is no good.
        """

    @abstractmethod
    def remove(self, digest: str) -> None:
        """Removes the blob; an absent one is fine.

        Whoever has it open can read on.
        """

    @abstractmethod
    def digests_with(self, prefix: str) -> list[str]:
        """Returns the digests that begin with ``prefix``, two hex digits, sorted.

        One that comes or goes meanwhile may be missing, and there may be others that are none.
        """

    @abstractmethod
    def digests(self) -> Iterator[str]:
        """Yields the digest of each blob, in no order.

        One that comes or goes meanwhile may be missing.
        """


class Catalog(ABC):
    """Which name has which version and content, and how many names each content has.

    Each method is one transaction; all of them look as if one happened after the other. What
    changed something is durable on return. A name has one entry, that of its newest version.
    Raises :class:`~filetracker.errors.Busy` when a transaction cannot be had.
    """

    #: Is told of each change behind its commit and before the next one.
    activity: Activity

    @abstractmethod
    def intent(self, name: str, digest: str) -> AbstractContextManager[None]:
        """Remembers, while the context lasts, that a blob may come to be there for ``name``.

        If the process dies in it, :meth:`unfinished` tells of it after the next start.
        """

    @abstractmethod
    def unfinished(self) -> Iterator[tuple[str, Callable[[], None]]]:
        """Yields the digests of blobs that may have no name since the process died.

        Each with what forgets it, to be called when that blob was seen to. Meant for the start,
        before anything else.
        """

    @abstractmethod
    def entry(self, name: str) -> Entry | None:
        """Returns the entry of a name, ``None`` if it has none."""

    @abstractmethod
    def put(self, name: str, entry: Entry, has_blob: Callable[[Entry | None], bool]) -> Put:
        """Puts the name, if it is not older than what is there.

        ``has_blob`` is asked inside the transaction, with the entry that the name has; if it says
        no or raises, nothing changes. Raises what it raises, and
        :class:`~filetracker.errors.NameConflict` if a component of the name is a file, or the name
        a directory.
        """

    @abstractmethod
    def delete(self, name: str, version: int, condition: Condition = unconditionally) -> Delete:
        """Removes the name, if ``version`` is not older than what is there.

        Raises what ``condition`` does; then nothing changes.
        """

    @abstractmethod
    def bury(self, name: str, version: int, condition: Condition = unconditionally) -> Delete:
        """Removes the name as :meth:`delete` does, and remembers for ever that it was there.

        A name that is not there is remembered as well; it counts as found unless it was buried
        before. The newest version with which it was buried is kept.
        """

    @abstractmethod
    def buried_version(self, name: str) -> int | None:
        """Returns the version with which a name was buried, ``None`` if it never was.

        It may have been put again since. Meant for conditions of changes, too.
        """

    @abstractmethod
    def page(self, directory: str, after: str, limit: int, cutoff: int | None = None) -> Page:
        """Returns names below a directory, sorted by their bytes in UTF-8.

        ``directory`` is what they begin with: ``''``, or it ends with a slash, but it may be any
        other text too. Only names behind ``after`` (``''``: from the first; else it begins so as
        well), at most ``limit`` of them; of these, where there is a ``cutoff``, the names whose
        version is not newer. One that is there all the time is never left out.
        """

    @abstractmethod
    def stretch(self, position: bytes) -> Stretch:
        """Returns a part of all the names, so many as are at hand: one that has ``position``.

        That stands where a name of these bytes would be.
        """

    @abstractmethod
    def children(self, directory: str, after: str, limit: int) -> list[tuple[str, Entry | None]]:
        """Returns what is directly in a directory, relative to it, at most ``limit``.

        ``directory`` is ``''`` or ends with a slash. A file comes with its entry, a directory with
        a slash at its end and ``None``; sorted by their bytes, slash and all. Only what is behind
        ``after``, in the same form (``''``: from the first). One that is there all the time is
        never left out.
        """

    @abstractmethod
    def survey(self, directory: str, after: str, limit: int, see: See) -> None:
        """Calls ``see`` with names and their entries, chosen as :meth:`page` does.

        No name changes meanwhile: the condition of each change was asked, and the change made,
        before or after.
        """

    @abstractmethod
    def count(self, digest: str) -> int:
        """Returns how many names a content has."""

    @abstractmethod
    def sizes(self, digests: Iterable[str]) -> dict[str, int]:
        """Returns how many plain bytes contents have, of those digests that have a name."""

    @abstractmethod
    def collect(self, digest: str, remove: Callable[[str], None]) -> bool:
        """Calls ``remove(digest)`` if no name has that content.

        No name gets it meanwhile: a :meth:`put` comes before or after. Returns whether it was
        called.
        """

    @abstractmethod
    def close(self) -> None:
        """Releases what the catalogue holds; it may be called twice."""


class Page(NamedTuple):
    """A part of a list: ``text`` has names, relative to the directory, each with a newline behind.

    ``last`` is the last name that was looked at, whole, ``''`` if there was none; ``is_final`` says
    that there are no others behind it.
    """

    text: bytes
    last: str
    is_final: bool


#: As a position, it is behind all names: no UTF-8 has this byte.
BEHIND_ALL = b'\xff'


class Stretch(NamedTuple):
    """The names from ``start`` on and before ``stop``, sorted by their UTF-8.

    ``text`` has each with a newline behind it. There is no other name between the two.
    """

    start: bytes
    stop: bytes
    text: bytes


class Put(NamedTuple):
    """What came of :meth:`Catalog.put`.

    ``version`` is the version that the name has now, ``freed`` the digest that has no name any
    more. ``blob_is_missing`` means that nothing was done.
    """

    version: int
    freed: str | None = None
    blob_is_missing: bool = False


class Delete(NamedTuple):
    """What came of :meth:`Catalog.delete`.

    ``found`` says whether there was such a name, ``kept`` is the version that stays because it is
    newer, ``freed`` the digest that has no name any more.
    """

    found: bool
    kept: int | None = None
    freed: str | None = None
