"""Files that are open for reading, and can be found by their content's name as long as they are."""

from __future__ import annotations

import contextlib
import io
import os
import tempfile
from typing import IO

from filetracker.client.disk import copy, disk_errors
from filetracker.durable import PREFIX


class NamedFile(io.BufferedReader):
    """A regular file, opened for reading. ``path`` is where it was found."""

    def __init__(self, path: str) -> None:
        super().__init__(io.FileIO(path))
        self.path = path
        self._own: str | None = None
        self._process = os.getpid()

    @property
    def name(self) -> str:
        """The path of a file with this content.

        That is where it was found, unless there is another file now, or none: then it is a copy,
        which is gone when the stream is closed.
        """
        if self._own is None and not self.closed and not self._is_there():
            with disk_errors(tempfile.gettempdir()), open(_descriptor_path(self), 'rb') as source:
                self._own = _temporary_copy(source)
        return self._own or self.path

    def close(self) -> None:
        super().close()
        if self._own and self._process == os.getpid():
            with contextlib.suppress(OSError):
                os.unlink(self._own)

    def _is_there(self) -> bool:
        try:
            return os.path.samestat(os.fstat(self.fileno()), os.stat(self.path))
        except OSError:
            return False


class TemporaryFile(NamedFile):
    """A copy of what can be read from ``source``, which is gone when it is closed."""

    def __init__(self, source: IO[bytes]) -> None:
        with disk_errors(tempfile.gettempdir()):
            path = _temporary_copy(source)
        super().__init__(path)
        self._own = path


def _descriptor_path(file: IO[bytes]) -> str:
    return '/proc/self/fd/%d' % file.fileno()


def _temporary_copy(source: IO[bytes]) -> str:
    descriptor, path = tempfile.mkstemp(prefix=PREFIX)
    try:
        with open(descriptor, 'wb') as file:
            copy(source, file, path)
    except BaseException:
        os.unlink(path)
        raise
    return path
