"""Large blobs take neither memory nor the time of others."""

from __future__ import annotations

import gzip
import hashlib
import os
import tracemalloc

from filetracker.servers.storage import open_storage
from filetracker.servers.storage.spool import inflated_size
from tests.contracts.storage import listed, put
from tests.storage.parts import blob_path, closing

_SIZE = 64 << 20
_MEMORY = 4 << 20


def zeros():
    """A gzip of many zeros, and their digest."""
    digest = hashlib.sha256(bytes(_SIZE)).hexdigest()
    return gzip.compress(bytes(_SIZE), 1, mtime=0), digest


def test_a_blob_is_compared_in_little_memory(tmp_path):
    content, digest = zeros()
    (tmp_path / 'blob').write_bytes(content)

    with open(tmp_path / 'blob', 'rb') as blob:
        tracemalloc.start()
        try:
            assert inflated_size(blob, digest) == _SIZE
            assert tracemalloc.get_traced_memory()[1] < _MEMORY
        finally:
            tracemalloc.stop()


def test_a_blob_of_another_size_is_served_in_little_memory(tmp_path):
    content, digest = zeros()
    with closing(open_storage(str(tmp_path))) as storage:
        with storage.upload(True) as upload:
            upload.write(content)
            storage.put('name', 1, upload)
        path = blob_path(tmp_path, digest)
        os.chmod(path, 0o644)
        path.write_bytes(content + gzip.compress(b''))

        tracemalloc.start()
        try:
            entry, file = storage.open('name')
            file.close()
            assert entry.size == _SIZE
            assert tracemalloc.get_traced_memory()[1] < _MEMORY
        finally:
            tracemalloc.stop()


def test_the_room_of_a_blob_is_freed_by_who_removed_its_last_name(tmp_path, monkeypatch):
    with closing(open_storage(str(tmp_path))) as storage:
        put(storage, 'name', 1, b'content')
        path = os.path.realpath(blob_path(tmp_path, hashlib.sha256(b'content').hexdigest()))
        unlink, held = os.unlink, []

        def unlink_and_look(other, **how):
            if os.path.realpath(other) == path:
                held.extend(map(target_of, os.listdir('/proc/self/fd')))
            unlink(other, **how)

        monkeypatch.setattr(os, 'unlink', unlink_and_look)
        storage.delete('name', 1)

        assert path in held
        assert listed(storage) == []
        assert not os.path.exists(path)


def target_of(descriptor):
    try:
        return os.readlink('/proc/self/fd/%s' % descriptor)
    except FileNotFoundError:
        return ''
