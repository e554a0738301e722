"""Stores for tests, and what they hold."""

from __future__ import annotations

import functools
import gzip
import hashlib
import io
import os
import random

from filetracker.servers.storage import FileStorage, bdb

#: Names with their versions and plain contents.
State = dict[str, tuple[int, bytes]]

# More than two pieces of an upload, and no gzip makes them fewer.
LARGE = random.Random(1).randbytes(600_000)
OLD = b'the old content\n' * 50
NEW = b'the new content\n' * 50
OTHER = b'of somebody else\n'

# What is open stays so to the end of the process.
_open: list[FileStorage] = []


def put(store: FileStorage, name: str, version: int, plain: bytes) -> int:
    """Stores a content as clients send it, in gzip, with digest and size."""
    packed, digest = _packed(plain)
    return store.store(name, io.BytesIO(packed), version, 0, True, digest, len(plain))


@functools.cache
def _packed(plain: bytes) -> tuple[bytes, str]:
    return gzip.compress(plain, 1, mtime=0), hashlib.sha256(plain).hexdigest()


def fill(base_dir: str, state: State) -> None:
    """Makes a store with a small log that holds ``state``, and closes it."""
    use_small_log(base_dir)
    store = FileStorage(base_dir)
    for name, (version, plain) in state.items():
        put(store, name, version, plain)
    store.close()


def opened(base_dir: str) -> FileStorage:
    """Opens a store that stays open to the end of the process."""
    store = FileStorage(base_dir)
    _open.append(store)
    return store


def close_all() -> None:
    """Closes what was opened to stay open."""
    while _open:
        _open.pop().close()


def use_small_log(base_dir: str) -> None:
    """Lets a store that is not there yet begin a new log file often."""
    os.makedirs(os.path.join(base_dir, 'db'))
    with open(os.path.join(base_dir, 'db', 'DB_CONFIG'), 'w') as config:
        config.write('set_lg_bsize 8192\nset_lg_max 131072\n')
        config.flush()
        os.fsync(config.fileno())


def make_many_checkpoints() -> None:
    """Lets the stores that this process opens make checkpoints all the time."""
    bdb._CHECKPOINT_WAKE_SECONDS = 0.02
    bdb._CHECKPOINT_KBYTES = 32


def told(state: State) -> dict[str, tuple[int, str]]:
    """Makes a state short enough for a sentence."""
    return {
        name: (version, '%d bytes %s' % (len(plain), hashlib.sha256(plain).hexdigest()[:8]))
        for name, (version, plain) in state.items()
    }
