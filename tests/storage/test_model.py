"""Random histories of a store, held against a dictionary, with closing and opening as a step.

``FILETRACKER_EXAMPLES`` asks for so many histories, other ones each time; without it they are few
and always the same.
"""

from __future__ import annotations

import gzip
import os
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from filetracker.errors import BadUpload, NameConflict, NotFound
from filetracker.servers.storage import Storage, level, listing, memory, open_storage
from filetracker.servers.storage.memory import MemoryBlobStore, MemoryCatalog
from tests.contracts.blob_store import digest_of
from tests.contracts.storage import listed, put, stored
from tests.storage.parts import berkeley_catalog, blob_store, mirror

EXAMPLES = int(os.environ.get('FILETRACKER_EXAMPLES', 0))

NAMES = st.sampled_from(['a', 'a/b', 'a/b/c', 'a/c', 'a.b', 'a b', 'ab', 'b', 'd/e', 'd/é', 'é'])
DIRECTORIES = st.sampled_from(['', 'a', 'a/b', 'd', 'b', 'missing'])
VERSIONS = st.integers(-3, 12)
CONTENTS = st.sampled_from([b'', b'one', b'two', b'three' * 100, bytes(70000)])
LEVELS = st.sampled_from([0, 1, 9])


@pytest.fixture(autouse=True)
def lists_of_small_parts(monkeypatch):
    monkeypatch.setattr(listing, '_FIRST_PAGE', 1)
    monkeypatch.setattr(listing, '_PAGE', 2)
    for module in (level, memory):
        monkeypatch.setattr(module, '_STRETCH', 2)


class Model(RuleBasedStateMachine):
    """``expected`` is what should be stored: name to version and content."""

    def __init__(self):
        super().__init__()
        self.expected = {}
        self.storage = None

    def open(self):
        """Returns the store, and other doors to its blobs and its names."""
        raise NotImplementedError

    @initialize()
    def begin(self):
        self.storage, self.blobs, self.catalog = self.open()

    @rule(name=NAMES, version=VERSIONS, content=CONTENTS)
    def put_plain(self, name, version, content):
        self.check_put(name, version, content, lambda: put(self.storage, name, version, content))

    @rule(name=NAMES, version=VERSIONS, content=CONTENTS, level=LEVELS)
    def put_gzip(self, name, version, content, level):
        def put_gzip():
            digest = digest_of(content)
            with self.storage.upload(True, digest, len(content)) as upload:
                upload.write(gzip.compress(content, level))
                return self.storage.put(name, version, upload)

        self.check_put(name, version, content, put_gzip)

    def check_put(self, name, version, content, put):
        there, _ = self.expected.get(name, (None, None))
        conflicts = {
            other
            for other in self.expected
            if name.startswith(other + '/') or other.startswith(name + '/')
        }
        if conflicts:
            with pytest.raises(NameConflict) as caught:
                put()
            assert caught.value.other in conflicts
        elif there is not None and there > version:
            assert put() == there
        else:
            assert put() == version
            self.expected[name] = version, content

    @rule(name=NAMES, version=VERSIONS, content=CONTENTS)
    def put_what_is_not_what_it_says(self, name, version, content):
        with pytest.raises(BadUpload), self.storage.upload(True) as upload:
            upload.write(gzip.compress(content)[:-1])
            self.storage.put(name, version, upload)

    @rule(name=NAMES, version=VERSIONS)
    def delete(self, name, version):
        there, _ = self.expected.get(name, (None, None))
        if there is None:
            with pytest.raises(NotFound):
                self.storage.delete(name, version)
        elif there > version:
            assert self.storage.delete(name, version) == there
        else:
            assert self.storage.delete(name, version) is None
            del self.expected[name]

    @precondition(lambda self: self.expected)
    @rule(data=st.data())
    def delete_what_is_there(self, data):
        name = data.draw(st.sampled_from(sorted(self.expected)))

        assert self.storage.delete(name, self.expected[name][0]) is None
        del self.expected[name]

    @rule(directory=DIRECTORIES, cutoff=st.none() | VERSIONS)
    def list(self, directory, cutoff):
        prefix = directory and directory + '/'
        below = {name: entry for name, entry in self.expected.items() if name.startswith(prefix)}
        if directory and not below:
            with pytest.raises(NotFound):
                listed(self.storage, directory, cutoff)
        else:
            assert listed(self.storage, directory, cutoff) == sorted(
                (
                    name[len(prefix) :]
                    for name, (version, _) in below.items()
                    if cutoff is None or version <= cutoff
                ),
                key=str.encode,
            )

    @rule()
    def reopen(self):
        self.close()
        self.storage, self.blobs, self.catalog = self.open()

    def close(self):
        self.catalog.close()
        self.storage.close()

    def teardown(self):
        if self.storage:
            self.close()

    @invariant()
    def every_name_reads_back(self):
        if not self.storage:
            return
        for name, (version, content) in self.expected.items():
            entry, stream = stored(self.storage, name)
            assert gzip.decompress(stream) == content
            assert entry == (version, digest_of(content), len(content), len(stream))

    @invariant()
    def the_books_are_exact(self):
        if not self.storage:
            return
        digests = [digest_of(content) for _, content in self.expected.values()]
        assert sorted(self.blobs.digests()) == sorted(set(digests))
        for digest in set(digests):
            assert self.catalog.count(digest) == digests.count(digest)


class ModelInMemory(Model):
    def __init__(self):
        super().__init__()
        self.parts = MemoryBlobStore(), MemoryCatalog()

    def open(self):
        return Storage(*self.parts), *self.parts


class ModelOnDisk(Model):
    def __init__(self):
        super().__init__()
        self.root = Path(tempfile.mkdtemp(prefix='filetracker-model-'))

    def open(self):
        storage = open_storage(str(self.root))
        return storage, blob_store(self.root), berkeley_catalog(self.root)

    def teardown(self):
        super().teardown()
        shutil.rmtree(self.root)

    @invariant()
    def the_mirror_is_exact(self):
        assert mirror(self.root) == {
            name: (digest_of(content), version * 10**9)
            for name, (version, content) in self.expected.items()
        }

    @invariant()
    def nothing_is_under_way(self):
        if self.storage:
            assert os.listdir(self.root / 'spool') == []
            assert not (self.root / 'lost+found').exists()


def histories(examples, steps):
    return settings(
        max_examples=EXAMPLES or examples,
        stateful_step_count=steps,
        derandomize=not EXAMPLES,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )


TestModelInMemory = ModelInMemory.TestCase
TestModelInMemory.settings = histories(examples=40, steps=40)

TestModelOnDisk = ModelOnDisk.TestCase
TestModelOnDisk.settings = histories(examples=12, steps=30)
