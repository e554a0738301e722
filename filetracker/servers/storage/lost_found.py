"""Lost and found: nothing that looks useless is removed, it is moved to ``lost+found/`` and listed.

What was at ``blobs/ab/abcd…`` is then at ``lost+found/blobs/ab/abcd…``, and so on, so that links
still lead to blobs that are lost too. ``lost+found/list`` has a line for each: where it is now, a
tab, and why.
"""

from __future__ import annotations

import itertools
import os
import re
import shutil

_LIST = b'list'
# On a file system of its own, the first may belong to root and hold what fsck found.
_FOLDERS = (b'lost+found', b'lost+found.filetracker')
_OURS = re.compile(rb'(blobs|links|db|list|\d+)\Z')


class LostAndFound:
    """What was taken out of the store in ``root``. Nothing is made before it is needed."""

    def __init__(self, root: str) -> None:
        self._root = os.fsencode(root)
        self._listed: set[bytes] | None = None

    def take(self, path: bytes, why: str) -> None:
        """Moves what is at ``path``, in the store, here. It may be gone."""
        if os.path.lexists(path):
            folder = self._folder()
            place = _free_place(folder, os.path.relpath(path, self._root))
            # Listed first: what is moved, even if the process dies here, is in the list.
            self._list(folder, os.path.relpath(place, folder), why)
            os.rename(path, place)

    def note(self, name: str, why: str) -> None:
        """Lists a name of which nothing is left to be moved."""
        self._list(self._folder(), os.path.join(b'links', os.fsencode(name)), why)

    def purge(self) -> None:
        """Removes for good what was taken, and the list."""
        for name in _FOLDERS:
            folder = os.path.join(self._root, name)
            if not os.path.isdir(folder):
                continue
            for entry in os.listdir(folder):
                path = os.path.join(folder, entry)
                if _OURS.match(entry) and os.path.isdir(path) and not os.path.islink(path):
                    shutil.rmtree(path)
                elif _OURS.match(entry):
                    os.unlink(path)
        self._listed = None

    def _folder(self) -> bytes:
        for name in _FOLDERS:
            folder = os.path.join(self._root, name)
            os.makedirs(folder, 0o700, exist_ok=True)
            if os.access(folder, os.W_OK | os.X_OK):
                break
        return folder

    def _list(self, folder: bytes, place: bytes, why: str) -> None:
        path = os.path.join(folder, _LIST)
        line = ('%s\t%s\n' % (printable(place), why)).encode()
        if self._listed is None:
            self._listed = set()
            if os.path.exists(path):
                with open(path, 'rb') as file:
                    self._listed.update(file)
        if line not in self._listed:
            self._listed.add(line)
            with open(path, 'ab') as file:
                file.write(line)


def printable(name: bytes) -> str:
    """Returns a name as it may stand in a line of text."""
    text = name.decode('utf-8', 'backslashreplace')
    return ''.join(
        letter if letter.isprintable() else letter.encode('unicode_escape').decode('ascii')
        for letter in text
    )


def _free_place(folder: bytes, name: bytes) -> bytes:
    """Returns a path for ``name`` below ``folder`` or, where that is taken, below ``folder/2`` …"""
    for number in itertools.count(1):
        place = os.path.join(folder, b'%d' % number if number > 1 else b'', name)
        try:
            os.makedirs(os.path.dirname(place), 0o700, exist_ok=True)
        except (FileExistsError, NotADirectoryError):
            continue
        if not os.path.lexists(place):
            return place
    raise AssertionError('numbers do not end')
