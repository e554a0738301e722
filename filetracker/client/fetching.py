"""Getting a file from a server through a cache."""

from __future__ import annotations

import contextlib
import os
from typing import IO, Any

from filetracker.client.cache import Cache
from filetracker.client.data_store import Staged
from filetracker.client.disk import copy, target
from filetracker.client.named_file import TemporaryFile
from filetracker.client.names import Name, parse_name
from filetracker.client.progress import Progress


def may_be_cached(name: Name, force_refresh: bool) -> bool:
    """Whether what is asked for may come from a cache: without a version it may not."""
    return name.version is not None and not force_refresh


def get_through(
    remote: Any,
    cache: Cache,
    name: Name,
    save_to: str | os.PathLike[str],
    force_refresh: bool,
    progress: Progress | None,
) -> str:
    """Saves a file as ``save_to``, and an entry in the cache; returns the versioned name."""
    with cache.writing(name) as is_locked:
        # Whoever had the lock may just have brought it.
        if may_be_cached(name, force_refresh) and cache.save(name, save_to, progress):
            return str(name)
        stream, versioned = remote.get_stream(str(name))
        with contextlib.closing(stream), target(save_to) as file:
            copy(stream, file, save_to, progress)
            if is_locked:
                file.seek(0)
                cache.keep_stream(versioned, file)
    return versioned


def stream_through(
    remote: Any, cache: Cache, name: Name, force_refresh: bool
) -> tuple[IO[bytes], str]:
    """Opens a file that is brought into the cache first; returns it and the versioned name."""
    wanted = name
    if name.version is None and not force_refresh:
        wanted = Name(name.stored, remote.file_version(name.bare))
    with cache.writing(name) as is_locked:
        kept = cache.open(wanted) if may_be_cached(wanted, force_refresh) else None
        if kept:
            return kept, str(wanted)
        stream, versioned = remote.get_stream(str(name))
        with contextlib.closing(stream):
            if not is_locked:
                return TemporaryFile(stream), versioned
            with cache.staged(stream, name) as staged:
                if staged:
                    return _kept(cache, staged, versioned), versioned
    # The cache has no room, and what it took of the stream is lost.
    stream, versioned = remote.get_stream(str(name))
    with contextlib.closing(stream):
        return TemporaryFile(stream), versioned


def _kept(cache: Cache, staged: Staged, versioned: str) -> IO[bytes]:
    """Makes an entry of what is staged and opens it; where that cannot be, a temporary file."""
    with open(staged.path, 'rb') as own:
        cache.keep(versioned, staged.add)
        kept = cache.open(parse_name(versioned))
        return kept or TemporaryFile(own)
