"""The shim between a process and its disk: made with the C compiler, loaded with LD_PRELOAD."""

from __future__ import annotations

import ctypes
import os
import subprocess
from pathlib import Path

WRITES, NAMES, SYNCS, REMOVALS, READS = 1, 2, 4, 8, 16
#: Whatever may need room.
GROWTH = WRITES | NAMES | SYNCS
#: Whatever changes the disk.
CHANGES = GROWTH | REMOVALS

_SOURCE = Path(__file__).with_name('shim.c')


def build(folder: Path) -> Path:
    """Compiles the shim into a folder."""
    library = folder / 'shim.so'
    command = [os.environ.get('CC', 'cc'), '-shared', '-fPIC', '-O1', '-o', library, _SOURCE]
    subprocess.run([*command, '-ldl', '-pthread'], check=True)
    return library


class Shim:
    """The shim in this process, which was started with it."""

    def __init__(self, root: str) -> None:
        self._library = ctypes.CDLL(None)
        self._library.faults_seen.restype = ctypes.c_long
        self._library.faults_watch(os.path.realpath(root).encode())

    def count(self, kinds: int) -> None:
        """Counts the calls of these kinds, for :meth:`stop`."""
        self._library.faults_refuse(kinds, ctypes.c_long(0), 0, 0)

    def kill_at(self, kinds: int, nth: int) -> None:
        """Kills the process at the nth call of these kinds."""
        self._library.faults_kill(kinds, ctypes.c_long(nth))

    def refuse(self, kinds: int, nth: int, error: int) -> None:
        """Lets the nth call of these kinds fail, once."""
        self._library.faults_refuse(kinds, ctypes.c_long(nth), error, 0)

    def refuse_from(self, kinds: int, nth: int, error: int) -> None:
        """Lets the nth and all later calls of these kinds fail."""
        self._library.faults_refuse(kinds, ctypes.c_long(nth), error, 1)

    def fill_at(self, kinds: int, nth: int) -> None:
        """Makes the disk full at the nth call of these kinds."""
        self._library.faults_fill(kinds, ctypes.c_long(nth))

    def stop(self) -> int:
        """Lets all calls pass again; returns how many there were since they were counted."""
        seen: int = self._library.faults_seen()
        self.count(0)
        self.leave_room(-1)
        return seen

    def record(self, descriptor: int) -> None:
        """Records each change in an open file, for :mod:`tests.faults.recording`."""
        self._library.faults_record(descriptor)

    def mark(self, text: str) -> None:
        """Records a word of ours between the changes."""
        self._library.faults_mark(text.encode())

    def leave_room(self, size: int) -> None:
        """Makes the disk full after so many more bytes; -1 gives it back."""
        self._library.faults_room(ctypes.c_longlong(size))

    def slow_syncs(self, seconds: float) -> None:
        """Lets each sync take so much longer, so that others come between."""
        self._library.faults_slow(int(seconds * 10**6))
