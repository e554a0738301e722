"""The parts of a store for a rehearsal: they look like the others, and change nothing."""

from __future__ import annotations

from filetracker.servers.storage.links import Links
from filetracker.servers.storage.lost_found import LostAndFound
from filetracker.servers.storage.upkeep.blob_files import BlobFiles


class UnchangedLinks(Links):
    """The links as they are."""

    def set(self, name: str, digest: str, version: int) -> None:
        pass

    def remove(self, name: str) -> None:
        pass

    def restore(self, mangled: str, name: str) -> bool:
        return not self._is_taken(self._path(name))

    def supersede(self, mangled: str, name: str) -> None:
        pass

    def tidy(self, path: bytes) -> None:
        pass


class UnchangedLostAndFound(LostAndFound):
    """Takes nothing."""

    def take(self, path: bytes, why: str) -> None:
        pass

    def note(self, name: str, why: str) -> None:
        pass


class UnchangedBlobFiles(BlobFiles):
    """The blobs as they are."""

    def name(self, digest: str, actual: str) -> None:
        pass

    def drop(self, digest: str) -> None:
        pass

    def mark_verified(self, digest: str) -> None:
        pass
