"""Who may do what with which names."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

#: The first may see the numbers of the server and nothing else. Each other may do what those behind
#: the first and before it may: read; put new names; replace and delete; everything.
ROLES = ('watch', 'read', 'append', 'write', 'admin')


@dataclass(frozen=True)
class Rights:
    """A role, and the prefixes of names that it holds for; ``None`` may do nothing.

    A prefix has no slashes around it and holds for the name that it is and for those below it;
    ``''`` holds for all. None of them is below another.
    """

    role: str | None = None
    prefixes: tuple[str, ...] = ()

    def includes(self, role: str) -> bool:
        """Whether they are those of ``role``, or more."""
        return self.role is not None and ROLES.index(self.role) >= ROLES.index(role)

    def hold_for(self, name: str) -> bool:
        """Whether a name, or all names below a directory, belong to them."""
        below = name + '/'
        return any(not prefix or below.startswith(prefix + '/') for prefix in self.prefixes)

    def parts(self, directory: str) -> list[str]:
        """Returns the prefixes that are below a directory they do not hold for."""
        above = directory + '/' if directory else ''
        return [prefix for prefix in self.prefixes if prefix.startswith(above)]


def rights(role: str, prefixes: Iterable[str]) -> Rights:
    """Returns the rights of a role for these prefixes, some of which may be below others."""
    kept: list[str] = []
    for prefix in sorted(set(prefixes), key=len):
        if not Rights(role, tuple(kept)).hold_for(prefix):
            kept.append(prefix)
    return Rights(role, tuple(sorted(kept)))
