"""The order of writes: what comes between two steps, and disks that are full."""

from __future__ import annotations

import errno
import gzip
import io
import os

import pytest

from filetracker.errors import BadUpload, Damaged, NotFound, StoreFull
from filetracker.servers.storage import Entry, Storage
from filetracker.servers.storage.memory import MemoryBlobStore, MemoryCatalog
from tests.contracts.blob_store import add, digest_of
from tests.contracts.storage import listed, plain, put, put_gzip, stored

CONTENT = b'content' * 100
DIGEST = digest_of(CONTENT)


class CatalogWithGuest(MemoryCatalog):
    """Lets somebody do something just before the next put."""

    guest = None

    def put(self, name, entry, has_blob):
        guest, self.guest = self.guest, None
        if guest:
            guest()
        return super().put(name, entry, has_blob)


class BlobsWithGuest(MemoryBlobStore):
    """Lets somebody do something just before the next blob is opened."""

    guest = None

    def open(self, digest):
        guest, self.guest = self.guest, None
        if guest:
            guest()
        return super().open(digest)


class BlobsOnFullDisk(MemoryBlobStore):
    """Spools onto a disk that takes nothing."""

    full = False

    def spool(self):
        return open('/dev/full', 'r+b') if self.full else super().spool()


class FullForOneWrite(io.BytesIO):
    full = True

    def write(self, content):
        if self.full:
            self.full = False
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return super().write(content)


class BlobsFullForOneWrite(MemoryBlobStore):
    """Spools onto a disk on which others make room meanwhile."""

    def spool(self):
        return FullForOneWrite()


@pytest.fixture
def blobs():
    return BlobsWithGuest()


@pytest.fixture
def catalog():
    return CatalogWithGuest()


@pytest.fixture
def storage(blobs, catalog):
    return Storage(blobs, catalog)


# Between the blob and the name


def test_a_blob_that_is_collected_before_it_has_its_name_is_added_again(storage, blobs, catalog):
    catalog.guest = lambda: blobs.remove(DIGEST)

    assert put(storage, 'name', 5, CONTENT) == 5
    assert plain(storage, 'name') == CONTENT


def test_an_entry_has_the_size_of_the_stream_that_is_there(storage, blobs, catalog):
    def replace():
        blobs.remove(DIGEST)
        add(blobs, CONTENT, level=0)

    catalog.guest = replace
    put_gzip(storage, 'name', 5, gzip.compress(CONTENT, 9))

    entry, content = stored(storage, 'name')
    assert entry.stored_size == storage.entry('name').stored_size == len(content)


def test_a_name_that_came_between_and_is_newer_stays(storage, blobs, catalog):
    catalog.guest = lambda: put(storage, 'name', 6, b'newer')

    assert put(storage, 'name', 5, CONTENT) == 6
    assert plain(storage, 'name') == b'newer'
    assert list(blobs.digests()) == [digest_of(b'newer')]


# Between the name and the blob


def test_a_name_that_is_replaced_while_it_is_opened_is_opened_new(storage, blobs):
    put(storage, 'name', 5, CONTENT)
    blobs.guest = lambda: put(storage, 'name', 6, b'newer')
    entry, content = stored(storage, 'name')

    assert entry == Entry(6, digest_of(b'newer'), 5, len(content))
    assert gzip.decompress(content) == b'newer'


def test_a_name_that_is_deleted_while_it_is_opened_is_not_found(storage, blobs):
    put(storage, 'name', 5, CONTENT)
    blobs.guest = lambda: storage.delete('name', 5)

    with pytest.raises(NotFound):
        storage.open('name')


def test_a_content_that_comes_back_as_another_stream_is_opened_with_its_size(storage, blobs):
    def replace():
        storage.delete('name', 5)
        put_gzip(storage, 'name', 5, gzip.compress(CONTENT, 0))

    put_gzip(storage, 'name', 5, gzip.compress(CONTENT, 9))
    blobs.guest = replace
    entry, content = stored(storage, 'name')

    assert gzip.decompress(content) == CONTENT
    assert entry.stored_size == len(content)


def test_a_blob_of_another_size_is_served_if_it_is_good(storage, blobs):
    put_gzip(storage, 'name', 5, gzip.compress(CONTENT, 9))
    blobs.remove(DIGEST)
    _, good = add(blobs, CONTENT, level=0)

    assert stored(storage, 'name') == (Entry(5, DIGEST, len(CONTENT), len(good)), good)


def test_a_blob_of_another_size_is_damaged_if_it_is_not_good(storage, blobs):
    put(storage, 'name', 5, CONTENT)
    blobs.remove(DIGEST)
    with blobs.spool() as file:
        file.write(gzip.compress(CONTENT)[:-9])
        blobs.add(DIGEST, file)

    with pytest.raises(Damaged, match='name'):
        storage.open('name')


# Room


def test_a_full_disk_refuses_and_changes_nothing():
    blobs = BlobsOnFullDisk()
    storage = Storage(blobs, MemoryCatalog())
    put(storage, 'name', 5, b'old')
    blobs.full = True
    noise = bytes(range(256)) * 1000
    for content in (b'small', noise):
        with pytest.raises(StoreFull):
            put_gzip(storage, 'name', 6, gzip.compress(content, 0))

    assert plain(storage, 'name') == b'old'
    assert list(blobs.digests()) == [digest_of(b'old')]

    blobs.full = False
    assert put(storage, 'name', 6, b'new') == 6
    assert plain(storage, 'name') == b'new'


def test_an_upload_that_did_not_fit_cannot_be_put_though_there_is_room_now():
    blobs = BlobsFullForOneWrite()
    storage = Storage(blobs, MemoryCatalog())

    with storage.upload(False) as upload:
        with pytest.raises(StoreFull):
            upload.write(CONTENT)
        with pytest.raises((StoreFull, BadUpload)):
            storage.put('name', 5, upload)
    assert list(blobs.digests()) == []


def test_room_is_looked_at_before_an_upload(blobs):
    def check_room():
        raise StoreFull()

    storage = Storage(blobs, MemoryCatalog(), check_room)

    with pytest.raises(StoreFull):
        storage.upload(False)


def test_room_is_looked_at_now_and_then_during_an_upload(blobs):
    looks = []

    def check_room():
        looks.append(1)
        if len(looks) == 3:
            raise StoreFull()

    storage = Storage(blobs, MemoryCatalog(), check_room)
    content = gzip.compress(bytes(32 << 20), 0)

    with pytest.raises(StoreFull), storage.upload(True) as upload:
        for start in range(0, len(content), 1 << 20):
            upload.write(content[start : start + (1 << 20)])
    assert list(blobs.digests()) == []
    assert listed(storage) == []
