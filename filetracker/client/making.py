"""What a client is made of: what its caller gave, else what the environment says."""

from __future__ import annotations

import os
from typing import Any

from filetracker.client.cache_directory import CacheDirectory
from filetracker.client.data_store import DataStore
from filetracker.client.eviction import Bound
from filetracker.client.local_data_store import LocalDataStore
from filetracker.client.lock_manager import FcntlLockManager, LockManager, NoOpLockManager
from filetracker.client.remote_data_store import RemoteDataStore
from filetracker.client.units import parse_size
from filetracker.gz import DEFAULT_COMPRESSION

#: How long a connection may take, and how long a server may be silent, in seconds.
PATIENCE = (5.0, 60.0)


def patience(timeout: float | tuple[float, float] | None) -> tuple[float, float]:
    """Returns how long a connection may take, and how long a server may then be silent.

    ``timeout`` is the two of them, or the second alone: a connection then has as long, but no more
    than 5 seconds. ``None`` leaves it to ``FILETRACKER_TIMEOUT``. Raises ``ValueError``.
    """
    if timeout is None:
        said = os.environ.get('FILETRACKER_TIMEOUT')
        if not said:
            return PATIENCE
        try:
            timeout = float(said)
        except ValueError:
            raise ValueError('FILETRACKER_TIMEOUT is no number of seconds: %r' % said) from None
    if not isinstance(timeout, tuple):
        timeout = (min(timeout, PATIENCE[0]), timeout)
    if not all(0 < seconds < float('inf') for seconds in timeout):
        raise ValueError('a timeout must be more than 0 seconds, and finite: %r' % (timeout,))
    return timeout


def remote_store_of(
    remote_url: str | None,
    seconds: tuple[float, float],
    compression: str | None,
    ca: str | None,
) -> DataStore | None:
    """Returns the store on a server, ``None`` where nobody tells of one."""
    if remote_url is None:
        remote_url = os.environ.get('FILETRACKER_URL')
    if not remote_url:
        return None
    compression = compression or os.environ.get('FILETRACKER_COMPRESSION') or DEFAULT_COMPRESSION
    return RemoteDataStore(remote_url, seconds, compression=compression, ca=ca)


def local_store_of(cache_dir: str | None, default: str) -> DataStore | None:
    """Returns the store in a directory, ``None`` where that is said to be ''."""
    if cache_dir is None:
        cache_dir = os.environ.get('FILETRACKER_DIR', default)
    return LocalDataStore(cache_dir) if cache_dir else None


def lock_manager_of(
    local_store: DataStore | None,
    cache_dir: str | None,
    locks_dir: str | None,
    silence: float,
) -> LockManager:
    """Returns the locks that go with a local store.

    Who waits for one waits as long as a server may be silent: whoever has it may be waiting for
    one.
    """
    if not isinstance(local_store, LocalDataStore):
        return NoOpLockManager()
    if locks_dir is None:
        locks_dir = os.path.join(cache_dir or os.path.dirname(local_store.dir), 'locks')
    return FcntlLockManager(locks_dir, silence)


def bound_of(
    local_store: DataStore | None,
    remote_store: DataStore | None,
    lock_manager: LockManager,
    cache_size: int | str | None,
) -> Bound | None:
    """Returns the bound on a cache in a directory; ``None`` where there is no such cache.

    A directory without a server is none: what is in it is nowhere else.

    ``cache_size`` is in bytes, or a string with units; ``None`` leaves it to
    ``FILETRACKER_CACHE_SIZE``, without which there is no limit. Raises ``ValueError``.
    """
    if remote_store is None or not isinstance(local_store, LocalDataStore):
        return None
    if not isinstance(lock_manager, FcntlLockManager):
        return None
    if cache_size is None:
        cache_size = os.environ.get('FILETRACKER_CACHE_SIZE') or None
    if isinstance(cache_size, str):
        try:
            cache_size = parse_size(cache_size)
        except ValueError as error:
            raise ValueError('the size of a cache is %s' % error) from None
    if cache_size is not None and cache_size < 0:
        raise ValueError('the size of a cache is not negative: %d' % cache_size)
    path = os.path.dirname(local_store.dir)
    return Bound(CacheDirectory(path, lock_manager.dir), cache_size)


def is_auto(argument: Any) -> bool:
    """Whether an argument leaves it to the client what to make."""
    return isinstance(argument, str) and argument == 'auto'
