"""The table of settings: what one is called everywhere, and the document made of that."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import field, fields
from typing import Any, NamedTuple

from filetracker.servers.settings.values import Kind


class Setting(NamedTuple):
    """One setting. ``shown`` is what is said of its default, which may be none."""

    name: str
    flags: tuple[str, ...]
    variable: str
    kind: Kind
    default: Any
    shown: str
    metavar: str
    help: str

    @property
    def flag(self) -> str:
        """The flags, as errors call them."""
        return '/'.join(self.flags)


def setting(
    kind: Kind,
    *flags: str,
    help: str,
    default: Any = None,
    shown: str | None = None,
    metavar: str = 'FILE',
    variable: str | None = None,
) -> Any:
    """Returns a field of a dataclass of settings.

    Its variable of the environment is called as the field, unless it is given.
    """
    if shown is None:
        shown = '%g' % default if isinstance(default, float) else str(default)
    about = (flags, variable, kind, default, shown, metavar, help)
    return field(default=default, metadata={'about': about})


def table_of(kind: type) -> list[Setting]:
    """Returns the settings that are fields of a dataclass."""
    return list(_table_of(kind))


def _table_of(kind: type) -> Iterator[Setting]:
    for each in fields(kind):
        flags, variable, *rest = each.metadata['about']
        yield Setting(each.name, flags, variable or 'FILETRACKER_' + each.name.upper(), *rest)


def document_of(settings: list[Setting], not_in_file: str) -> str:
    """Returns the table in Markdown; one setting cannot be in the file, as it names that."""
    lines = ['| in the file | flag | variable | default | what it is |', '|---|---|---|---|---|']
    for each in settings:
        key = '' if each.name == not_in_file else '`%s`' % each.name
        flags = ', '.join('`%s`' % flag for flag in each.flags)
        cells = key, flags, '`%s`' % each.variable, each.shown, each.help
        lines.append('| %s |' % ' | '.join(cells))
    return '\n'.join(lines) + '\n'
