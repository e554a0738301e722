"""Files in a directory of this machine: a cache, or a store of its own."""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
import stat
import time
from collections.abc import Iterator
from typing import IO

from filetracker.client.data_store import DataStore, FileStat, Staged
from filetracker.client.disk import copy, disk_errors, sweep
from filetracker.client.named_file import NamedFile
from filetracker.client.names import (
    Name,
    below,
    check_same_version,
    parse_name,
    version_of,
)
from filetracker.client.progress import Progress
from filetracker.durable import Aside, aside, path_of, publish
from filetracker.errors import InvalidName, NameConflict, NotFound
from filetracker.utils import check_name, file_digest, mkdir, rmdirs, split_name

SECOND = 10**9

#: Where a file has an attribute of that name, it is how many bytes it has, in decimal.
SIZE_ATTRIBUTE = 'user.filetracker.size'

#: How often a directory may vanish under us before that is an error.
_PATIENCE = 1000

_IN_THE_WAY = (FileNotFoundError, FileExistsError, NotADirectoryError, IsADirectoryError)


class LocalDataStore(DataStore):
    """Files in a directory, ``<dir>/files/<name>``; the modification time is the version.

    Files appear there by a rename alone, complete and with a time that is the version to the
    nanosecond. So a file with another fraction of a second was put there, or changed, by somebody
    else.

    A file that a caller has, before it was put or after it was got, is never the same file as the
    one here: whoever writes to it, changes its mode or sets its time would do that to what all
    others read, and no time could be relied on to tell, as programs set it back and as writes
    through memory set it late. So contents are copied in and out, or share their blocks where the
    file system can do that. What is a hard link is what nobody but the store has: the way of a
    file from where it is written to its name, and the ``name`` of a stream, under which the
    content of just that version can be found until the stream is closed.

    Several processes may use a directory. To hold a name still over more than one call, take its
    lock (:mod:`filetracker.client.lock_manager`).
    """

    def __init__(self, dir: str | os.PathLike[str]) -> None:
        self.dir = os.path.join(dir, 'files')
        self._incoming = os.path.join(dir, 'incoming')
        self._is_swept = False
        with disk_errors(self.dir):
            mkdir(self.dir)

    def add_stream(self, name: str, file: IO[bytes]) -> str:
        with self.staged(file) as staged:
            return staged.add(name)

    def add_file(
        self,
        name: str,
        filename: str | os.PathLike[str],
        compress_hint: bool = True,
        progress: Progress | None = None,
    ) -> str:
        with disk_errors(os.fspath(filename)), open(filename, 'rb') as file:
            with self.staged(file, progress) as staged:
                return staged.add(name)

    @contextlib.contextmanager
    def staged(self, file: IO[bytes], progress: Progress | None = None) -> Iterator[Staged]:
        with disk_errors(self._incoming):
            mkdir(self._incoming)
            if not self._is_swept:
                self._is_swept = True
                sweep(self._incoming)
            with aside(self._incoming) as own:
                copy(file, own, self._incoming, progress)
                yield Staged(path_of(own), functools.partial(self._add, own))

    def exists(self, name: str) -> bool:
        try:
            self._stat(parse_name(name))
        except NotFound:
            return False
        return True

    def file_version(self, name: str) -> int:
        parsed = parse_name(name).newest
        return _version(self._stat(parsed))

    def file_size(self, name: str) -> int:
        return self._stat(parse_name(name)).st_size

    def stat(self, name: str) -> FileStat:
        stream, versioned = self.get_stream(name)
        with stream, disk_errors(self._path(parse_name(name))):
            digest = file_digest(stream)
            return FileStat(versioned, version_of(versioned), stream.tell(), digest)

    def get_stream(self, name: str) -> tuple[IO[bytes], str]:
        parsed = parse_name(name)
        self._stat(parsed)
        with self._absent_is_not_found(parsed):
            file = NamedFile(self._path(parsed))
        try:
            # Another file may have come to that path since.
            version = _version(os.fstat(file.fileno()))
            check_same_version(parsed, version)
        except BaseException:
            file.close()
            raise
        return file, parsed.at(version)

    def clear_way(self, name: str) -> None:
        parsed = parse_name(name)
        path = self._path(parsed)
        above = os.path.dirname(path)
        with disk_errors(path):
            while above != self.dir:
                if os.path.isfile(above):
                    os.unlink(above)
                above = os.path.dirname(above)
            if os.path.isdir(path):
                shutil.rmtree(path)

    def delete_file(self, name: str) -> None:
        """Removes a file; with a version in the name, unless the file is newer.

        It is fine if there is no such file.
        """
        parsed = parse_name(name)
        path = self._path(parsed)
        try:
            stored = _version(self._stat(parsed.newest))
            if parsed.version is not None and parsed.version < stored:
                return
            with self._absent_is_not_found(parsed):
                os.unlink(path)
        except NotFound:
            return
        # A folder may have become a file meanwhile.
        with disk_errors(path), contextlib.suppress(NotADirectoryError):
            rmdirs(os.path.dirname(path), self.dir)

    def list_files(self) -> list[DataStore.FileInfoEntry]:
        """Returns an entry for each file; what no name can mean is left out."""
        entries = []
        for folder, _, files in os.walk(self.dir):
            for file in files:
                path = os.path.join(folder, file).removeprefix(self.dir)
                try:
                    check_name(path, allow_version=False)
                    name = parse_name(path)
                    status = self._stat(name)
                except (InvalidName, NotFound):
                    continue
                entries.append(
                    self.FileInfoEntry(name.at(_version(status)), status.st_mtime, status.st_size)
                )
        return entries

    def list_names(self, directory: str = '/') -> list[str]:
        return below(directory, (split_name(entry.name)[0] for entry in self.list_files()))

    def _path(self, name: Name) -> str:
        return os.path.join(self.dir, name.stored)

    def _stat(self, name: Name) -> os.stat_result:
        """Raises :class:`~filetracker.errors.NotFound` unless it is a file in that version."""
        with self._absent_is_not_found(name):
            status = os.stat(self._path(name))
        if not stat.S_ISREG(status.st_mode):
            raise NotFound(str(name))
        check_same_version(name, _version(status))
        return status

    @contextlib.contextmanager
    def _absent_is_not_found(self, name: Name) -> Iterator[None]:
        with disk_errors(self._path(name)):
            try:
                yield
            except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
                raise NotFound(str(name)) from None

    def _add(self, own: Aside, name: str) -> str:
        parsed = parse_name(name)
        try:
            stored = self.file_version(parsed.bare)
        except NotFound:
            stored = None
        version = parsed.version
        if version is None:
            version = int(time.time())
            if stored is not None:
                version = max(version, stored + 1)
        elif stored is not None and stored > version:
            return parsed.at(stored)
        with disk_errors(self._incoming):
            own.flush()
            self._mark(own, version)
        self._publish(own, parsed)
        return parsed.at(version)

    def _publish(self, own: Aside, name: Name) -> None:
        path = self._path(name)
        with disk_errors(path):
            for attempt in range(_PATIENCE):
                try:
                    mkdir(os.path.dirname(path))
                    publish(own, path, self._incoming)
                    return
                except _IN_THE_WAY:
                    conflict = self._conflict(name)
                    if conflict:
                        raise conflict from None
                    # Whoever deletes a file removes the directories it leaves empty, also in the
                    # moment in which they are made and found.
                    if attempt == _PATIENCE - 1:
                        raise

    def _mark(self, own: Aside, version: int) -> None:
        with contextlib.suppress(OSError):
            # A loss of power may leave the name and the time, and not the bytes.
            os.setxattr(own.fileno(), SIZE_ATTRIBUTE, b'%d' % os.fstat(own.fileno()).st_size)
        os.utime(own.fileno(), ns=(time.time_ns(), version * SECOND))

    def _conflict(self, name: Name) -> NameConflict | None:
        parts = name.stored.split('/')
        for end in range(1, len(parts)):
            other = '/'.join(parts[:end])
            if os.path.isfile(os.path.join(self.dir, other)):
                return NameConflict(name.bare, '/' + other)
        if os.path.isdir(self._path(name)):
            message = 'cannot store %s while there are files below it' % name.bare
            return NameConflict(name.bare, name.bare + '/', message)
        return None


def _version(status: os.stat_result) -> int:
    # Filetracker 2.3.3 leaves fractions of a second; the version is what is before them.
    return status.st_mtime_ns // SECOND
