"""What a client asks of a place where files are."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Callable, Iterator
from typing import IO, NamedTuple

from filetracker.client.disk import copy, disk_errors, size_of, target
from filetracker.client.progress import Progress, counted


class FileStat(NamedTuple):
    """What a store knows of a file.

    ``name`` is the versioned name, ``size`` the number of the plain bytes, and ``digest`` their
    SHA-256 in lower-case hex; ``None`` where the server does not tell, as those of filetracker
    2.3.3 do not.
    """

    name: str
    version: int
    size: int
    digest: str | None


class Staged(NamedTuple):
    """A copy of a content that is not in the store yet.

    ``path`` is a file with the content, that nobody else knows. ``add(name)`` adds it to the store
    as :meth:`DataStore.add_stream` would, at most once.
    """

    path: str
    add: Callable[[str], str]


class DataStore:
    """A place where files are, under names.

    A store keeps one version of a name, its newest. Names are those of
    :func:`filetracker.utils.check_name`; what is wrong with one is an
    :class:`~filetracker.errors.InvalidName`. "Missing" is everywhere a
    :class:`~filetracker.errors.NotFound`, also where there is the name, but in another version
    than the one asked for.
    """

    class FileInfoEntry(NamedTuple):
        """A file in a store: its versioned name, its modification time, its size in bytes."""

        name: str
        mtime: float
        size: int

    def add_stream(self, name: str, file: IO[bytes]) -> str:
        """Stores what can be read from ``file``, and returns the versioned name.

        A name without a version gets the version of the moment, or a later one that no file of
        that name has had here. With a version, the file is stored under that one and replaces an
        equal or older one; if there is a newer one, nothing changes, and the newer versioned name
        is returned. Whoever reads meanwhile gets the old content or the new one.
        """
        raise NotImplementedError

    def add_file(
        self,
        name: str,
        filename: str | os.PathLike[str],
        compress_hint: bool = True,
        progress: Progress | None = None,
    ) -> str:
        """Stores a file, as :meth:`add_stream` does.

        ``compress_hint`` says whether to compress it before it travels.
        """
        with disk_errors(os.fspath(filename)), open(filename, 'rb') as file:
            return self.add_stream(name, counted(file, size_of(file), progress))

    @contextlib.contextmanager
    def staged(self, file: IO[bytes], progress: Progress | None = None) -> Iterator[Staged]:
        """Yields a private copy of a content whose version is not known yet.

        At the end the copy is gone, unless it was added.
        """
        with (
            disk_errors(tempfile.gettempdir()),
            tempfile.NamedTemporaryFile(prefix='filetracker-') as own,
        ):
            copy(file, own, own.name, progress)
            yield Staged(own.name, lambda name: self.add_file(name, own.name))

    def exists(self, name: str) -> bool:
        """Whether there is such a file; with a version in the name, in that very version."""
        raise NotImplementedError

    def file_version(self, name: str) -> int:
        """Returns the version that a file has; a version in the name is ignored."""
        raise NotImplementedError

    def file_size(self, name: str) -> int:
        """Returns how many bytes a file has."""
        raise NotImplementedError

    def stat(self, name: str) -> FileStat:
        """Returns version, size and digest of a file.

        A store that keeps no digests reads the file for it.
        """
        raise NotImplementedError

    def get_stream(self, name: str) -> tuple[IO[bytes], str]:
        """Opens a file for reading; returns the binary stream and the versioned name.

        The caller closes the stream.
        """
        raise NotImplementedError

    def get_file(
        self,
        name: str,
        filename: str | os.PathLike[str],
        progress: Progress | None = None,
    ) -> str:
        """Saves the content of a file as ``filename``, and returns the versioned name.

        An existing file is replaced at once and only when the new content is complete; its folder
        is made where it is missing.
        """
        stream, versioned = self.get_stream(name)
        with contextlib.closing(stream), target(filename) as file:
            copy(stream, file, filename, progress)
        return versioned

    def clear_way(self, name: str) -> None:
        """Removes the files that keep a name from being stored, where there can be such.

        Those are the one that stands where a directory is needed, and all below the name itself.
        """

    def delete_file(self, name: str) -> None:
        """Removes a file; with a version in the name, unless the file is newer."""
        raise NotImplementedError

    def list_files(self) -> list[FileInfoEntry]:
        """Returns an entry for each file."""
        raise NotImplementedError

    def list_names(self, directory: str = '/') -> list[str]:
        """Returns the names of all files below a directory, at any depth, sorted.

        They are whole, with the leading slash, and have no version. Raises
        :class:`~filetracker.errors.NotFound` if there is no such directory; ``/`` is always there.
        """
        raise NotImplementedError
