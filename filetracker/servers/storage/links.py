"""The mirror of the names in ``links/``: for people, for the worst day, and for filetracker 2.3.3.

``links/<name>`` is a relative symbolic link to the blob; its own modification time is the version.
The database is right where they differ. Names are UTF-8 on disk, whatever the locale.
"""

from __future__ import annotations

import contextlib
import errno
import itertools
import logging
import os
import tempfile
from collections.abc import Iterator

import six

from filetracker.errors import InvalidName

logger = logging.getLogger(__name__)

_NANOSECONDS = 10**9
_IN_THE_WAY = (errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENOTEMPTY)


class Links:
    """The symbolic links below ``root``, made aside in ``spool``; both exist.

    What stands in their way and is no name of the store is moved to ``lost``, which is made when
    it is needed. All changes come from one thread.
    """

    def __init__(self, root: str, spool: str, lost: str) -> None:
        self._root = os.fsencode(root)
        self._aside = os.path.join(os.fsencode(spool), b'link')
        self._lost = os.fsencode(lost)

    def set(self, name: str, digest: str, version: int) -> None:
        """Lets the name point to the blob, in place of what it pointed to.

        Raises :class:`~filetracker.errors.InvalidName` if the file system cannot keep the
        version exactly.
        """
        path = self._path(name)
        target = b'../' * (name.count('/') + 1) + six.ensure_binary(
            'blobs/%s/%s' % (digest[:2], digest)
        )
        _unlink(self._aside)
        os.symlink(target, self._aside)
        nanoseconds = version * _NANOSECONDS
        os.utime(self._aside, ns=(nanoseconds, nanoseconds), follow_symlinks=False)
        if os.lstat(self._aside).st_mtime_ns != nanoseconds:
            raise InvalidName('the disk of the store cannot keep the version %d' % version)
        try:
            os.rename(self._aside, path)
        except OSError as error:
            if error.errno not in _IN_THE_WAY:
                raise
            self._clear_way(path)
            os.rename(self._aside, path)

    def _clear_way(self, path: bytes) -> None:
        """Lets all parents of ``path`` be directories, and ``path`` none."""
        if os.path.isdir(path) and not os.path.islink(path):
            _remove_empty(path)
            self._move_away(path)
        parent = self._root
        for component in os.path.relpath(os.path.dirname(path), self._root).split(b'/'):
            parent = os.path.join(parent, component)
            if os.path.islink(parent) or not os.path.isdir(parent):
                self._move_away(parent)
                os.mkdir(parent, 0o700)

    def _move_away(self, path: bytes) -> None:
        if not os.path.lexists(path):
            return
        os.makedirs(self._lost, 0o700, exist_ok=True)
        kept = tempfile.mkdtemp(prefix=b'link-', dir=self._lost)
        os.rename(path, os.path.join(kept, os.path.basename(path)))
        logger.warning('%r was in the way of a name and is now in %r', path, kept)

    def remove(self, name: str) -> None:
        """Removes the link and the directories that are empty without it; both may be gone."""
        path = self._path(name)
        _unlink(path)
        folder = os.path.dirname(path)
        while folder != self._root:
            try:
                os.rmdir(folder)
            except FileNotFoundError:
                pass
            except OSError as error:
                if error.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
                    raise
                return
            folder = os.path.dirname(folder)

    def walk(self) -> Iterator[tuple[bytes, str, int]]:
        """Yields name, digest and version of each link, in no order.

        The name as the bytes on disk. Raises ``OSError`` if a directory cannot be read.
        """
        folders = [b'']
        while folders:
            folder = folders.pop()
            with os.scandir(os.path.join(self._root, folder)) as entries:
                for entry in entries:
                    name = os.path.join(folder, entry.name)
                    if entry.is_symlink():
                        target = os.readlink(entry.path)
                        digest = os.fsdecode(os.path.basename(target))
                        yield name, digest, int(entry.stat(follow_symlinks=False).st_mtime)
                    elif entry.is_dir():
                        folders.append(name)

    def _path(self, name: str) -> bytes:
        return os.path.join(self._root, six.ensure_binary(name))


class Intents:
    """What is under way, as symbolic links ``spool/<digest>-<number>`` that point to the name.

    They are not synced: they are for the death of the process. After a loss of power a blob
    without a name may stay, which costs its room until ``filetracker-recover`` finds it.
    """

    def __init__(self, spool: str) -> None:
        self._spool = os.fsencode(spool)
        self._numbers = itertools.count()

    def record(self, name: str, digest: str) -> bytes:
        """Notes that the blob may come to have no name, and the mirror of the name be wrong."""
        while True:
            note = os.path.join(
                self._spool, six.ensure_binary('%s-%d' % (digest, next(self._numbers)))
            )
            try:
                os.symlink(six.ensure_binary(name), note)
                return note
            except FileExistsError:
                # From another instance on the same directory.
                continue

    def forget(self, note: bytes) -> None:
        """Removes what :meth:`record` returned; it may be gone."""
        _unlink(note)

    def pending(self) -> Iterator[tuple[bytes, str, str]]:
        """Yields note, name and digest of what was recorded and not forgotten."""
        for entry in sorted(os.listdir(self._spool)):
            note = os.path.join(self._spool, entry)
            digest, dash, _ = entry.partition(b'-')
            if dash and os.path.islink(note):
                yield note, six.ensure_str(os.readlink(note)), six.ensure_str(digest)


def _unlink(path: bytes) -> None:
    try:
        os.unlink(path)
    except (FileNotFoundError, NotADirectoryError):
        pass


def _remove_empty(folder: bytes) -> None:
    """Removes the directories below a directory, and itself, as far as nothing else is in them."""
    for path, _, _ in os.walk(folder, topdown=False):
        with contextlib.suppress(OSError):
            os.rmdir(path)
