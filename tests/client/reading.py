"""How tests read what a client gives."""

from __future__ import annotations

import os

from filetracker.client.client import Client


def read(client: Client, name: str, **options: bool) -> tuple[bytes, str]:
    """Returns what a stream gives, and its versioned name."""
    stream, versioned = client.get_stream(name, **options)
    with stream:
        return stream.read(), versioned


def content(client: Client, name: str, **options: bool) -> bytes:
    """Returns what a stream gives."""
    return read(client, name, **options)[0]


def entry(client: Client, name: str) -> str:
    """The path of an entry in the cache."""
    return os.path.join(client.local_store.dir, name.lstrip('/'))


def names_below(folder: str | os.PathLike[str]) -> list[str]:
    """The files in a folder and in those below it."""
    return sorted(
        os.path.relpath(os.path.join(where, name), folder)
        for where, _, names in os.walk(folder)
        for name in names
    )


def has_open_below(pid: int, folder: str) -> bool:
    """Whether a process has a file open in a folder, also one without a name."""
    with os.scandir('/proc/%d/fd' % pid) as opened:
        links = [item.path for item in opened]
    for link in links:
        try:
            if os.readlink(link).startswith(folder + '/'):
                return True
        except FileNotFoundError:
            pass
    return False
