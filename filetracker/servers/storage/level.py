"""What is below a directory, or directly in it, by the order of ``names``."""

from __future__ import annotations

from bisect import bisect_left
from functools import partial

import six

from filetracker.servers.storage.bdb import Environment
from filetracker.servers.storage.interfaces import Entry, Page, See, Stretch
from filetracker.servers.storage.neighbours import Record
from filetracker.servers.storage.records import (
    BEHIND,
    FIRST_NAME,
    decode_entry,
    entries_in,
    names_in,
    page_of,
)

# What sorts next to the slash, and so behind everything that is below a directory.
_NEXT_TO_SLASH = b'0'
# So many records are read at once.
_STRETCH = 300


def _records_of(environment: Environment, beginning: str, after: str, limit: int) -> list[Record]:
    """Returns the records of names that begin so, behind ``after``, at most ``limit``."""
    prefix = six.ensure_binary(beginning)
    start = six.ensure_binary(after) + BEHIND if after else prefix
    # In front of all names are records of other things.
    found = environment.names_from(max(start, FIRST_NAME), limit)
    if found and not found[-1][0].startswith(prefix):
        return [record for record in found if record[0].startswith(prefix)]
    return found


def page(
    environment: Environment, directory: str, after: str, limit: int, cutoff: int | None
) -> Page:
    """As :meth:`~filetracker.servers.storage.interfaces.Catalog.page`."""
    records = _records_of(environment, directory, after, limit)
    return page_of(records, limit, len(six.ensure_binary(directory)), cutoff)


def survey(environment: Environment, directory: str, after: str, limit: int, see: See) -> None:
    """As :meth:`~filetracker.servers.storage.interfaces.Catalog.survey`."""
    records = partial(_records_of, environment, directory, after, limit)
    environment.alone(lambda _: see(entries_in(records())))


def stretch_of(environment: Environment, start: bytes, stop: bytes) -> Stretch:
    """Returns the names from ``start`` on and before ``stop``, or only the first of them."""
    found = environment.names_from(max(start, FIRST_NAME), _STRETCH)
    names = names_in(found)
    if len(found) == _STRETCH:
        stop = min(stop, names[-1] + BEHIND)
    del names[bisect_left(names, stop) :]
    return Stretch(start, stop, b'\n'.join([*names, b'']))


def children(
    environment: Environment, directory: str, after: str, limit: int
) -> list[tuple[str, Entry | None]]:
    """As :meth:`~filetracker.servers.storage.interfaces.Catalog.children`.

    What is deeper is jumped over: it reads about as many records as it returns.
    """
    prefix = six.ensure_binary(directory)
    start = max(_behind(prefix, six.ensure_binary(after)), FIRST_NAME)
    # A name that is overwritten meanwhile may come twice.
    found: dict[str, Entry | None] = {}
    ahead = 1
    while len(found) < limit:
        some = environment.names_from(start, ahead)
        for key, value in some:
            if not key.startswith(prefix):
                return list(found.items())
            name, entry = decode_entry(key, value)
            child, slash, _ = name[len(directory) :].partition('/')
            if slash:
                found[child + '/'] = None
                start = prefix + six.ensure_binary(child) + _NEXT_TO_SLASH
                ahead = 1
                break
            found[child] = entry
        else:
            if len(some) < ahead:
                break
            start = some[-1][0] + b'\0'
            ahead = min(2 * ahead, limit)
    return list(found.items())[:limit]


def _behind(prefix: bytes, after: bytes) -> bytes:
    if not after:
        return prefix
    if after.endswith(b'/'):
        return prefix + after[:-1] + _NEXT_TO_SLASH
    return prefix + after + BEHIND
