"""Is what a store holds what it may hold, and do its parts agree?"""

from __future__ import annotations

import hashlib
import io
import os
from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from filetracker import gz
from filetracker.errors import FiletrackerError
from filetracker.servers.storage import FileStorage
from filetracker.servers.storage.links import Links
from tests.faults.stores import NEW, OTHER, State, put, told


class Findings(NamedTuple):
    """What is wrong with a store, one sentence each, and how many blobs have no name."""

    problems: list[str]
    spare: int


def read_state(store: FileStorage) -> tuple[State, list[str]]:
    """Reads every name to its end, through the doors that readers use.

    Returns them with what is wrong with them.
    """
    state: State = {}
    problems = []
    for page in store.storage.pages(''):
        for name in page:
            if name in state:
                problems.append('%s is listed twice' % name)
            try:
                entry, file = store.storage.open(name)
                with file:
                    stored = file.read()
                plain = b''.join(gz.inflated(io.BytesIO(stored)))
            except (FiletrackerError, OSError, gz.NotGzip) as error:
                problems.append('%s cannot be read: %r' % (name, error))
                continue
            actual = hashlib.sha256(plain).hexdigest(), len(plain), len(stored)
            if actual != entry[1:]:
                problems.append('%s is %s and its entry says %s' % (name, actual, entry[1:]))
            if entry != store.storage.entry(name):
                problems.append('%s has two entries' % name)
            state[name] = entry.version, plain
    return state, problems


def check(store: FileStorage, allowed: Iterable[State]) -> Findings:
    """Compares a store, which nobody changes, with the states that are allowed."""
    state, problems = read_state(store)
    allowed = list(allowed)
    if state not in allowed:
        problems.append('holds %s, not one of %s' % (told(state), [told(one) for one in allowed]))
    digests = Counter(hashlib.sha256(plain).hexdigest() for _, plain in state.values())
    problems += _wrong_counts(store, state, digests)
    blobs = {
        blob
        for folder in os.listdir(store.blobs_dir)
        for blob in os.listdir(os.path.join(store.blobs_dir, folder))
    }
    for digest in set(digests) - blobs:
        problems.append('the blob %s is missing' % digest)
    left = os.listdir(os.path.join(store.base_dir, 'spool'))
    if left:
        problems.append('left in the spool: %s' % left)
    return Findings(problems, len(blobs - set(digests)))


def check_mirror(store: FileStorage) -> list[str]:
    """Compares the mirror with the names; returns what is wrong."""
    problems = []
    names = {
        name.encode(): store.storage.entry(name)[1::-1]
        for page in store.storage.pages('')
        for name in page
    }
    mirror = {}
    for name, link in Links(store.links_dir, '', '').scan():
        if link is None:
            problems.append('%s in the mirror is no link' % name)
            continue
        digest = link.digest
        mirror[name] = digest, link.version
        path = os.path.join(store.links_dir.encode(), name)
        if os.path.realpath(path) != os.path.realpath(
            os.path.join(store.blobs_dir, digest[:2], digest).encode()
        ):
            problems.append('the link %s leads to %s' % (name, os.readlink(path)))
    if mirror != names:
        problems.append('the mirror is %s, the names are %s' % (mirror, names))
    for folder, folders, files in os.walk(store.links_dir):
        if not folders and not files and folder != store.links_dir:
            problems.append('the directory %s of the mirror is empty' % folder)
    return problems


def check_all(store: FileStorage, allowed: Iterable[State]) -> list[str]:
    """Says what is wrong with a store that lost nothing but its process and was opened since."""
    findings = check(store, allowed)
    problems = findings.problems + check_mirror(store)
    if findings.spare:
        problems.append('%d blobs have no name' % findings.spare)
    return problems


def use(store: FileStorage, names: Iterable[str]) -> list[str]:
    """Empties a store, and puts and deletes each name as a file and as a directory.

    Returns what is wrong.
    """
    problems = []
    names = sorted(names)
    try:
        for name in names:
            if store.stored_version(name) is not None:
                store.delete(name, 10**6)
        for name in names:
            put(store, name + '/below', 1, OTHER)
            store.delete(name + '/below', 1)
            put(store, name, 1, NEW)
            store.delete(name, 1)
    except (FiletrackerError, OSError) as error:
        problems.append('%s cannot be used: %r' % (name, error))
    return problems


def _wrong_counts(store: FileStorage, state: State, digests: Counter[str]) -> list[str]:
    sizes = {hashlib.sha256(plain).hexdigest(): len(plain) for _, plain in state.values()}
    expected = {digest.encode(): b'%d' % count for digest, count in digests.items()}
    expected.update(
        (b'%s:logical_size' % digest.encode(), b'%d' % size) for digest, size in sizes.items()
    )
    actual = {key: store.db.get(key) for key in store.db.keys()}
    return [] if actual == expected else ['counts are %s, not %s' % (actual, expected)]
