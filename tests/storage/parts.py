"""The parts of a store in a directory, put together without the store."""

from __future__ import annotations

import contextlib
import os

from filetracker.servers.storage import open_storage
from filetracker.servers.storage.blobs_directory import DirectoryBlobStore
from filetracker.servers.storage.catalog_berkeleydb import BerkeleyCatalog
from filetracker.servers.storage.environments import acquire_environment
from filetracker.servers.storage.intents import Intents
from filetracker.servers.storage.links import Links
from tests.contracts.storage import listed, plain, put


def blob_path(root, digest):
    return root / 'blobs' / digest[:2] / digest


def blob_store(root):
    """The blobs below the store's root."""
    for name in ('blobs', 'spool'):
        (root / name).mkdir(parents=True, exist_ok=True)
    return DirectoryBlobStore(str(root / 'blobs'), str(root / 'spool'))


def berkeley_catalog(root):
    """The catalogue of the store; to be closed. Shares the environment with who has it open."""
    links, spool, lost = (str(root / name) for name in ('links', 'spool', 'lost+found'))
    os.makedirs(links, exist_ok=True)
    os.makedirs(spool, exist_ok=True)
    environment = acquire_environment(str(root), lambda environment: None)
    return BerkeleyCatalog(environment, Links(links, spool, lost), Intents(str(root / 'db')))


def mirror(root):
    """What links/ says: name to (digest, version in nanoseconds). Directories must not be empty."""
    told = {}
    links = root / 'links'
    for folder, folders, files in os.walk(links):
        assert folder == str(links) or folders or files, '%s is empty' % folder
        for name in files:
            path = os.path.join(folder, name)
            assert os.path.islink(path), path
            name = os.path.relpath(path, links)
            told[name] = os.path.basename(os.readlink(path)), os.lstat(path).st_mtime_ns
    return told


@contextlib.contextmanager
def closing(*things):
    """Closes what it got, the last first."""
    with contextlib.ExitStack() as stack:
        for thing in things:
            stack.callback(thing.close)
        yield things[0]


def assert_works(root, *names):
    """Opens the store, which has these names, uses it, and closes it."""
    with closing(open_storage(str(root))) as storage:
        assert listed(storage) == list(names)
        put(storage, 'new', 5, b'new')
        assert plain(storage, 'new') == b'new'
        storage.delete('new', 5)
