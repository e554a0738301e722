"""Measures ``filetracker-migrate`` against that of filetracker 2.3.3, each with its own server.

    python -m benchmarks.migration --original VENV [--small]

VENV is an environment with ``filetracker[server]==2.3.3``. The tools run one after the other on the
same tree, on the same disk; what has been read once is in the page cache for both.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tests.support import LiveServer, environment, wait_for

_MEGABYTE = 1_000_000
_TOOL = [sys.executable, '-m', 'filetracker.scripts.migrate']


def main() -> None:
    parser = argparse.ArgumentParser(
        prog='python -m benchmarks.migration',
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('--original', type=Path, metavar='VENV', required=True)
    parser.add_argument('--small', action='store_true', help='only see that it runs')
    parser.add_argument('--directory', help='where it all goes while it runs')
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.directory) as folder:
        for what, trees in (
            ('small files', lambda tree: small_files(tree, 200 if options.small else 10_000)),
            ('large files', lambda tree: large_files(tree, 2 if options.small else 20)),
        ):
            here = Path(folder, what.replace(' ', '-'))
            trees(here / 'tree')
            measure(what, here, options.original)


def small_files(tree: Path, count: int) -> None:
    """Writes files of up to 8 KB of numbers, a hundred in a directory."""
    dice = random.Random(1)
    for number in range(count):
        path = tree / ('p%03d' % (number // 100)) / ('%d.in' % number)
        path.parent.mkdir(parents=True, exist_ok=True)
        numbers = (dice.randrange(1_000_000) for _ in range(dice.randrange(1, 1200)))
        path.write_text('\n'.join(map(str, numbers)))
        os.utime(path, (1_600_000_000 + number,) * 2)


def large_files(tree: Path, count: int) -> None:
    """Writes files of 100 MB, one half of them text, the other of random bytes."""
    dice = random.Random(2)
    tree.mkdir(parents=True)
    words = [
        bytes(dice.choices(b'abcdefghijklmnopqrstuvwxyz', k=dice.randrange(2, 12)))
        for _ in range(3000)
    ]
    for number in range(count):
        with open(tree / ('%d.bin' % number), 'wb') as file:
            for _ in range(100):
                if number % 2:
                    file.write(dice.randbytes(_MEGABYTE))
                else:
                    text = b' '.join(dice.choices(words, k=_MEGABYTE // 7))
                    file.write(text[:_MEGABYTE].ljust(_MEGABYTE, b'\n'))


def measure(what: str, folder: Path, original: Path) -> None:
    """Prints a line for each way in which the files can go."""
    sizes = [path.stat().st_size for path in (folder / 'tree').rglob('*') if path.is_file()]
    print('%d %s, %.0f MB' % (len(sizes), what, sum(sizes) / _MEGABYTE), flush=True)
    with old_server(folder / 'old', original) as url:
        took = clock([str(original / 'bin' / 'filetracker-migrate'), '-s', folder / 'tree', url])
        tell('2.3.3 to 2.3.3', took, sizes, took)
    with LiveServer(folder / 'new') as live, LiveServer(folder / 'copy') as copy:
        command = [*_TOOL, '-s', folder / 'tree', live.url]
        tell('this to this', clock(command), sizes, took)
        tell('this to this, again', clock(command), sizes, took)
        tell('this, from server to server', clock([*_TOOL, '-s', live.url, copy.url]), sizes, took)


def clock(command: list[object]) -> float:
    """Runs a command to its end; returns for how long, in seconds."""
    begun = time.perf_counter()
    # The original must not find the modules of this checkout.
    is_ours = command[: len(_TOOL)] == _TOOL
    subprocess.run(
        [*map(str, command)], check=True, cwd='/', env=environment() if is_ours else None
    )
    return time.perf_counter() - begun


def tell(way: str, took: float, sizes: list[int], original: float) -> None:
    print(
        '  %-28s %8.1f s %8.0f files/s %8.1f MB/s   %5.1f times'
        % (way, took, len(sizes) / took, sum(sizes) / took / _MEGABYTE, original / took),
        flush=True,
    )


@contextlib.contextmanager
def old_server(folder: Path, original: Path) -> Iterator[str]:
    """Gives the URL of a server of filetracker 2.3.3."""
    folder.mkdir()
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = free.getsockname()[1]
    path = '%s:%s' % (original / 'bin', os.environ['PATH'])
    with open(folder.with_suffix('.log'), 'wb') as log:
        process = subprocess.Popen(
            [str(original / 'bin' / 'filetracker-server')]
            + ['-d', str(folder), '-p', str(port), '-D'],
            stdout=log,
            stderr=log,
            cwd='/',
            env={**os.environ, 'PATH': path},
        )
    try:
        wait_for(lambda: _answers(port), 'the server of 2.3.3')
        yield 'http://127.0.0.1:%d' % port
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


def _answers(port: int) -> bool:
    with socket.socket() as attempt:
        return attempt.connect_ex(('127.0.0.1', port)) == 0


if __name__ == '__main__':
    main()
