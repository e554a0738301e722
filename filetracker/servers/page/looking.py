"""What a peer may see of the names of a store: one directory, or what is like a text.

All of it goes by *roots*: the names and directories in which lies all that may be seen, none of
them below another (:meth:`~filetracker.servers.terms.Terms.roots`).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, NamedTuple

from filetracker.servers.storage import Entry
from filetracker.servers.storage.tree import Tree

#: How long a search takes before it stops and tells how far it came: seconds, names.
MOST_SECONDS = 0.5
MOST_NAMES = 100_000

# What one call on a thread looks at: some milliseconds.
_NAMES = 2000
_CHILDREN = 100

Child = tuple[str, 'Entry | None']


class Found(NamedTuple):
    """What a search has found; ``after`` is where to go on, ``None`` at the end.

    ``looked`` is how many names were looked at, ``cut`` whether it stopped for having taken long.
    """

    files: list[tuple[str, Entry]]
    after: str | None
    looked: int
    cut: bool


def children(
    run: Callable[..., Any], tree: Tree, directory: str, roots: list[str], after: str, limit: int
) -> list[Child]:
    """Returns what is directly in a directory and may be seen, as ``tree.children`` does."""
    if roots != [directory]:
        level: list[Child] = run(_above, tree, directory, roots)
        return [child for child in level if child[0].encode() > after.encode()][:limit]
    found: list[Child] = []
    while len(found) < limit:
        count = min(_CHILDREN, limit - len(found))
        some = run(tree.children, directory, found[-1][0] if found else after, count)
        found += some
        if len(some) < count:
            break
    return found


def _above(tree: Tree, directory: str, roots: list[str]) -> list[Child]:
    """Returns what leads to those roots below a directory that are there."""
    found: dict[str, Entry | None] = {}
    for root in roots:
        child, slash, _ = root[len(directory) + 1 if directory else 0 :].partition('/')
        entry = tree.entry(root)
        if entry and not slash:
            found[child] = entry
        elif entry or tree.names(root + '/', '', 1):
            found[child + '/'] = None
    return sorted(found.items(), key=lambda item: item[0].encode())


def find(
    run: Callable[..., Any],
    tree: Tree,
    directory: str,
    roots: list[str],
    text: str,
    after: str,
    limit: int,
) -> Found:
    """Returns files below a directory whose names are like a text, behind the name ``after``.

    Those that contain it, whatever the case; but if it begins with a slash, those that begin so,
    which is quick however many others there are. At most ``limit``.
    """
    until = time.monotonic() + MOST_SECONDS
    above = len(directory) + 1 if directory else 0
    beginning, wanted = (text[1:], '') if text.startswith('/') else ('', text.casefold())
    matches: list[str] = []
    looked = 0
    last = after
    for span in _spans(directory, roots, beginning):
        behind = span.behind(after)
        while behind is not None:
            is_long = looked >= MOST_NAMES or time.monotonic() > until
            if len(matches) > limit or (looked and is_long):
                return _found(run, tree, matches, last, looked, limit)
            names = run(span.names, tree, behind)
            matches += [name for name in names if wanted in name[above:].casefold()]
            looked += len(names)
            behind = last = names[-1] if names else last
            if len(names) < _NAMES:
                break
    return _found(run, tree, matches, None, looked, limit)


def _found(
    run: Callable[..., Any],
    tree: Tree,
    matches: list[str],
    after: str | None,
    looked: int,
    limit: int,
) -> Found:
    cut = after is not None and len(matches) <= limit
    if len(matches) > limit:
        matches = matches[:limit]
        after = matches[-1]
    files: list[tuple[str, Entry]] = []
    for start in range(0, len(matches), _CHILDREN):
        files += run(_entries, tree, matches[start : start + _CHILDREN])
    return Found(files, after, looked, cut)


def _entries(tree: Tree, names: list[str]) -> list[tuple[str, Entry]]:
    """Returns names with their entries, without those that are gone."""
    entries = ((name, tree.entry(name)) for name in names)
    return [(name, entry) for name, entry in entries if entry]


class _Span(NamedTuple):
    """Names that begin with ``start``, or only the name that it is, if ``whole``."""

    start: str
    whole: bool

    def behind(self, after: str) -> str | None:
        """Returns behind which name to begin, ``''`` for the first, ``None`` if all are before."""
        if after.startswith(self.start) and not self.whole:
            return after
        return '' if self.start.encode() > after.encode() or not after else None

    def names(self, tree: Tree, behind: str) -> list[str]:
        """Returns some of the names."""
        if self.whole:
            return [self.start] if tree.entry(self.start) else []
        return tree.names(self.start, behind, _NAMES)


def _spans(directory: str, roots: list[str], beginning: str) -> list[_Span]:
    """Returns where the names are that may be seen and begin so, in the order of their bytes."""
    spans = []
    for root in roots:
        below = root + '/' if root else ''
        if root != directory and root.startswith(beginning):
            spans.append(_Span(root, whole=True))
        if below.startswith(beginning) or beginning.startswith(below):
            spans.append(_Span(max(below, beginning, key=len), whole=False))
    return sorted(spans, key=lambda span: span.start.encode())
