"""Descriptors of our own, which are told what the system could not write.

It tells each descriptor that is open at that time once, at its next sync. Berkeley DB, which has
its own, syncs on whichever thread needs it, so that who was told may not be who answers.
"""

from __future__ import annotations

import os
from collections.abc import Iterable


class Witness:
    """Sees whether files that exist are written, from now on."""

    def __init__(self, paths: Iterable[str]) -> None:
        self._descriptors: list[int] = []
        try:
            for path in paths:
                self._descriptors.append(os.open(path, os.O_RDONLY | os.O_CLOEXEC))
        except BaseException:
            self.close()
            raise

    def check(self) -> None:
        """Raises ``OSError`` if something that was written into one of them may be lost."""
        for descriptor in self._descriptors:
            os.fsync(descriptor)

    def close(self) -> None:
        """Closes the descriptors; it may be called twice."""
        while self._descriptors:
            os.close(self._descriptors.pop())
