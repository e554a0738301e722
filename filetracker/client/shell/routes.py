"""Which files go where: names and paths for many files and for directories, as cp does it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator

from filetracker.client.client import Client
from filetracker.client.disk import is_special
from filetracker.client.names import parse_name
from filetracker.client.shell.failures import Failures
from filetracker.errors import FiletrackerError, InvalidName, LocalFileError, NotFound
from filetracker.utils import check_name

#: A name, and the path that belongs to it.
Route = tuple[str, str]


def last_part(name: str) -> str:
    """Returns what a file is called when it is saved in a directory."""
    return parse_name(name).stored.rpartition('/')[2]


def files_below(client: Client, name: str) -> list[str] | None:
    """Returns the names below a directory of the store; ``None`` where ``name`` is none."""
    if '@' in name:
        return None
    try:
        return client.list_files(name)
    except NotFound:
        return None


def check_listed(name: str) -> None:
    """Checks a name that a server gave: it must mean the same when it is asked for.

    What is behind an ``@`` would be a version. Raises :class:`~filetracker.errors.InvalidName`.
    """
    check_name(name, allow_version=False)
    parse_name(name)


def downloads(
    client: Client,
    names: Iterable[str],
    target: str,
    is_folder: bool,
    is_recursive: bool,
    failures: Failures,
) -> list[Route]:
    """Returns what is to be got; ``is_folder`` says that ``target`` is to hold it."""
    routes: dict[str, str] = {}
    for name in names:
        try:
            below = files_below(client, name) if is_recursive else None
            if below is None:
                path = os.path.join(target, last_part(name)) if is_folder else target
                found = [(name, path)]
            else:
                root = '/' + name.strip('/')
                folder = os.path.join(target, root.rpartition('/')[2]) if is_folder else target
                found = list(_saved_below(folder, root.rstrip('/') + '/', below, failures))
        except FiletrackerError as error:
            failures.add(error)
            continue
        for source, path in found:
            if routes.setdefault(path, source) != source:
                failures.add('%s is left out: %s would be there, too' % (source, path))
    return [(name, path) for path, name in routes.items()]


def _saved_below(folder: str, prefix: str, names: list[str], failures: Failures) -> Iterator[Route]:
    for name in names:
        try:
            # Who serves us is not to choose where else we write.
            check_listed(name)
            if not name.startswith(prefix):
                raise InvalidName('%s is not below %s' % (name, prefix))
        except InvalidName as error:
            failures.add(error)
        else:
            yield name, os.path.join(folder, name[len(prefix) :])


def uploads(
    paths: Iterable[str], target: str, is_folder: bool, is_recursive: bool, failures: Failures
) -> Iterator[Route]:
    """Yields what is to be put; ``is_folder`` says that the names are to be below ``target``."""
    for path in paths:
        name = target
        if is_folder:
            name = '%s/%s' % (target.rstrip('/'), os.path.basename(os.path.abspath(path)))
        found = [(name, path)]
        if is_recursive and os.path.isdir(path):
            folder = name.rstrip('/')
            found = [
                ('%s/%s' % (folder, os.path.relpath(file, path)), file)
                for file in _files_in(path, failures)
            ]
        for each, file in found:
            # Only what was said to be a version is one.
            if '@' in os.path.basename(file) and each != target:
                failures.add('%s is left out: no name has an "@"' % file)
            else:
                yield each, file


def _files_in(folder: str, failures: Failures) -> Iterator[str]:
    def unreadable(error: OSError) -> None:
        failures.add(LocalFileError(str(error.filename), error.strerror or str(error)))

    for where, folders, files in os.walk(folder, onerror=unreadable):
        folders.sort()
        for name in folders:
            if os.path.islink(os.path.join(where, name)):
                failures.add('%s is left out: a link to a directory' % os.path.join(where, name))
        for name in sorted(files):
            path = os.path.join(where, name)
            if is_special(path):
                failures.add('%s is left out: no regular file' % path)
            else:
                yield path
