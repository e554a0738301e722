"""Names as clients write them, and small things for files, used by callers too.

A client name looks like an absolute path (``/problems/12/in.txt``). With a version behind it
(``/problems/12/in.txt@1700000000``, Unix time in whole seconds) it is a versioned name.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
from typing import IO

import six

from filetracker.errors import InvalidName

_BUFFER_SIZE = 1 << 20
_VERSION = re.compile(r'-?[0-9]{1,1000}\Z')
_NOT_EMPTY = (errno.ENOTEMPTY, errno.EEXIST)


def split_name(name: str) -> tuple[str, int | None]:
    """Splits a name into the unversioned name and the version.

    The version is ``None`` where the name has none. A leading slash is not asked for.

    Raises :class:`~filetracker.errors.InvalidName` (a ``ValueError``) if what follows the last
    ``@`` is no whole number.
    """
    bare, at, version = name.rpartition('@')
    if not at:
        return name, None
    # int() alone would also take '1_0', ' 1' and digits of other scripts.
    if not _VERSION.match(version):
        raise InvalidName('the version behind "@" must be a whole number: %r' % name)
    return bare, int(version)


def versioned_name(unversioned_name: str, version: int) -> str:
    """Joins a name and a version to a versioned name."""
    return '%s@%d' % (unversioned_name, version)


def check_name(name: str, allow_version: bool = True) -> None:
    """Checks a client name.

    It starts with ``/``, has no component ``..``, and has an ``@`` at most once, in its last
    component, in front of a whole number; with ``allow_version=False`` not at all.

    Raises :class:`~filetracker.errors.InvalidName` (a ``ValueError``).
    """
    if not isinstance(name, six.string_types):
        raise InvalidName('a name must be a string, not %r' % (name,))
    components = name.split('/')
    if components[0] or len(components) == 1:
        raise InvalidName('a name must start with "/": %r' % name)
    if '..' in components:
        raise InvalidName('a name must not contain "..": %r' % name)
    if any('@' in component for component in components[:-1]):
        raise InvalidName('only the last component of a name may contain "@": %r' % name)
    if components[-1].count('@') > 1:
        raise InvalidName('a name must not have more than one version: %r' % name)
    if '@' in components[-1]:
        if not allow_version:
            raise InvalidName('a version is not allowed here: %r' % name)
        split_name(name)


def file_digest(source: str | os.PathLike[str] | IO[bytes]) -> str:
    """Returns the SHA-256 of a file, in lower-case hex.

    ``source`` is a path, or a binary file that is read from where it stands to its end.
    """
    if isinstance(source, (str, os.PathLike)):
        with open(source, 'rb') as file:
            return file_digest(file)
    digest = hashlib.sha256()
    while chunk := source.read(_BUFFER_SIZE):
        digest.update(chunk)
    return digest.hexdigest()


def mkdir(name: str | os.PathLike[str]) -> None:
    """Makes a directory (mode 0700) and its parents; it may exist already.

    Raises ``FileExistsError`` if something else has that name.
    """
    if not os.path.isdir(name):
        os.makedirs(name, 0o700, exist_ok=True)


def rmdirs(name: str, root: str) -> None:
    """Removes empty directories from ``name`` upwards, and stops at ``root``.

    A directory that is gone already is passed over. ``name`` must be below ``root``.
    """
    while name != root:
        try:
            os.rmdir(name)
        except FileNotFoundError:
            pass
        except OSError as error:
            if error.errno in _NOT_EMPTY:
                return
            raise
        parent = os.path.dirname(name)
        if parent == name:
            raise ValueError('%r is not below %r' % (name, root))
        name = parent
