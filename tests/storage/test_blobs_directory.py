"""Blobs in a directory: the contract, and what the files look like."""

from __future__ import annotations

import errno
import gzip
import os
import resource
import stat

import pytest

from filetracker.servers.storage import blobs_directory
from tests.contracts.blob_store import ONE, BlobStoreContract, add, digest_of, read, spooled
from tests.storage.parts import blob_path, blob_store

DAMAGES = {
    'truncated': lambda content: content[:-1],
    'empty': lambda content: b'',
    'of other content': lambda content: gzip.compress(b'other'),
    'no gzip': lambda content: b'one',
    'with something behind it': lambda content: content + b'behind',
}


def leave(root, digest, content, mode=0o600):
    """Leaves a blob as filetracker 2.3.3 does: writable, and unverified."""
    path = blob_path(root, digest)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    path.chmod(mode)
    return path


def files_below(folder):
    return [os.path.join(place, name) for place, _, names in os.walk(folder) for name in names]


class DirectoryBlobs(BlobStoreContract):
    @pytest.fixture
    def blobs(self, tmp_path):
        return blob_store(tmp_path)

    def test_a_blob_is_a_read_only_file_named_by_its_digest(self, blobs, tmp_path):
        digest, content = add(blobs, b'one')

        path = tmp_path / 'blobs' / digest[:2] / digest
        assert path.read_bytes() == content
        assert stat.S_IMODE(path.stat().st_mode) == 0o444
        assert path.stat().st_nlink == 1

    def test_nothing_is_left_beside_the_blobs(self, blobs, tmp_path):
        for _ in range(2):
            add(blobs, b'one')
        with spooled(blobs, b'never added'):
            pass
        leave(tmp_path, digest_of(b'two'), b'damaged')
        add(blobs, b'two')

        assert sorted(files_below(tmp_path)) == sorted(
            str(blob_path(tmp_path, digest)) for digest in (ONE, digest_of(b'two'))
        )
        assert os.listdir(tmp_path / 'spool') == []

    def test_no_name_is_seen_before_the_blob_is_whole(self, blobs, tmp_path):
        with spooled(blobs, gzip.compress(b'one') * 100):
            assert files_below(tmp_path / 'blobs') == []

    def test_what_another_store_on_the_directory_added_is_there(self, blobs, tmp_path):
        _, content = add(blobs, b'one')

        assert read(blob_store(tmp_path), ONE) == content

    def test_a_good_blob_of_the_original_stays_and_becomes_read_only(self, blobs, tmp_path):
        content = gzip.compress(b'one', 1)
        path = leave(tmp_path, ONE, content, 0o644)
        inode = path.stat().st_ino
        with spooled(blobs, gzip.compress(b'one', 9)) as file:
            size = blobs.add(ONE, file)

        assert size == len(content)
        assert path.read_bytes() == content
        assert path.stat().st_ino == inode
        assert stat.S_IMODE(path.stat().st_mode) == 0o444

    @pytest.mark.parametrize('damage', DAMAGES)
    def test_a_damaged_blob_of_the_original_is_replaced(self, blobs, tmp_path, damage):
        path = leave(tmp_path, ONE, DAMAGES[damage](gzip.compress(b'one')))
        _, content = add(blobs, b'one')

        assert path.read_bytes() == content
        assert stat.S_IMODE(path.stat().st_mode) == 0o444
        assert os.listdir(tmp_path / 'spool') == []

    def test_who_reads_a_damaged_blob_is_not_disturbed_by_its_replacement(self, blobs, tmp_path):
        leave(tmp_path, ONE, b'damaged')
        with blobs.open(ONE) as blob:
            add(blobs, b'one')

            assert blob.read() == b'damaged'

    def test_an_error_of_the_disk_is_not_an_absent_blob(self, blobs, tmp_path):
        folder = blob_path(tmp_path, ONE).parent
        folder.rmdir()
        folder.symlink_to(folder.name)

        for use in (blobs.stored_size, blobs.open, blobs.remove):
            with pytest.raises(OSError) as caught:
                use(ONE)
            assert caught.value.errno == errno.ELOOP


class TestDirectoryBlobStore(DirectoryBlobs):
    @pytest.fixture(autouse=True)
    def with_journal(self, monkeypatch):
        monkeypatch.setattr(blobs_directory, 'may_lack_journal', lambda folder: False)

    def test_a_spooled_file_has_no_name(self, blobs, tmp_path):
        with spooled(blobs, b'content') as file:
            assert os.fstat(file.fileno()).st_nlink == 0
            assert files_below(tmp_path) == []

    def test_a_copy_that_the_disk_does_not_take_whole_is_no_blob(self, blobs):
        plain = os.urandom(80_000)
        content = gzip.compress(plain)
        digest = digest_of(plain)
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        with spooled(blobs, content) as file:
            blobs.add(digest, file)
            # What was the only name of the file, which cannot get another.
            blobs.remove(digest)
            resource.setrlimit(resource.RLIMIT_FSIZE, (len(content) - 10, before[1]))
            try:
                with pytest.raises(OSError, match='No space'):
                    blobs.add(digest, file)
            finally:
                resource.setrlimit(resource.RLIMIT_FSIZE, before)

        assert blobs.stored_size(digest) is None


class TestDirectoryBlobStoreWithoutUnnamedFiles(DirectoryBlobs):
    @pytest.fixture(autouse=True)
    def without_unnamed_files(self, monkeypatch):
        # What the flag is to a kernel or a file system that does not know it: it refuses then.
        monkeypatch.setattr(os, 'O_TMPFILE', os.O_DIRECTORY)

    def test_a_spooled_file_is_in_the_spool(self, blobs, tmp_path):
        with spooled(blobs, b'content'):
            assert len(os.listdir(tmp_path / 'spool')) == 1

        assert os.listdir(tmp_path / 'spool') == []


class TestDirectoryBlobStoreWithoutJournal(DirectoryBlobs):
    @pytest.fixture(autouse=True)
    def without_journal(self, monkeypatch):
        monkeypatch.setattr(blobs_directory, 'may_lack_journal', lambda folder: True)

    def test_a_blob_has_a_name_before_it_is_synced(self, blobs, monkeypatch):
        names = []
        sync = os.fsync

        def fsync(descriptor):
            status = os.fstat(descriptor)
            if stat.S_ISREG(status.st_mode):
                names.append(status.st_nlink)
            sync(descriptor)

        monkeypatch.setattr(os, 'fsync', fsync)
        add(blobs, b'one')

        assert names == [1]


def test_a_good_blob_of_several_members_stays_when_the_content_comes_again(tmp_path):
    blobs = blob_store(tmp_path)
    digest = digest_of(b'content')
    several = gzip.compress(b'con') + gzip.compress(b'tent')
    for stream in (several, gzip.compress(b'content')):
        with blobs.spool() as spooled:
            spooled.write(stream)
            blobs.add(digest, spooled)

    with blobs.open(digest) as blob:
        assert blob.read() == several
