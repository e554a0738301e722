"""What a request carries."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import IO

from filetracker.errors import BadUpload
from filetracker.gz import PIECE


class Body:
    """The first ``size`` bytes of a file: what a request carries.

    Each time it is sent it starts at the start of the file, which is open and seekable, and
    ``told`` is called with the number of bytes that were sent so far. ``is_sent`` is whether the
    last time all of it was.
    """

    def __init__(
        self, file: IO[bytes], size: int, told: Callable[[int], None] | None = None
    ) -> None:
        self.is_sent = False
        self._file = file
        self._size = size
        self._told = told

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[bytes]:
        left = self._size
        self.is_sent = False
        self._file.seek(0)
        while left:
            try:
                piece = self._file.read(min(left, PIECE))
            except OSError as error:
                # Else it would look like a failure of the connection.
                raise BadUpload('the file cannot be read: %s' % error) from error
            if not piece:
                raise BadUpload('the file became shorter while it was uploaded')
            left -= len(piece)
            yield piece
            if self._told:
                self._told(self._size - left)
        self.is_sent = True
