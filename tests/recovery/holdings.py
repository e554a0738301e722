"""What is in a store, seen from outside and from inside."""

from __future__ import annotations

import contextlib
import gzip
import os
import stat

from filetracker.servers.storage import FileStorage


def served(root):
    """Opens the store: name to version and plain content of all that it serves."""
    with contextlib.closing(FileStorage(str(root))) as store:
        found = {}
        for page in store.storage.pages(''):
            for name in page:
                entry, blob = store.storage.open(name)
                with blob:
                    plain = gzip.decompress(blob.read())
                assert entry.size == len(plain), name
                found[name] = entry.version, plain
        return found


def entries(root):
    """Opens the store: name to what it says of it."""
    with contextlib.closing(FileStorage(str(root))) as store:
        names = [name for page in store.storage.pages('') for name in page]
        return {name: tuple(store.storage.entry(name)) for name in names}


def counts(root):
    """Opens the store: what it says of counts and sizes."""
    with contextlib.closing(FileStorage(str(root))) as store:
        return dict(store.db.items())


def files(root, *folders):
    """All below the root, or some folders of it, that is no directory: where, and what it is."""
    found = {}
    for folder in folders or ('',):
        for parent, folders_in_it, names in os.walk(os.fsencode(root / folder)):
            links = [name for name in folders_in_it if os.path.islink(os.path.join(parent, name))]
            for name in names + links:
                path = os.path.join(parent, name)
                status = os.lstat(path)
                if stat.S_ISLNK(status.st_mode):
                    what = os.readlink(path), status.st_mtime_ns
                else:
                    with open(path, 'rb') as file:
                        what = file.read(), status.st_mode
                found[os.path.relpath(path, os.fsencode(root))] = what
    return found


def lost(root):
    """What is in lost+found/: its paths, and the lines of its list."""
    folder = root / 'lost+found'
    if not folder.exists():
        return [], []
    paths = sorted(path.decode() for path in files(folder) if path != b'list')
    return paths, sorted((folder / 'list').read_text().splitlines())
