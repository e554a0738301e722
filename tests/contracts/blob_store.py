"""What every blob store promises (:class:`filetracker.servers.storage.interfaces.BlobStore`)."""

from __future__ import annotations

import gzip
import hashlib
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.contracts import Contract


def digest_of(plain):
    return hashlib.sha256(plain).hexdigest()


ONE = digest_of(b'one')
TWO = digest_of(b'two')


def spooled(blobs, content):
    """A file of the store with the bytes, as :meth:`BlobStore.add` takes it."""
    file = blobs.spool()
    file.write(content)
    return file


def add(blobs, plain, level=9):
    """Adds a blob; returns its digest and what went into it."""
    content = gzip.compress(plain, level)
    with spooled(blobs, content) as file:
        blobs.add(digest_of(plain), file)
    return digest_of(plain), content


def read(blobs, digest):
    with blobs.open(digest) as blob:
        return blob.read()


class BlobStoreContract(Contract):
    @pytest.fixture
    def blobs(self):
        """An empty store."""
        raise NotImplementedError

    def test_a_blob_reads_back_as_it_was_added(self, blobs):
        digest, content = add(blobs, b'one')

        assert read(blobs, digest) == content
        assert blobs.stored_size(digest) == len(content)

    def test_adding_returns_the_size_of_the_blob(self, blobs):
        content = gzip.compress(b'one')
        with spooled(blobs, content) as file:
            size = blobs.add(ONE, file)

        assert size == len(content)

    def test_adding_a_blob_twice_keeps_the_first(self, blobs):
        _, first = add(blobs, b'one')
        with spooled(blobs, gzip.compress(b'one', 0)) as file:
            size = blobs.add(ONE, file)

        assert read(blobs, ONE) == first
        assert size == len(first)

    def test_a_blob_that_is_not_there_cannot_be_opened(self, blobs):
        assert blobs.stored_size(ONE) is None
        with pytest.raises(FileNotFoundError):
            blobs.open(ONE)

    def test_a_removed_blob_is_gone(self, blobs):
        add(blobs, b'one')
        add(blobs, b'two')
        blobs.remove(ONE)

        assert blobs.stored_size(ONE) is None
        with pytest.raises(FileNotFoundError):
            blobs.open(ONE)
        assert blobs.stored_size(TWO)

    def test_removing_an_absent_blob_is_fine(self, blobs):
        blobs.remove(ONE)

        assert blobs.stored_size(ONE) is None

    def test_an_open_blob_survives_its_removal(self, blobs):
        _, content = add(blobs, b'one')
        with blobs.open(ONE) as blob:
            blobs.remove(ONE)

            assert blob.read() == content

    def test_a_removed_blob_can_be_added_again(self, blobs):
        add(blobs, b'one')
        blobs.remove(ONE)
        _, content = add(blobs, b'one', level=0)

        assert read(blobs, ONE) == content

    def test_what_a_collector_removed_can_be_added_again(self, blobs):
        content = gzip.compress(b'one')
        with spooled(blobs, content) as file:
            blobs.add(ONE, file)
            blobs.remove(ONE)
            size = blobs.add(ONE, file)

        assert read(blobs, ONE) == content
        assert size == len(content)

    def test_what_was_there_and_removed_can_be_added_from_the_unused_file(self, blobs):
        add(blobs, b'one')
        with spooled(blobs, gzip.compress(b'one', 0)) as file:
            blobs.add(ONE, file)
            blobs.remove(ONE)
            blobs.add(ONE, file)

        assert gzip.decompress(read(blobs, ONE)) == b'one'

    def test_a_spooled_file_is_not_a_blob(self, blobs):
        with spooled(blobs, gzip.compress(b'one')):
            assert list(blobs.digests()) == []
        assert list(blobs.digests()) == []

    def test_spooled_files_are_apart_from_each_other(self, blobs):
        with spooled(blobs, b'first') as first, spooled(blobs, b'second') as second:
            first.seek(0)
            second.seek(0)

            assert first.read() == b'first'
            assert second.read() == b'second'

    def test_closing_the_spooled_file_leaves_the_blob(self, blobs):
        file = spooled(blobs, gzip.compress(b'one'))
        blobs.add(ONE, file)
        file.close()

        assert gzip.decompress(read(blobs, ONE)) == b'one'

    def test_what_is_written_to_the_spooled_file_later_is_not_in_a_blob_that_was_there(self, blobs):
        _, content = add(blobs, b'one')
        with spooled(blobs, gzip.compress(b'one')) as file:
            blobs.add(ONE, file)
            file.write(b'more')

        assert read(blobs, ONE) == content

    def test_readers_do_not_share_a_position(self, blobs):
        _, content = add(blobs, b'one')
        with blobs.open(ONE) as first, blobs.open(ONE) as second:
            first.read()

            assert second.read() == content

    def test_digests_tells_all_blobs(self, blobs):
        assert list(blobs.digests()) == []
        added = {add(blobs, b'%d' % number)[0] for number in range(20)}
        gone = added.pop()
        blobs.remove(gone)

        told = list(blobs.digests())

        assert set(told) == added
        assert len(told) == len(added)

    def test_digests_are_told_by_their_first_digits_too(self, blobs):
        added = {add(blobs, b'%d' % number)[0] for number in range(600)}

        for prefix in {digest[:2] for digest in added} | {'AB'}:
            expected = sorted(digest for digest in added if digest.startswith(prefix))
            assert blobs.digests_with(prefix) == expected

    def test_a_large_blob_is_kept_whole(self, blobs):
        content = gzip.compress(bytes(range(256)) * (1 << 13), 0)
        digest = digest_of(bytes(range(256)) * (1 << 13))
        with spooled(blobs, content) as file:
            assert blobs.add(digest, file) == len(content)

        assert read(blobs, digest) == content

    def test_of_many_who_add_one_content_at_once_one_wins_whole(self, blobs):
        contents = [gzip.compress(b'one' * 1000, level) for level in range(8)]
        digest = digest_of(b'one' * 1000)

        def add_one(content):
            with spooled(blobs, content) as file:
                return blobs.add(digest, file)

        with ThreadPoolExecutor(len(contents)) as pool:
            sizes = set(pool.map(add_one, contents))

        assert read(blobs, digest) in contents
        assert sizes == {len(read(blobs, digest))}
