"""What the store promises over every pair of backends (``filetracker.servers.storage.Storage``)."""

from __future__ import annotations

import gzip
import random
import zlib
from concurrent.futures import ThreadPoolExecutor

import pytest

from filetracker.errors import (
    BadUpload,
    Damaged,
    InvalidName,
    NameConflict,
    NotFound,
    TooLarge,
)
from filetracker.protocol import MAX_VERSION, MIN_VERSION
from filetracker.servers.storage import Entry
from tests.contracts import Contract
from tests.contracts.blob_store import digest_of

ODD_NAMES = [
    '',
    '/',
    '/a',
    'a/',
    'a//b',
    '.',
    'a/..',
    'a/./b',
    'a\0b',
    'a\nb',
    'a\udc80',
    'a' * 256,
]


def put(storage, name, version, plain):
    """Stores plain bytes."""
    with storage.upload(False) as upload:
        upload.write(plain)
        return storage.put(name, version, upload)


def put_gzip(storage, name, version, content, **said):
    """Stores a gzip stream, in parts; ``said`` is what the sender says of it."""
    with storage.upload(True, **said) as upload:
        for start in range(0, len(content), 7):
            upload.write(content[start : start + 7])
        return storage.put(name, version, upload)


def stored(storage, name):
    """The entry and the gzip bytes of a file."""
    entry, file = storage.open(name)
    with file:
        return entry, file.read()


def plain(storage, name):
    return gzip.decompress(stored(storage, name)[1])


def listed(storage, directory='', cutoff=None):
    return [name for page in storage.pages(directory, cutoff) for name in page]


class StorageContract(Contract):
    @pytest.fixture
    def storage(self):
        """An empty store."""
        raise NotImplementedError

    @pytest.fixture
    def blobs(self, storage):
        """Another door to the blobs of ``storage``."""
        raise NotImplementedError

    @pytest.fixture
    def catalog(self, storage):
        """Another door to the names of ``storage``."""
        raise NotImplementedError

    # What comes back

    def test_a_file_comes_back(self, storage):
        version = put(storage, 'a/name', 5, b'content')
        entry, content = stored(storage, 'a/name')

        assert version == 5
        assert gzip.decompress(content) == b'content'
        assert entry == Entry(5, digest_of(b'content'), 7, len(content))
        assert storage.entry('a/name') == entry

    def test_a_gzip_stream_comes_back_byte_for_byte(self, storage):
        content = gzip.compress(b'content' * 1000, 1)
        put_gzip(storage, 'name', 5, content)

        assert stored(storage, 'name') == (
            Entry(5, digest_of(b'content' * 1000), 7000, len(content)),
            content,
        )

    def test_the_blob_is_found_under_its_digest(self, storage, blobs):
        put(storage, 'name', 5, b'content')

        assert list(blobs.digests()) == [digest_of(b'content')]
        with blobs.open(digest_of(b'content')) as blob:
            assert gzip.decompress(blob.read()) == b'content'

    def test_the_empty_file_comes_back(self, storage):
        with storage.upload(False) as upload:
            storage.put('plain', 5, upload)
        put_gzip(storage, 'gzip', 5, gzip.compress(b''), digest=digest_of(b''), size=0)

        assert plain(storage, 'plain') == plain(storage, 'gzip') == b''
        assert storage.entry('plain').size == 0

    def test_a_large_file_that_comes_in_parts_comes_back(self, storage):
        part = random.Random(1).randbytes(1 << 18)
        with storage.upload(False, digest_of(part * 9), len(part) * 9) as upload:
            for _ in range(9):
                upload.write(part)
            storage.put('name', 5, upload)

        assert plain(storage, 'name') == part * 9
        assert storage.entry('name').size == len(part) * 9

    def test_a_stream_of_several_members_is_one_file(self, storage):
        content = gzip.compress(b'one') + gzip.compress(b'') + gzip.compress(b'two')
        put_gzip(storage, 'name', 5, content, digest=digest_of(b'onetwo'), size=6)

        assert stored(storage, 'name')[1] == content
        assert storage.entry('name').size == 6

    def test_readers_do_not_share_a_position(self, storage):
        put(storage, 'name', 5, b'content')
        _, first = storage.open('name')
        _, second = storage.open('name')

        with first, second:
            assert first.read() == second.read()

    @pytest.mark.parametrize('version', [MIN_VERSION, -1, 0, 1, 2**31, 2**32, MAX_VERSION])
    def test_a_version_is_kept_exactly_or_refused(self, storage, version):
        try:
            put(storage, 'name', version, b'content')
        except InvalidName:
            # What the disk at hand cannot keep.
            assert abs(version) >= 2**31
            assert listed(storage) == []
        else:
            assert storage.entry('name').version == version

    # What is not there

    @pytest.mark.parametrize('name', ['b', 'a', 'a/name/below', 'a/nam', 'a/names', 'A/NAME'])
    def test_what_was_never_put_is_not_found(self, storage, name):
        put(storage, 'a/name', 5, b'content')

        for look in (storage.entry, storage.open, lambda name: storage.delete(name, 5)):
            with pytest.raises(NotFound) as caught:
                look(name)
            assert caught.value.name == name

    @pytest.mark.parametrize('name', ODD_NAMES)
    def test_a_name_that_cannot_be_is_refused_everywhere(self, storage, blobs, name):
        with pytest.raises(InvalidName):
            put(storage, name, 5, b'content')
        for look in (storage.entry, storage.open, lambda name: storage.delete(name, 5)):
            with pytest.raises(InvalidName):
                look(name)
        if name:
            with pytest.raises(InvalidName):
                listed(storage, name)

        assert listed(storage) == []
        assert list(blobs.digests()) == []

    @pytest.mark.parametrize('version', [MIN_VERSION - 1, MAX_VERSION + 1, -(10**30), 10**30])
    def test_a_version_out_of_range_is_refused(self, storage, blobs, version):
        with pytest.raises(InvalidName):
            put(storage, 'name', version, b'content')

        assert listed(storage) == []
        assert list(blobs.digests()) == []

    # The rule of versions

    def test_a_newer_version_replaces(self, storage, blobs, catalog):
        put(storage, 'name', 5, b'old')

        assert put(storage, 'name', 6, b'new') == 6
        assert plain(storage, 'name') == b'new'
        assert storage.entry('name').version == 6
        assert list(blobs.digests()) == [digest_of(b'new')]
        assert catalog.count(digest_of(b'old')) == 0

    def test_an_equal_version_replaces(self, storage, blobs):
        put(storage, 'name', 5, b'old')

        assert put(storage, 'name', 5, b'new') == 5
        assert plain(storage, 'name') == b'new'
        assert list(blobs.digests()) == [digest_of(b'new')]

    def test_an_older_version_is_dropped_and_the_newer_one_told(self, storage, blobs):
        put(storage, 'name', 6, b'new')

        assert put(storage, 'name', 5, b'old') == 6
        assert plain(storage, 'name') == b'new'
        assert list(blobs.digests()) == [digest_of(b'new')]

    def test_an_older_version_with_content_that_others_have_takes_nothing_away(self, storage):
        put(storage, 'other', 5, b'content')
        put(storage, 'name', 6, b'new')
        put(storage, 'name', 5, b'content')

        assert plain(storage, 'other') == b'content'

    def test_the_same_again_changes_nothing(self, storage, blobs, catalog):
        put(storage, 'name', 5, b'content')
        put(storage, 'name', 5, b'content')
        put(storage, 'name', 6, b'content')

        assert plain(storage, 'name') == b'content'
        assert catalog.count(digest_of(b'content')) == 1
        assert list(blobs.digests()) == [digest_of(b'content')]

    # What is stored once

    def test_one_content_is_stored_once(self, storage, blobs, catalog):
        first = gzip.compress(b'content', 9, mtime=1)
        second = gzip.compress(b'content', 1, mtime=2)
        put_gzip(storage, 'one', 5, first)
        put_gzip(storage, 'two', 5, second)
        put(storage, 'three', 5, b'content')

        assert [stored(storage, name)[1] for name in ('one', 'two', 'three')] == [first] * 3
        assert storage.entry('two').stored_size == len(first)
        assert catalog.count(digest_of(b'content')) == 3
        assert list(blobs.digests()) == [digest_of(b'content')]

    def test_content_stays_until_its_last_name_goes(self, storage, blobs):
        put(storage, 'one', 5, b'content')
        put(storage, 'two', 5, b'content')
        storage.delete('one', 5)

        assert plain(storage, 'two') == b'content'
        put(storage, 'two', 6, b'other')
        assert list(blobs.digests()) == [digest_of(b'other')]

    # Deleting

    def test_a_deleted_file_is_gone(self, storage, blobs, catalog):
        put(storage, 'a/name', 5, b'content')

        assert storage.delete('a/name', 5) is None
        with pytest.raises(NotFound):
            storage.entry('a/name')
        assert listed(storage) == []
        assert list(blobs.digests()) == []
        assert catalog.count(digest_of(b'content')) == 0

    def test_a_newer_file_is_not_deleted(self, storage):
        put(storage, 'name', 5, b'content')

        assert storage.delete('name', 4) == 5
        assert plain(storage, 'name') == b'content'

    def test_a_file_is_deleted_with_a_later_version(self, storage):
        put(storage, 'name', 5, b'content')

        assert storage.delete('name', 6) is None
        assert listed(storage) == []

    def test_after_a_deletion_any_version_is_taken(self, storage):
        put(storage, 'name', 5, b'content')
        storage.delete('name', 9)

        assert put(storage, 'name', 1, b'older') == 1
        assert plain(storage, 'name') == b'older'

    # Burying

    def test_what_is_buried_is_gone_and_remembered(self, storage, blobs):
        put(storage, 'name', 5, b'content')

        assert storage.bury('name', 4) == 5
        assert storage.bury('name', 5) is None
        assert not storage.is_known('other')
        assert storage.buried_version('name') == 5 and storage.is_known('name')
        assert listed(storage) == []
        assert list(blobs.digests()) == []
        with pytest.raises(NotFound):
            storage.bury('name', 5)

    # Open files

    def test_an_open_file_survives_its_removal(self, storage):
        put(storage, 'name', 5, b'content')
        entry, file = storage.open('name')
        storage.delete('name', 5)

        with file:
            assert gzip.decompress(file.read()) == b'content'
        assert entry.version == 5

    def test_an_open_file_survives_its_replacement(self, storage):
        put(storage, 'name', 5, b'content')
        _, file = storage.open('name')
        put(storage, 'name', 6, b'other')

        with file:
            assert gzip.decompress(file.read()) == b'content'

    def test_a_file_whose_blob_is_gone_is_damaged(self, storage, blobs):
        put(storage, 'a/name', 5, b'content')
        put(storage, 'other', 5, b'other')
        blobs.remove(digest_of(b'content'))

        with pytest.raises(Damaged, match='a/name') as caught:
            storage.open('a/name')
        assert caught.value.name == 'a/name'
        assert storage.entry('a/name').version == 5
        assert plain(storage, 'other') == b'other'

    def test_a_damaged_file_is_healed_by_its_content(self, storage, blobs):
        put(storage, 'name', 5, b'content')
        blobs.remove(digest_of(b'content'))
        put(storage, 'other', 5, b'content')

        assert plain(storage, 'name') == b'content'

    def test_a_damaged_file_can_be_deleted(self, storage, blobs):
        put(storage, 'name', 5, b'content')
        blobs.remove(digest_of(b'content'))

        assert storage.delete('name', 5) is None
        assert listed(storage) == []

    # Uploads that are refused

    @pytest.mark.parametrize(
        ('gzipped', 'content', 'said'),
        [
            (False, b'content', {'digest': digest_of(b'other')}),
            (False, b'content', {'size': 6}),
            (False, b'content', {'size': 8}),
            (False, b'', {'size': 1}),
            (True, gzip.compress(b'content'), {'digest': digest_of(gzip.compress(b'content'))}),
            (True, gzip.compress(b'content'), {'digest': digest_of(b'content'), 'size': 6}),
            (True, gzip.compress(b'content'), {'digest': digest_of(b'other'), 'size': 7}),
            (True, b'', {}),
            (True, b'content', {'digest': digest_of(b'content'), 'size': 7}),
            (True, gzip.compress(b'content')[:-1], {'digest': digest_of(b'content'), 'size': 7}),
            (True, gzip.compress(b'content') + b'\0', {'digest': digest_of(b'content'), 'size': 7}),
            (True, gzip.compress(b'content')[:-5] + b'\0' * 5, {}),
            (True, zlib.compress(b'content'), {}),
        ],
    )
    def test_an_upload_that_is_not_what_it_says_changes_nothing(
        self, storage, blobs, gzipped, content, said
    ):
        put(storage, 'name', 5, b'old')
        with pytest.raises(BadUpload), storage.upload(gzipped, **said) as upload:
            upload.write(content)
            storage.put('name', 6, upload)

        assert storage.entry('name').version == 5
        assert plain(storage, 'name') == b'old'
        assert list(blobs.digests()) == [digest_of(b'old')]

    def test_what_is_too_much_is_refused_at_once(self, storage):
        with storage.upload(False, size=10) as upload:
            upload.write(b'0123456789')
            with pytest.raises(BadUpload, match='more than the announced 10'):
                upload.write(b'0')

    def test_what_is_no_gzip_is_refused_at_once(self, storage):
        with storage.upload(True) as upload:
            with pytest.raises(BadUpload, match='not valid gzip'):
                upload.write(b'plain text')

    @pytest.mark.parametrize('gzipped', [False, True])
    def test_more_than_the_limit_is_refused_at_once(self, storage, blobs, gzipped):
        content = gzip.compress(bytes(1 << 20)) if gzipped else bytes(1 << 20)
        with storage.upload(gzipped, limit=(1 << 20) - 1) as upload:
            with pytest.raises(TooLarge) as caught:
                upload.write(content)
            with pytest.raises(BadUpload):
                storage.put('name', 5, upload)

        assert caught.value.limit == (1 << 20) - 1
        assert list(blobs.digests()) == []

    def test_the_limit_itself_is_taken(self, storage):
        with storage.upload(False, limit=7) as upload:
            upload.write(b'content')
            storage.put('name', 5, upload)

        assert plain(storage, 'name') == b'content'

    def test_a_refused_upload_stays_refused(self, storage, blobs):
        with storage.upload(False, size=5) as upload:
            with pytest.raises(BadUpload):
                upload.write(b'too much')
            with pytest.raises(BadUpload):
                storage.put('name', 5, upload)

        assert list(blobs.digests()) == []

    def test_content_that_was_refused_can_be_stored_later(self, storage):
        with pytest.raises(BadUpload):
            put_gzip(storage, 'name', 5, gzip.compress(b'content')[:-3])

        assert put_gzip(storage, 'name', 5, gzip.compress(b'content')) == 5
        assert plain(storage, 'name') == b'content'

    def test_an_upload_that_is_not_put_leaves_nothing(self, storage, blobs):
        with storage.upload(False) as upload:
            upload.write(b'content')

        assert list(blobs.digests()) == []
        assert listed(storage) == []

    # Files and directories

    @pytest.mark.parametrize(
        ('first', 'second'), [('a', 'a/b'), ('a/b/c', 'a'), ('a/b', 'a/b/c/d')]
    )
    def test_a_file_where_a_directory_is_needed_is_a_conflict(self, storage, blobs, first, second):
        put(storage, first, 5, b'first')
        with pytest.raises(NameConflict) as caught:
            put(storage, second, 6, b'second')

        assert (caught.value.name, caught.value.other) == (second, first)
        assert listed(storage) == [first]
        assert list(blobs.digests()) == [digest_of(b'first')]

    def test_a_conflict_takes_nothing_from_who_has_the_content(self, storage):
        put(storage, 'a', 5, b'content')
        with pytest.raises(NameConflict):
            put(storage, 'a/b', 5, b'content')

        assert plain(storage, 'a') == b'content'

    def test_a_conflict_ends_with_the_file(self, storage):
        put(storage, 'a', 5, b'file')
        storage.delete('a', 5)
        put(storage, 'a/b/c', 5, b'below')
        storage.delete('a/b/c', 5)

        assert put(storage, 'a', 5, b'file again') == 5
        assert plain(storage, 'a') == b'file again'

    # Lists

    def test_a_list_is_sorted_by_bytes_and_relative(self, storage):
        names = ['b', 'B', 'a b', 'a-b', 'a.b', 'a/b', 'a/é', 'aé', '\uffff', '\U00010000']
        for name in names:
            put(storage, name, 5, b'content')

        assert listed(storage) == sorted(names, key=str.encode)
        assert listed(storage, 'a') == ['b', 'é']

    def test_a_list_is_recursive_and_stays_below_its_directory(self, storage):
        for name in ['a/b/c', 'a/d', 'a.b', 'ab/c', 'b']:
            put(storage, name, 5, b'content')

        assert listed(storage, 'a') == ['b/c', 'd']
        assert listed(storage, 'a/b') == ['c']

    def test_a_list_up_to_a_cutoff_has_no_newer_versions(self, storage):
        for version, name in enumerate(['d/zero', 'd/one', 'd/two', 'd/three']):
            put(storage, name, version, b'content')

        assert set(listed(storage, 'd', 2)) == {'zero', 'one', 'two'}
        assert set(listed(storage, '', 0)) == {'d/zero'}
        assert listed(storage, 'd', -1) == []

    def test_a_name_that_was_replaced_is_behind_the_cutoff_of_its_old_version(self, storage):
        put(storage, 'name', 5, b'old')
        put(storage, 'name', 7, b'new')

        assert listed(storage, cutoff=6) == []

    @pytest.mark.parametrize('directory', ['missing', 'a/file', 'a/missing', 'a/f', 'a/file/x'])
    def test_a_list_of_what_is_no_directory_is_refused(self, storage, directory):
        put(storage, 'a/file', 5, b'content')

        with pytest.raises(NotFound) as caught:
            listed(storage, directory)
        assert caught.value.name == directory

    def test_the_root_can_always_be_listed(self, storage):
        assert listed(storage) == []

    def test_a_directory_is_gone_with_its_last_file(self, storage):
        put(storage, 'a/b/c', 5, b'content')
        storage.delete('a/b/c', 5)

        with pytest.raises(NotFound):
            listed(storage, 'a')

    def test_a_survey_sees_every_name_below_a_directory_once(self, storage):
        for number in range(1200):
            put(storage, 'a/%04d' % number, 5, b'content')
        put(storage, 'b', 5, b'content')
        seen = []

        storage.survey('a', seen.extend)

        assert [name for name, _ in seen] == ['a/%04d' % number for number in range(1200)]
        assert {entry.size for _, entry in seen} == {len(b'content')}

    def test_a_survey_of_a_store_that_is_empty_sees_nothing(self, storage):
        pages = []

        storage.survey('', pages.append)

        assert pages == [[]]

    def test_a_list_of_several_pages_is_complete_while_names_come_and_go(self, storage, catalog):
        entry = Entry(5, digest_of(b'content'), 7, 20)
        put(storage, 'd/0000', 5, b'content')
        for number in range(1, 1200):
            catalog.put('d/%04d' % number, entry, lambda digest: True)

        pages = storage.pages('d')
        names = list(next(pages))
        storage.delete('d/0000', 5)
        put(storage, 'd/1100', 6, b'other')
        put(storage, 'd/0000.new', 5, b'other')
        storage.delete('d/1150', 5)
        names += [name for page in pages for name in page]

        assert names == ['%04d' % number for number in range(1200) if number != 1150]

    # Many at once

    def test_readers_see_old_or_new_while_a_name_is_overwritten(self, storage):
        contents = [b'content %d' % number * 100 for number in range(40)]
        put(storage, 'name', 0, contents[0])

        def read(_):
            seen = []
            while not seen or seen[-1] < len(contents) - 1:
                entry, content = stored(storage, 'name')
                assert gzip.decompress(content) == contents[entry.version]
                assert entry == (
                    entry.version,
                    digest_of(contents[entry.version]),
                    entry.size,
                    len(content),
                )
                seen.append(entry.version)
            return seen

        with ThreadPoolExecutor(3) as pool:
            readers = [pool.submit(read, number) for number in range(2)]
            for version in range(1, len(contents)):
                put(storage, 'name', version, contents[version])

            for reader in readers:
                assert reader.result() == sorted(reader.result())

    def test_the_books_balance_after_many_threads(self, storage, blobs, catalog):
        contents = [b'content %d' % number for number in range(4)]
        names = ['a', 'b/c', 'b/d', 'e']

        def work(seed):
            dice = random.Random(seed)
            for _ in range(40):
                name, version = dice.choice(names), dice.randrange(1000)
                if dice.random() < 0.6:
                    put(storage, name, version, dice.choice(contents))
                else:
                    try:
                        storage.delete(name, version)
                    except NotFound:
                        pass

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(work, range(8)))

        found = {name: stored(storage, name)[0] for name in listed(storage)}
        digests = [entry.digest for entry in found.values()]
        assert set(blobs.digests()) == set(digests)
        for content in contents:
            assert catalog.count(digest_of(content)) == digests.count(digest_of(content))
        for name, entry in found.items():
            assert digest_of(plain(storage, name)) == entry.digest

    def test_closing_twice_is_fine(self, storage):
        put(storage, 'name', 5, b'content')
        storage.close()
        storage.close()
