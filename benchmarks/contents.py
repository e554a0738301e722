"""What is put and got: the same bytes in each run, as gzip files with what is said of them."""

from __future__ import annotations

import gzip
import hashlib
import random
from pathlib import Path
from typing import NamedTuple

from filetracker.gz import Deflater


class Content(NamedTuple):
    """A gzip file, and digest and size of the plain bytes in it."""

    path: Path
    digest: str
    size: int
    stored_size: int


def numbers(size: int, seed: int) -> bytes:
    """Returns text as it is judged with: lines of numbers, which compress to half."""
    draw = random.Random(seed)
    block = b''.join(
        b'%d %d %d\n' % (draw.randrange(200_000), draw.randrange(200_000), draw.randrange(10**9))
        for _ in range(min(size, 1 << 20) // 15 + 1)
    )
    blocks = []
    left = size
    number = 0
    while left > 0:
        # Each block is another one: the same lines with other numbers in front.
        blocks.append(b'# %d\n' % number + block.replace(b' 1', b' %d' % (number % 10_000)))
        left -= len(blocks[-1])
        number += 1
    return b''.join(blocks)[:size]


def source(size: int) -> bytes:
    """Returns text as it is programmed: the sources of this Python, as often as it takes."""
    found = bytearray()
    paths = sorted(Path(random.__file__).parent.rglob('*.py'))
    number = 0
    while len(found) < size:
        for path in paths:
            # Not the same twice: a long repetition would be too easy.
            found += b'# %d\n' % number + path.read_bytes()
            number += 1
            if len(found) >= size:
                break
    return bytes(found[:size])


def saved(path: Path, plain: bytes, compression: str = 'balance') -> Content:
    """Writes a gzip file of some bytes."""
    deflater = Deflater(compression)
    stream = deflater.feed(plain) + deflater.finish()
    path.write_bytes(stream)
    return Content(path, hashlib.sha256(plain).hexdigest(), len(plain), len(stream))


def small(size: int, seed: int) -> tuple[Content, bytes]:
    """Returns what is said of some random bytes, and their gzip stream; there is no file."""
    plain = random.Random(seed).randbytes(size)
    stream = gzip.compress(plain, 1)
    digest = hashlib.sha256(plain).hexdigest()
    return Content(Path('none'), digest, size, len(stream)), stream


def huge(path: Path, size: int) -> Content:
    """Writes a gzip file of bytes that do not compress, a gigabyte of them in some seconds."""
    block = random.Random(size).randbytes(1 << 24)
    digest = hashlib.sha256()
    deflater = Deflater('speed')
    left = size
    with open(path, 'wb') as file:
        while left:
            part = b'%016d' % left + block[: left - 16] if left > 16 else bytes(left)
            part = part[: min(left, len(block))]
            digest.update(part)
            file.write(deflater.feed(part))
            left -= len(part)
        file.write(deflater.finish())
        stored = file.tell()
    return Content(path, digest.hexdigest(), size, stored)
