"""The client: files on a server, with a cache on this machine; or on this machine alone."""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Iterable
from typing import IO, Any

from filetracker.client import making
from filetracker.client.alone import Alone
from filetracker.client.cache import Cache
from filetracker.client.data_store import DataStore, FileStat
from filetracker.client.disk import disk_errors, is_special
from filetracker.client.fetching import get_through, may_be_cached, stream_through
from filetracker.client.lock_manager import LockManager
from filetracker.client.many import NamedProgress, Outcome, transfer_all
from filetracker.client.names import Name, parse_name
from filetracker.client.progress import Progress
from filetracker.client.putting import put_both, put_remotely
from filetracker.errors import NotFound


class Client:
    """Puts files and gets them.

    Usually made without arguments; two variables then tell where files are:

    ``FILETRACKER_URL``
        The URL of the server. Without one the client is on its own and keeps files, as an archive
        and not as a cache, in its directory; processes of one machine may share that.

    ``FILETRACKER_DIR``
        The directory of the cache, ``~/.filetracker-store`` if it is not set. An empty one means
        that there is none.

    ``remote_url`` and ``cache_dir`` say the same as arguments. ``local_store``, ``remote_store``
    and ``lock_manager`` may be made by hand and given; ``None`` means that there is none.
    ``locks_dir`` is a place for lock files other than ``<cache_dir>/locks``.

    ``timeout`` is how many seconds a server may be silent; a pair of numbers also says how many a
    connection may take before that. Without it there is ``FILETRACKER_TIMEOUT``, or 60 and 5.
    ``cache_size`` is how large a cache may become, in bytes or as ``'1G512M'``: what was not used
    for longest makes room. Without it there is ``FILETRACKER_CACHE_SIZE``, or no limit.
    ``compression`` is ``speed``, ``balance`` or ``size``, like ``FILETRACKER_COMPRESSION``. ``ca``
    is a file in PEM with the authorities to trust, like ``FILETRACKER_CA``.

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
        timeout: float | tuple[float, float] | None = None,
        cache_size: int | str | None = None,
        compression: str | None = None,
        ca: str | None = None,
    ) -> None:
        seconds = making.patience(timeout)
        if making.is_auto(remote_store):
            remote_store = making.remote_store_of(remote_url, seconds, compression, ca)
        if making.is_auto(local_store):
            local_store = making.local_store_of(cache_dir, self.DEFAULT_CACHE_DIR)
        if local_store is None and remote_store is None:
            raise ValueError('there is neither a local nor a remote store')
        if making.is_auto(lock_manager):
            lock_manager = making.lock_manager_of(local_store, cache_dir, locks_dir, seconds[1])
        self.local_store: Any = local_store
        self.remote_store: DataStore | None = remote_store
        self.lock_manager: LockManager = lock_manager
        self._bound = making.bound_of(local_store, remote_store, lock_manager, cache_size)

    def get_file(
        self,
        name: str,
        save_to: str | os.PathLike[str],
        add_to_cache: bool = True,
        force_refresh: bool = False,
        progress: Progress | None = None,
    ) -> str:
        """Saves the content of a file as ``save_to``, and returns the versioned name.

        What is at ``save_to`` is replaced, at once and only by a complete file; a missing folder
        is made. The file is the caller's own: changing it changes nothing in the cache. With
        ``add_to_cache=False`` nothing of it stays in the cache.
        """
        parsed = parse_name(name)
        if self.remote_store is None:
            return self._alone.get_file(str(parsed), save_to, progress)
        cache = self._cache
        may_hit = may_be_cached(parsed, force_refresh)
        if cache and may_hit and cache.save(parsed, save_to, progress):
            return str(parsed)
        if cache is None or not add_to_cache or is_special(save_to):
            return self.remote_store.get_file(str(parsed), save_to, progress)
        return get_through(self.remote_store, cache, parsed, save_to, force_refresh, progress)

    def get_files(
        self,
        files: Iterable[tuple[str, str | os.PathLike[str]]],
        add_to_cache: bool = True,
        force_refresh: bool = False,
        parallel: int = 8,
        progress: NamedProgress | None = None,
    ) -> list[Outcome]:
        """Saves many files, ``parallel`` at a time, each as :meth:`get_file` does.

        ``files`` are pairs of a name and where to save it. Returns an
        :class:`~filetracker.client.many.Outcome` for each, in their order: a file that fails keeps
        no other from being saved. ``progress(name, done, total)`` is told of each piece.
        """
        get = functools.partial(
            self.get_file, add_to_cache=add_to_cache, force_refresh=force_refresh
        )
        return transfer_all(get, files, parallel, progress)

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
            return self._alone.get_stream(str(parsed))
        cache = self._cache
        if cache and may_be_cached(parsed, force_refresh):
            stream = cache.open(parsed)
            if stream is not None:
                return stream, str(parsed)
        if cache and serve_from_cache:
            return stream_through(self.remote_store, cache, parsed, force_refresh)
        return self.remote_store.get_stream(str(parsed))

    def exists(self, name: str) -> bool:
        """Whether there is such a file; with a version in the name, in that very version.

        With a version it may be one in the cache. Any error but "missing" is raised.
        """
        parsed = parse_name(name)
        return self._is_kept(parsed) or self._source.exists(str(parsed))

    def stat(self, name: str) -> FileStat:
        """Returns the versioned name, the version, the size and the digest of a file."""
        parsed = parse_name(name)
        if self._is_kept(parsed):
            with contextlib.suppress(NotFound):
                return self.local_store.stat(str(parsed))
        return self._source.stat(str(parsed))

    def file_version(self, name: str) -> int:
        """Returns the newest version of a file; one in the name is ignored."""
        return self._source.file_version(parse_name(name).bare)

    def file_size(self, name: str, force_refresh: bool = False) -> int:
        """Returns how many bytes a file has."""
        parsed = parse_name(name)
        if self.remote_store and self._cache and may_be_cached(parsed, force_refresh):
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
        progress: Progress | None = None,
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
            return self._alone.add_file(str(parsed), filename, progress)
        if cache is None or not to_local_store:
            versioned, is_ours = put_remotely(
                self.remote_store, parsed, filename, compress_hint, progress
            )
            if cache and is_ours:
                cache.forget(versioned)
            return versioned
        with disk_errors(os.fspath(filename)), open(filename, 'rb') as source:
            return put_both(self.remote_store, cache, parsed, source, compress_hint, progress)

    def put_files(
        self,
        files: Iterable[tuple[str, str | os.PathLike[str]]],
        to_local_store: bool = True,
        to_remote_store: bool = True,
        compress_hint: bool = True,
        parallel: int = 8,
        progress: NamedProgress | None = None,
    ) -> list[Outcome]:
        """Stores many files, ``parallel`` at a time, each as :meth:`put_file` does.

        ``files`` are pairs of a name and the file to store. Otherwise as :meth:`get_files`.
        """
        put = functools.partial(
            self.put_file,
            to_local_store=to_local_store,
            to_remote_store=to_remote_store,
            compress_hint=compress_hint,
        )
        return transfer_all(put, files, parallel, progress)

    def delete_file(self, name: str) -> None:
        """Removes a file; with a version in the name, unless the file is newer.

        It is removed from the cache, too. That there is no such file is an error with a server,
        and none without.
        """
        parsed = parse_name(name)
        cache = self._cache
        if self.remote_store is None:
            self._alone.delete_file(str(parsed))
        elif cache is None:
            self.remote_store.delete_file(str(parsed))
        else:
            with cache.writing(parsed):
                try:
                    self.remote_store.delete_file(str(parsed))
                finally:
                    cache.delete(str(parsed))

    def list_files(self, prefix: str = '/', remote: bool = True) -> list[str]:
        """Returns the names of all files below the directory ``prefix``, at any depth, sorted.

        They are whole and have no version. They are those of the server; with ``remote=False``,
        and without a server, those of the local store. No such directory is a
        :class:`~filetracker.errors.NotFound`; ``/`` is always there.
        """
        store = self._source if remote or self.local_store is None else self.local_store
        return store.list_names(prefix)

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
        store: Any = self.remote_store
        return store.list_files(version_cutoff_timestamp, subpath, absolute_paths) if store else []

    @property
    def _source(self) -> Any:
        """The store that knows which files there are."""
        return self.local_store if self.remote_store is None else self.remote_store

    @property
    def _cache(self) -> Cache | None:
        store = self.local_store
        return None if store is None else Cache(store, self.lock_manager, self._bound)

    @property
    def _alone(self) -> Alone:
        return Alone(self.local_store, self.lock_manager, self._bound)

    def _is_kept(self, name: Name) -> bool:
        """Whether there is a cache, with a valid entry for that name and version."""
        cache = self._cache if self.remote_store else None
        return cache is not None and name.version is not None and cache.size(name) is not None
