"""Putting a file to a server, and to a cache at the same time."""

from __future__ import annotations

import contextlib
import logging
import os
import time
from typing import IO, Any

from filetracker.client.cache import Cache
from filetracker.client.names import Name, version_of
from filetracker.client.progress import Progress

logger = logging.getLogger(__name__)


def put_remotely(
    remote: Any,
    name: Name,
    filename: str | os.PathLike[str],
    compress_hint: bool,
    progress: Progress | None = None,
) -> tuple[str, bool]:
    """Stores a file on a server.

    Returns the versioned name that there is now, and whether that is what was sent.
    """
    version = int(time.time()) if name.version is None else name.version
    versioned = remote.add_file(name.at(version), filename, compress_hint, progress)
    stored = version_of(versioned)
    is_ahead = stored > version and stored > time.time()
    if is_ahead and name.version is None and os.path.isfile(filename):
        # Another clock is ahead of ours; that is no reason not to store the file.
        version = stored + 1
        versioned = remote.add_file(name.at(version), filename, compress_hint, progress)
        stored = version_of(versioned)
    if stored != version:
        logger.info('%s was not stored: there is %s', name.at(version), versioned)
    return versioned, stored == version


def put_both(
    remote: Any,
    cache: Cache,
    name: Name,
    source: IO[bytes],
    compress_hint: bool,
    progress: Progress | None = None,
) -> str:
    """Stores a file on a server and makes an entry in the cache; returns the versioned name.

    What is cached is what was sent, even if the source changes in between: both come from one
    copy. The lock keeps others from caching an equal version before us.
    """
    with cache.writing(name) as is_locked, contextlib.ExitStack() as opened:
        staged = opened.enter_context(cache.staged(source, name)) if is_locked else None
        path = staged.path if staged else source.name
        versioned, is_ours = put_remotely(remote, name, path, compress_hint, progress)
        if staged and is_ours:
            cache.keep(versioned, staged.add)
        elif is_ours:
            cache.forget(versioned)
        return versioned
