"""Answers of a server that are known by a whole head."""

from __future__ import annotations

from http.client import HTTPResponse
from typing import Any


class WholeHead(HTTPResponse):
    """An answer whose head has an end: the base takes one that is cut off for a short one."""

    def begin(self) -> None:
        file = self.fp
        self.fp = _Lines(file)  # type: ignore[assignment]
        try:
            super().begin()
        finally:
            # It is given up where there is no answer.
            if self.fp is not None:
                self.fp = file


class _Lines:
    def __init__(self, file: Any) -> None:
        self._file = file
        self._begun = False

    def readline(self, limit: int) -> bytes:
        line = self._file.readline(limit)
        if not line.endswith(b'\n') and len(line) < limit and (line or self._begun):
            raise ConnectionResetError('the head of the answer is cut off')
        self._begun = True
        return line

    def close(self) -> None:
        self._file.close()
