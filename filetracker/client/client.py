"""The client: files on a server, with a cache on this machine; or on this machine alone."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import IO, Any

from filetracker.client.cache import Cache
from filetracker.client.data_store import DataStore
from filetracker.client.disk import copy, disk_errors, is_special, target
from filetracker.client.local_data_store import LocalDataStore
from filetracker.client.lock_manager import FcntlLockManager, LockManager, NoOpLockManager
from filetracker.client.names import Name, parse_name
from filetracker.client.putting import put_both, put_remotely
from filetracker.client.remote_data_store import RemoteDataStore
from filetracker.errors import NameConflict


class Client:
    """Puts files and gets them.

    Usually made without arguments; two variables of the environment then tell where files are:

    ``FILETRACKER_URL``
        The URL of the server. Without one the client is on its own and keeps files, as an archive
        and not as a cache, in its directory; processes of one machine may share that.

    ``FILETRACKER_DIR``
        The directory of the cache, ``~/.filetracker-store`` if it is not set. An empty one means
        that there is none.

    ``remote_url`` and ``cache_dir`` say the same as arguments. ``local_store``, ``remote_store``
    and ``lock_manager`` may be made by hand and given; ``None`` means that there is none.
    ``locks_dir`` is a place for lock files other than ``<cache_dir>/locks``.

    A client may be shared by threads and used after a fork; making one sends nothing. Each error
    is a :class:`~filetracker.errors.FiletrackerError`.

    *Names* start with ``/``; behind ``@`` they may have a version. With a server, what is asked
    for without a version comes from there, and so does what is asked for with ``force_refresh``.
    With a version it comes from the cache if it is there, even if the server has lost it.
    """

    DEFAULT_CACHE_DIR = os.path.expanduser(os.path.join('~', '.filetracker-store'))

    def __init__(
        self,
        local_store: Any = 'auto',
        remote_store: Any = 'auto',
        lock_manager: Any = 'auto',
        cache_dir: str | None = None,
        remote_url: str | None = None,
        locks_dir: str | None = None,
    ) -> None:
        if remote_url is None:
            remote_url = os.environ.get('FILETRACKER_URL')
        if _is_auto(remote_store):
            remote_store = RemoteDataStore(remote_url) if remote_url else None
        if locks_dir is None and cache_dir:
            locks_dir = os.path.join(cache_dir, 'locks')
        if _is_auto(local_store):
            if cache_dir is None:
                cache_dir = os.environ.get('FILETRACKER_DIR', self.DEFAULT_CACHE_DIR)
            local_store = LocalDataStore(cache_dir) if cache_dir else None
        if local_store is None and remote_store is None:
            raise ValueError('there is neither a local nor a remote store')
        if _is_auto(lock_manager):
            lock_manager = _lock_manager(local_store, locks_dir)
        self.local_store: DataStore | None = local_store
        self.remote_store: DataStore | None = remote_store
        self.lock_manager: LockManager = lock_manager

    def get_file(
        self,
        name: str,
        save_to: str | os.PathLike[str],
        add_to_cache: bool = True,
        force_refresh: bool = False,
    ) -> str:
        """Saves the content of a file as ``save_to``, and returns the versioned name.

        What is at ``save_to`` is replaced, at once and only by a complete file; a missing folder
        is made. The file is the caller's own: changing it changes nothing in the cache. With
        ``add_to_cache=False`` nothing of it stays in the cache.
        """
        parsed = parse_name(name)
        if self.remote_store is None:
            with self._shared(parsed) as store:
                return store.get_file(str(parsed), save_to)
        cache = self._cache
        if cache and self._may_be_cached(parsed, force_refresh) and cache.save(parsed, save_to):
            return str(parsed)
        if cache is None or not add_to_cache or is_special(save_to):
            return self.remote_store.get_file(str(parsed), save_to)
        with cache.writing(parsed) as is_locked:
            # Whoever had the lock may just have brought it.
            if self._may_be_cached(parsed, force_refresh) and cache.save(parsed, save_to):
                return str(parsed)
            stream, versioned = self.remote_store.get_stream(str(parsed))
            with contextlib.closing(stream), target(save_to) as file:
                copy(stream, file, save_to)
                if is_locked:
                    file.seek(0)
                    cache.keep_stream(versioned, file)
        return versioned

    def get_stream(
        self, name: str, force_refresh: bool = False, serve_from_cache: bool = False
    ) -> tuple[IO[bytes], str]:
        """Opens a file for reading; returns the binary stream and the versioned name.

        The caller closes the stream. One that comes from the server is checked while it is read,
        and the last read raises the error if something was wrong. With ``serve_from_cache`` the
        file is fetched into the cache first, and the stream is a plain file.
        """
        parsed = parse_name(name)
        if self.remote_store is None:
            with self._shared(parsed) as store:
                return store.get_stream(str(parsed))
        cache = self._cache
        if cache and self._may_be_cached(parsed, force_refresh):
            stream = cache.open(parsed)
            if stream is not None:
                return stream, str(parsed)
        if cache and serve_from_cache:
            return self._stream_through(cache, parsed, force_refresh)
        return self.remote_store.get_stream(str(parsed))

    def file_version(self, name: str) -> int:
        """Returns the newest version of a file; one in the name is ignored."""
        return self._source.file_version(parse_name(name).bare)

    def file_size(self, name: str, force_refresh: bool = False) -> int:
        """Returns how many bytes a file has."""
        parsed = parse_name(name)
        if self.remote_store and self._cache and self._may_be_cached(parsed, force_refresh):
            size = self._cache.size(parsed)
            if size is not None:
                return size
        return self._source.file_size(str(parsed))

    def put_file(
        self,
        name: str,
        filename: str | os.PathLike[str],
        to_local_store: bool = True,
        to_remote_store: bool = True,
        compress_hint: bool = True,
    ) -> str:
        """Stores a file, and returns the versioned name that there is now.

        Without a version in the name, a new version is made. With one, the file replaces an equal
        or older version; if there is a newer one, nothing changes, and that is what is returned.

        It goes to the server and to the cache, or to one of them. Where there is only one, that is
        where it goes. The source is read before this returns, and may be changed or removed then.

        ``compress_hint=False`` leaves the compression to the server.
        """
        if not to_local_store and not to_remote_store:
            raise ValueError('the file is to go neither to the local nor to the remote store')
        parsed = parse_name(name)
        cache = self._cache
        if self.remote_store is None or (cache and not to_remote_store):
            with self._exclusive(parsed) as store:
                return store.add_file(str(parsed), filename)
        if cache is None or not to_local_store:
            versioned, is_ours = put_remotely(self.remote_store, parsed, filename, compress_hint)
            if cache and is_ours:
                cache.forget(versioned)
            return versioned
        with disk_errors(os.fspath(filename)), open(filename, 'rb') as source:
            return put_both(self.remote_store, cache, parsed, source, compress_hint)

    def delete_file(self, name: str) -> None:
        """Removes a file; with a version in the name, unless the file is newer.

        It is removed from the cache, too. That there is no such file is an error with a server,
        and none without.
        """
        parsed = parse_name(name)
        cache = self._cache
        if self.remote_store is None:
            with self._exclusive(parsed) as store:
                store.delete_file(str(parsed))
        elif cache is None:
            self.remote_store.delete_file(str(parsed))
        else:
            with cache.writing(parsed):
                try:
                    self.remote_store.delete_file(str(parsed))
                finally:
                    cache.delete(str(parsed))

    def list_local_files(self) -> list[DataStore.FileInfoEntry]:
        """Returns an entry for each file in the cache, or in the store without a server."""
        return self.local_store.list_files() if self.local_store else []

    def list_remote_files(
        self,
        version_cutoff_timestamp: float | None = None,
        subpath: str = '',
        absolute_paths: bool = False,
    ) -> list[str]:
        """Returns the names on the server below the directory ``subpath``, relative to it.

        ``version_cutoff_timestamp`` leaves out what is newer. With ``absolute_paths`` the names
        are whole, but without the leading slash.
        """
        if self.remote_store is None:
            return []
        store: Any = self.remote_store
        return store.list_files(version_cutoff_timestamp, subpath, absolute_paths)

    @property
    def _source(self) -> Any:
        """The store that knows which files there are."""
        return self.local_store if self.remote_store is None else self.remote_store

    @property
    def _cache(self) -> Cache | None:
        return None if self.local_store is None else Cache(self.local_store, self.lock_manager)

    @staticmethod
    def _may_be_cached(name: Name, force_refresh: bool) -> bool:
        return name.version is not None and not force_refresh

    def _shared(self, name: Name) -> AbstractContextManager[Any]:
        """Yields the local store, with the lock on a name shared."""
        return self._locked(name, lambda lock: lock.lock_shared())

    def _exclusive(self, name: Name) -> AbstractContextManager[Any]:
        """Yields the local store, with the lock on a name alone."""
        return self._locked(name, lambda lock: lock.lock_exclusive())

    @contextlib.contextmanager
    def _locked(self, name: Name, take: Callable[[LockManager.Lock], None]) -> Iterator[Any]:
        store: Any = self.local_store
        try:
            lock = self.lock_manager.lock_for(name.bare)
        except NameConflict:
            # There is no such file, nor can there be: the store says that in its own words.
            yield store
            return
        try:
            take(lock)
            yield store
        finally:
            lock.close(delete=not store.exists(name.bare))

    def _stream_through(
        self, cache: Cache, name: Name, force_refresh: bool
    ) -> tuple[IO[bytes], str]:
        remote: Any = self.remote_store
        wanted = name
        if name.version is None and not force_refresh:
            wanted = Name(name.stored, remote.file_version(name.bare))
        with cache.writing(name) as is_locked:
            kept = cache.open(wanted) if self._may_be_cached(wanted, force_refresh) else None
            if kept:
                return kept, str(wanted)
            stream, versioned = remote.get_stream(str(name))
            if not is_locked:
                return stream, versioned
            with contextlib.closing(stream):
                cache.keep_stream(versioned, stream)
            kept = cache.open(parse_name(versioned))
        # Without room in the cache, or with a newer version there, it comes as it would without.
        return (kept, versioned) if kept else remote.get_stream(str(name))


def _is_auto(argument: Any) -> bool:
    return isinstance(argument, str) and argument == 'auto'


def _lock_manager(local_store: DataStore | None, locks_dir: str | None) -> LockManager:
    if isinstance(local_store, LocalDataStore):
        beside = os.path.join(os.path.dirname(local_store.dir), 'locks')
        return FcntlLockManager(locks_dir or beside)
    return NoOpLockManager()
