"""Files in a directory of this machine: a cache, or a store of its own."""

from __future__ import annotations

import contextlib
import functools
import os
import stat
import time
from collections.abc import Iterator
from typing import IO

from filetracker.client.data_store import DataStore, Staged
from filetracker.client.disk import copy, disk_errors
from filetracker.client.names import Name, check_same_version, parse_name
from filetracker.durable import aside
from filetracker.errors import InvalidName, NameConflict, NotFound
from filetracker.utils import check_name, mkdir, rmdirs

SECOND = 10**9

#: How often a directory may vanish under us before that is an error.
_PATIENCE = 1000

_IN_THE_WAY = (FileNotFoundError, FileExistsError, NotADirectoryError, IsADirectoryError)


class LocalDataStore(DataStore):
    """Files in a directory, ``<dir>/files/<name>``; the modification time is the version.

    Files appear there by a rename alone, complete and with a time that is the version to the
    nanosecond. So a file with another fraction of a second was put there, or changed, by somebody
    else.

    Contents are copied in and out. A hard link would be one file under two names, and would be
    truthful only where nobody writes to either of them: callers write to what they get, and
    change or reuse what they put.

    Several processes may use a directory. To hold a name still over more than one call, take its
    lock (:mod:`filetracker.client.lock_manager`).
    """

    def __init__(self, dir: str | os.PathLike[str]) -> None:
        self.dir = os.path.join(dir, 'files')
        self._incoming = os.path.join(dir, 'incoming')
        with disk_errors(self.dir):
            mkdir(self.dir)

    def add_stream(self, name: str, file: IO[bytes]) -> str:
        with self.staged(file) as staged:
            return staged.add(name)

    @contextlib.contextmanager
    def staged(self, file: IO[bytes]) -> Iterator[Staged]:
        with disk_errors(self._incoming):
            mkdir(self._incoming)
            with aside(self._incoming) as own:
                copy(file, own, own.name)
                yield Staged(own.name, functools.partial(self._add, own))

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

    def get_stream(self, name: str) -> tuple[IO[bytes], str]:
        parsed = parse_name(name)
        self._stat(parsed)
        with self._absent_is_not_found(parsed):
            file = open(self._path(parsed), 'rb')
        try:
            # Another file may have come to that path since.
            version = _version(os.fstat(file.fileno()))
            check_same_version(parsed, version)
        except BaseException:
            file.close()
            raise
        return file, parsed.at(version)

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

    def _add(self, own: IO[bytes], name: str) -> str:
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
        with disk_errors(own.name):
            # Some file systems tell only here that there was no room.
            own.close()
            os.utime(own.name, ns=(time.time_ns(), version * SECOND))
        self._publish(own.name, parsed)
        return parsed.at(version)

    def _publish(self, own: str, name: Name) -> None:
        path = self._path(name)
        with disk_errors(path):
            for attempt in range(_PATIENCE):
                try:
                    mkdir(os.path.dirname(path))
                    os.replace(own, path)
                    return
                except _IN_THE_WAY:
                    conflict = self._conflict(name)
                    if conflict:
                        raise conflict from None
                    # Whoever deletes a file removes the directories it leaves empty, also in the
                    # moment in which they are made and found.
                    if attempt == _PATIENCE - 1:
                        raise

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
