"""Engines and levels of gzip, on the kinds of files that are kept: python -m benchmarks.engines."""

from __future__ import annotations

import argparse
import hashlib
import random
import sys
import time
import zlib
from collections.abc import Callable
from typing import Any

from benchmarks import contents
from filetracker.gz import ENGINES, PIECE, Inflater, LenientInflater

_LEVELS = {
    'zlib': (9, 6, 1),
    'zlib_ng.zlib_ng': (1, 2, 3, 4, 5, 6, 7, 9),
    'isal.isal_zlib': (0, 1, 2, 3),
}


def main() -> int:
    parser = argparse.ArgumentParser(prog='python -m benchmarks.engines', description=__doc__)
    parser.add_argument('--size', type=int, default=8_000_000, help='bytes of each kind')
    options = parser.parse_args()
    kinds = {
        'numbers': contents.numbers(options.size, 1),
        'sources': contents.source(options.size),
        'log': _log(options.size),
        'random': random.Random(1).randbytes(options.size),
    }
    for kind, plain in kinds.items():
        print('\n| %s | size to gzip -9 | compress, MB/s | times gzip -9 |' % kind)
        print('|---|---|---|---|')
        best_size, best_rate = _deflated('zlib', 9, plain)
        for name, levels in _LEVELS.items():
            for level in levels if name in ENGINES else ():
                size, rate = _deflated(name, level, plain)
                said = (name.split('.')[0], level, size / best_size, rate, rate / best_rate)
                print('| %s %d | %.3f | %.0f | %.1f |' % said, flush=True)
        stream = zlib.compress(plain, 6, 31)
        print('\n| %s | inflate, MB/s |' % kind)
        print('|---|---|')
        for name in ENGINES:
            print('| %s | %.0f |' % (name.split('.')[0], _rate(plain, _inflate(name, stream))))
    print('\nSHA-256: %.0f MB/s' % _rate(plain, lambda: hashlib.sha256(plain).digest()))
    print('strict: %s, lenient: %s' % (Inflater()._engine, LenientInflater()._engine))
    return 0


def _deflated(name: str, level: int, plain: bytes) -> tuple[int, float]:
    """Returns the size of the stream, and MB a second of processor time."""
    begun = time.thread_time()
    stream = ENGINES[name].compressobj(level, zlib.DEFLATED, 31)
    size = 0
    for start in range(0, len(plain), PIECE):
        size += len(stream.compress(plain[start : start + PIECE]))
    size += len(stream.flush())
    return size, len(plain) / (time.thread_time() - begun) / 1e6


def _inflate(name: str, stream: bytes) -> Callable[[], Any]:
    def inflate() -> None:
        inflater = Inflater(name)
        for _ in inflater.feed(stream):
            pass
        inflater.finish()

    return inflate


def _rate(plain: bytes, work: Callable[[], Any]) -> float:
    best = 0.0
    for _ in range(3):
        begun = time.thread_time()
        work()
        best = max(best, len(plain) / (time.thread_time() - begun) / 1e6)
    return best


def _log(size: int) -> bytes:
    draw = random.Random(1)
    line = '2026-11-%02d %02d:%02d:%02d INFO request %d from 10.0.%d.%d took %d ms\n'
    return ''.join(
        line
        % (
            *(1 + draw.randrange(28), draw.randrange(24), draw.randrange(60), draw.randrange(60)),
            *(number, draw.randrange(256), draw.randrange(256), draw.randrange(3000)),
        )
        for number in range(size // 64)
    ).encode()[:size]


if __name__ == '__main__':
    sys.exit(main())
