"""The names that callers give, in the form that all stores agree on."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from dataclasses import dataclass, replace

from filetracker.errors import InvalidName, NotFound
from filetracker.protocol import check_stored_name, check_version
from filetracker.utils import check_name, split_name, versioned_name


@dataclass(frozen=True)
class Name:
    """A name that was checked; as a string, what the caller gave.

    ``stored`` is how stores know it, without the leading slash; ``version`` is ``None`` where the
    caller gave none.
    """

    stored: str
    version: int | None = None

    @property
    def bare(self) -> str:
        """The name without its version, as a string."""
        return '/' + self.stored

    @property
    def newest(self) -> Name:
        """The name without its version."""
        return replace(self, version=None)

    def at(self, version: int) -> str:
        """The versioned name for a version of the file, as a string."""
        return versioned_name(self.bare, version)

    def __str__(self) -> str:
        return self.bare if self.version is None else self.at(self.version)


def parse_name(name: str) -> Name:
    """Checks a client name and takes it apart.

    Slashes at the start count as one; one at the end is dropped, as the server does. Raises
    :class:`~filetracker.errors.InvalidName`.
    """
    # One call of a client parses the same name again and again.
    return _parsed(name) if type(name) is str else _parse(name)


def _parse(name: str) -> Name:
    check_name(name)
    bare, version = split_name(name)
    stored = bare.lstrip('/').removesuffix('/')
    check_stored_name(stored)
    if version is not None:
        check_version(version)
    return Name(stored, version)


_parsed = functools.lru_cache(maxsize=100)(_parse)


def version_of(versioned: str) -> int:
    """Returns the version in a versioned name.

    Raises :class:`~filetracker.errors.InvalidName` if it has none.
    """
    _, version = split_name(versioned)
    if version is None:
        raise InvalidName('not a versioned name: %r' % versioned)
    return version


def check_same_version(name: Name, version: int) -> None:
    """Checks that a file whose version is ``version`` is the one that ``name`` asks for.

    Raises :class:`~filetracker.errors.NotFound`.
    """
    if name.version is not None and name.version != version:
        raise NotFound(str(name), 'no such version: %s (there is %s)' % (name, name.at(version)))


def parse_directory(name: str) -> str:
    """Checks the name of a directory; returns it without slashes around, '' for ``/``.

    Raises :class:`~filetracker.errors.InvalidName`.
    """
    check_name(name, allow_version=False)
    directory = name.strip('/')
    if directory:
        check_stored_name(directory)
    return directory


def below(directory: str, names: Iterable[str]) -> list[str]:
    """Returns those of ``names`` that are below a directory, sorted.

    Raises :class:`~filetracker.errors.NotFound` where there are none, and so no directory.
    """
    stored = parse_directory(directory)
    if not stored:
        return sorted(names)
    found = sorted(name for name in names if name.startswith('/%s/' % stored))
    if not found:
        raise NotFound('/' + stored, 'no such directory: /%s' % stored)
    return found
