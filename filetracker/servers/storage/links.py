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
from collections.abc import Iterator
from typing import NamedTuple

import six

from filetracker.errors import InvalidName
from filetracker.servers.storage.lost_found import LostAndFound

logger = logging.getLogger(__name__)

_NANOSECONDS = 10**9
# So many entries of a directory are put in order at a time.
_SOME = 10_000
_IN_THE_WAY = (errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENOTEMPTY)
# Several may have links aside in one spool; what one has left must not be another's.
_numbers = itertools.count()


class Link(NamedTuple):
    """A symbolic link: what it points to, and its modification time."""

    target: bytes
    version: int

    @property
    def digest(self) -> str:
        return os.fsdecode(self.target.rpartition(b'/')[2])


class Aside:
    """A link that is made and has no place yet: with ``goal``, ``target`` and time to be."""

    def __init__(self, goal: bytes, target: bytes, nanoseconds: int) -> None:
        self.goal = goal
        self.target = target
        self.nanoseconds = nanoseconds
        self.path = b''
        self.is_placed = False

    def make(self, path: bytes) -> None:
        """Makes it. Raises ``OSError`` and :class:`~filetracker.errors.InvalidName`."""
        os.symlink(self.target, path)
        self.path = path
        self.is_placed = False
        try:
            os.utime(path, ns=(self.nanoseconds, self.nanoseconds), follow_symlinks=False)
            is_exact = os.lstat(path).st_mtime_ns == self.nanoseconds
        except BaseException:
            _unlink(path)
            raise
        if not is_exact:
            _unlink(path)
            version = self.nanoseconds // _NANOSECONDS
            raise InvalidName('the disk of the store cannot keep the version %d' % version)


class Links:
    """The symbolic links below ``root``, made aside in ``spool``; both exist.

    What stands in their way and is no name of the store is moved to ``lost``, which is made when
    it is needed. All changes below ``root`` come from one thread.
    """

    def __init__(self, root: str, spool: str, lost: str) -> None:
        self._root = os.fsencode(root)
        self._aside = os.path.join(os.fsencode(spool), b'link-')
        self._lost = LostAndFound(os.path.dirname(lost))
        self._lost_name = os.path.basename(lost)

    def set(self, name: str, digest: str, version: int) -> None:
        """Lets the name point to the blob, in place of what it pointed to.

        Raises :class:`~filetracker.errors.InvalidName` if the file system cannot keep the
        version exactly.
        """
        with self.aside(name, digest, version) as link:
            self.place(link)

    @contextlib.contextmanager
    def aside(self, name: str, digest: str, version: int) -> Iterator[Aside]:
        """Makes a link that :meth:`place` lets take its place; else it is gone in the end.

        Any thread may do that. Raises as :meth:`set` does.
        """
        link = Aside(self._path(name), _target(name, digest), version * _NANOSECONDS)
        for number in _numbers:
            with contextlib.suppress(FileExistsError):
                link.make(b'%s%d' % (self._aside, number))
                break
        try:
            yield link
        finally:
            if not link.is_placed:
                _unlink(link.path)

    def place(self, link: Aside) -> None:
        """Puts a link in the place of what the name pointed to; done again, it is the same."""
        try:
            os.rename(link.path, link.goal)
        except OSError as error:
            if error.errno not in _IN_THE_WAY:
                raise
            if link.is_placed:
                link.make(link.path)
            self._clear_way(link.goal)
            os.rename(link.path, link.goal)
        link.is_placed = True

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
        if os.path.lexists(path):
            logger.warning('%r was in the way of a name and is now in %s', path, self._lost_name)
            self._lost.take(path, 'it was in the way of a name')

    def remove(self, name: str) -> None:
        """Removes the link and the directories that are empty without it; both may be gone."""
        path = self._path(name)
        _unlink(path)
        self.tidy(path)

    def restore(self, mangled: str, name: str) -> bool:
        """Lets a link have another name; returns whether that was free."""
        path = self._path(name)
        if self._is_taken(path):
            return False
        os.makedirs(os.path.dirname(path), 0o700, exist_ok=True)
        self.supersede(mangled, name)
        return True

    def supersede(self, mangled: str, name: str) -> None:
        """Lets a link take the place of another."""
        os.rename(self._path(mangled), self._path(name))
        self.tidy(self._path(mangled))

    def _is_taken(self, path: bytes) -> bool:
        if os.path.lexists(path):
            return True
        parent = os.path.dirname(path)
        while not os.path.lexists(parent):
            parent = os.path.dirname(parent)
        return os.path.islink(parent) or not os.path.isdir(parent)

    def tidy(self, path: bytes) -> None:
        """Removes the directories that are empty since ``path`` is gone."""
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

    def look(self, name: str | bytes) -> Link | None:
        """Returns the link of a name, ``None`` if there is none."""
        path = self._path(name)
        try:
            return Link(os.readlink(path), _version(os.lstat(path)))
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            # It is no link.
            if error.errno == errno.EINVAL:
                return None
            raise

    def leads_to(self, name: str, digest: str, version: int) -> bool:
        """Returns whether the link of a name is as :meth:`set` makes it."""
        return self.look(name) == Link(_target(name, digest), version)

    def scan(self) -> Iterator[tuple[bytes, Link | None]]:
        """Yields all that is below ``root`` and no directory; what is no link with ``None``.

        The name as the bytes on disk; neighbours mostly in order. What goes meanwhile may be left
        out. Raises ``OSError`` if a directory cannot be read.
        """
        folders = [b'']
        while folders:
            folder = folders.pop()
            with contextlib.suppress(FileNotFoundError):
                for entry in _entries(os.path.join(self._root, folder)):
                    name = os.path.join(folder, entry.name)
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(name)
                    else:
                        with contextlib.suppress(FileNotFoundError):
                            yield name, _read(entry)

    def path(self, name: bytes) -> bytes:
        """Returns where something is that :meth:`scan` yields."""
        return os.path.join(self._root, name)

    def _path(self, name: str | bytes) -> bytes:
        return os.path.join(self._root, six.ensure_binary(name))


def _target(name: str, digest: str) -> bytes:
    return b'../' * (name.count('/') + 1) + os.fsencode('blobs/%s/%s' % (digest[:2], digest))


def _entries(folder: bytes) -> Iterator[os.DirEntry[bytes]]:
    with os.scandir(folder) as entries:
        while some := sorted(itertools.islice(entries, _SOME), key=lambda entry: entry.name):
            yield from some


def _read(entry: os.DirEntry[bytes]) -> Link | None:
    if not entry.is_symlink():
        return None
    return Link(os.readlink(entry.path), _version(entry.stat(follow_symlinks=False)))


def _version(status: os.stat_result) -> int:
    # 2.3.3 cuts off what is behind the point, of times before 1970 too.
    return int(status.st_mtime)


def _unlink(path: bytes) -> None:
    try:
        os.unlink(path)
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        pass


def _remove_empty(folder: bytes) -> None:
    """Removes the directories below a directory, and itself, as far as nothing else is in them."""
    for path, _, _ in os.walk(folder, topdown=False):
        with contextlib.suppress(OSError):
            os.rmdir(path)
