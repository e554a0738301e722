"""Files in a directory of this machine: a tree of filetracker 1.x, or any other."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import stat
import tempfile
import threading
from collections.abc import Iterable, Iterator
from typing import IO

from filetracker.client.migration.sources import Item, PassedOver, Source, Told
from filetracker.client.migration.target import Content
from filetracker.errors import FiletrackerError, InvalidName, LocalFileError
from filetracker.gz import PIECE, Deflater
from filetracker.protocol import DIGEST_HEADER, SIZE_HEADER, check_stored_name, check_version

_SECOND = 10**9
# A packed file of more bytes is on the disk on its way, and only few are at the same time.
_LARGE = 8 << 20
# Where the links of a server lead: to packed files, which must not be copied as they are.
_STORED = re.compile(r'(?:^|/)([0-9a-fA-F]{2})/\1[0-9a-fA-F]{62}\Z')
_KINDS = (
    (stat.S_ISDIR, 'a link to a directory'),
    (stat.S_ISSOCK, 'a socket'),
    (stat.S_ISFIFO, 'a named pipe'),
)


class Tree(Source):
    """The files below ``top``; a name is the path relative to ``root``.

    The version is the modification time in whole seconds. Raises
    :class:`~filetracker.errors.FiletrackerError` if there is no such tree, or it is the inside of a
    store.
    """

    def __init__(self, top: str, root: str | None) -> None:
        root = os.path.abspath(top if root is None else root)
        self._top = os.path.abspath(top)
        self._prefix = os.path.relpath(self._top, root)
        if self._prefix.split(os.sep)[0] == os.pardir:
            raise FiletrackerError('%s is not below %s' % (top, root))
        try:
            os.listdir(self._top)
        except OSError as error:
            raise LocalFileError(top, error.strerror or str(error)) from None
        if os.path.exists(os.path.join(self._top, 'db', 'metadata')):
            raise _store_error(self._top)
        self._packing = threading.BoundedSemaphore(os.cpu_count() or 1)

    def items(self) -> Iterator[Item | PassedOver]:
        prefix = '' if self._prefix == os.curdir else self._prefix + '/'
        waiting = [(self._top, prefix)]
        while waiting:
            folder, prefix = waiting.pop()
            try:
                with os.scandir(folder) as found:
                    entries = sorted(found, key=lambda entry: entry.name)
            except OSError as error:
                yield PassedOver(folder, error.strerror or str(error))
                continue
            below = []
            for entry in entries:
                if entry.is_symlink() and _STORED.search(os.readlink(entry.path)):
                    raise _store_error(entry.path)
                if entry.is_dir(follow_symlinks=False):
                    below.append((entry.path, '%s%s/' % (prefix, entry.name)))
                else:
                    yield _item(entry, prefix + entry.name)
            waiting.extend(reversed(below))

    def version(self, item: Item) -> int | None:
        try:
            return _version(os.stat(item.place))
        except FileNotFoundError:
            return None

    @contextlib.contextmanager
    def open(self, item: Item, told: Told) -> Iterator[Content | None]:
        try:
            file = open(item.place, 'rb')
        except FileNotFoundError:
            yield None
            return
        with file, tempfile.SpooledTemporaryFile(_LARGE) as packed:
            status = os.fstat(file.fileno())
            is_large = status.st_size > _LARGE
            with self._packing if is_large else contextlib.nullcontext():
                version = _version(status)
                digest, size = _pack(file, packed, told)
                if _state(os.fstat(file.fileno())) != _state(status):
                    raise LocalFileError(item.place, 'it was changed while it was read')
                headers = {
                    'Content-Encoding': 'gzip',
                    'Content-Length': '%d' % packed.tell(),
                    DIGEST_HEADER: digest,
                    SIZE_HEADER: '%d' % size,
                }
                packed.seek(0)
                yield Content(version, headers, _pieces(packed))

    def close(self) -> None:
        pass


def _item(entry: os.DirEntry[str], name: str) -> Item | PassedOver:
    try:
        status = entry.stat()
        if not stat.S_ISREG(status.st_mode):
            kinds = [kind for is_kind, kind in _KINDS if is_kind(status.st_mode)]
            return PassedOver(entry.path, 'not a file but %s' % (kinds or ['a device'])[0])
        _version(status)
        check_stored_name(name)
        if '@' in name:
            raise InvalidName('no client can ask for a name with "@"')
    except FileNotFoundError:
        return PassedOver(entry.path, 'a link to a file that is not there')
    except (OSError, InvalidName) as error:
        return PassedOver(entry.path, getattr(error, 'strerror', None) or str(error))
    return Item(name, entry.path, status.st_size)


def _pack(file: IO[bytes], packed: IO[bytes], told: Told) -> tuple[str, int]:
    """Compresses a file; returns digest and number of the plain bytes."""
    digest = hashlib.sha256()
    deflater = Deflater()
    size = 0
    for piece in _pieces(file):
        digest.update(piece)
        packed.write(deflater.feed(piece))
        size += len(piece)
        told(len(piece))
    packed.write(deflater.finish())
    return digest.hexdigest(), size


def _pieces(file: IO[bytes]) -> Iterable[bytes]:
    while piece := file.read(PIECE):
        yield piece


def _version(status: os.stat_result) -> int:
    version = status.st_mtime_ns // _SECOND
    check_version(version)
    return version


def _state(status: os.stat_result) -> tuple[int, int]:
    return status.st_mtime_ns, status.st_size


def _store_error(path: str) -> FiletrackerError:
    return FiletrackerError(
        '%s is of a store of filetracker 2.x: start a server on that, and give its URL' % path
    )
