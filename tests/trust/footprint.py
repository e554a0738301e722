"""What a process takes of the machine, as the kernel counts it."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import NamedTuple


class Footprint(NamedTuple):
    """Open descriptors, threads, and resident memory in bytes."""

    descriptors: int
    threads: int
    memory: int


def footprint(pid: int) -> Footprint:
    """Returns what a process takes now."""
    return Footprint(len(os.listdir('/proc/%d/fd' % pid)), *_read(pid, 'Threads', 'VmRSS'))


def forget_peak(pid: int) -> int:
    """Begins to count the peak of a process anew; returns its resident memory, in bytes."""
    Path('/proc/%d/clear_refs' % pid).write_text('5')
    return footprint(pid).memory


def peak(pid: int) -> int:
    """Returns the most that a process had resident since :func:`forget_peak`, in bytes."""
    return _read(pid, 'VmHWM')[0]


def _read(pid: int, *names: str) -> list[int]:
    status = Path('/proc/%d/status' % pid).read_text()
    found = []
    for name in names:
        number, unit = re.search(r'^%s:\s+(\d+)( kB)?$' % name, status, re.MULTILINE).groups()
        found.append(int(number) << 10 if unit else int(number))
    return found
