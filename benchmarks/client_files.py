"""The files that clients are measured with: never twice the same, so that none is known yet."""

from __future__ import annotations

import random
from pathlib import Path

_BLOCK = 1 << 20


def write_small(folder: Path, count: int, size: int) -> list[Path]:
    """Writes files of random bytes."""
    folder.mkdir(parents=True)
    paths = [folder / ('%d' % number) for number in range(count)]
    for path in paths:
        path.write_bytes(random.randbytes(size))
    return paths


def write_random(path: Path, size: int) -> None:
    """Writes bytes that do not compress."""
    with open(path, 'wb') as file:
        for start in range(0, size, _BLOCK):
            file.write(random.randbytes(min(_BLOCK, size - start)))


def write_text(path: Path, size: int) -> None:
    """Writes lines of numbers, as tests of programs are; they compress to half."""
    lines = b''.join(
        b'%d %d %d\n'
        % (random.randrange(200_000), random.randrange(200_000), random.randrange(10**9))
        for _ in range(_BLOCK // 20)
    )
    with open(path, 'wb') as file:
        number = 0
        while file.tell() < size:
            file.write((b'# %d\n' % number + lines)[: size - file.tell()])
            number += 1
